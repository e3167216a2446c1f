package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	account = "111111111111"
	stack   = "arn:aws:cloudformation:eu-central-1:" + account + ":stack/Dev-Network/00000000-0000-4000-8000-0000000000aa"
	group   = "sg-0123456789abcdef0"
	other   = "sg-0fedcba9876543210"
)

// fakeGroups is EC2 as functions.
type fakeGroups struct {
	ingress func(*ec2.RevokeSecurityGroupIngressInput) error
	egress  func(*ec2.RevokeSecurityGroupEgressInput) error
}

func (f fakeGroups) RevokeSecurityGroupIngress(_ context.Context, input *ec2.RevokeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	return &ec2.RevokeSecurityGroupIngressOutput{}, f.ingress(input)
}

func (f fakeGroups) RevokeSecurityGroupEgress(_ context.Context, input *ec2.RevokeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	return &ec2.RevokeSecurityGroupEgressOutput{}, f.egress(input)
}

func TestTheDefaultRulesAndNoOthersAreRevoked(t *testing.T) {
	for _, requestType := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		t.Run(string(requestType), func(t *testing.T) {
			var ingress, egress []types.IpPermission
			h := &handler{groups: fakeGroups{
				ingress: func(input *ec2.RevokeSecurityGroupIngressInput) error {
					if *input.GroupId != group {
						t.Errorf("group %s, want %s", *input.GroupId, group)
					}
					ingress = append(ingress, input.IpPermissions...)
					return nil
				},
				egress: func(input *ec2.RevokeSecurityGroupEgressInput) error {
					if *input.GroupId != group {
						t.Errorf("group %s, want %s", *input.GroupId, group)
					}
					egress = append(egress, input.IpPermissions...)
					return nil
				},
			}}
			id, _, err := h.Handle(t.Context(), cfn.Event{
				RequestType:        requestType,
				StackID:            stack,
				PhysicalResourceID: other,
				ResourceProperties: map[string]any{"SecurityGroupId": group},
			})
			if err != nil || id != group {
				t.Errorf("id %q, error %v; want %s", id, err, group)
			}
			pointer := func(s string) *string { return &s }
			unexported := cmpopts.IgnoreUnexported(types.IpPermission{}, types.UserIdGroupPair{}, types.IpRange{}, types.Ipv6Range{})
			wantIngress := []types.IpPermission{
				{IpProtocol: pointer("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: pointer(group), UserId: pointer(account)}}},
			}
			if diff := cmp.Diff(wantIngress, ingress, unexported); diff != "" {
				t.Errorf("ingress (-want +got):\n%s", diff)
			}
			wantEgress := []types.IpPermission{
				{IpProtocol: pointer("-1"), IpRanges: []types.IpRange{{CidrIp: pointer("0.0.0.0/0")}}},
				{IpProtocol: pointer("-1"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: pointer("::/0")}}},
			}
			if diff := cmp.Diff(wantEgress, egress, unexported); diff != "" {
				t.Errorf("egress (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeleteCallsNothing(t *testing.T) {
	h := &handler{} // a call would panic
	id, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestDelete, PhysicalResourceID: "whatever was created"})
	if err != nil || id != "whatever was created" {
		t.Errorf("id %q, error %v; want the id as it was", id, err)
	}
}

func TestRulesThatAreGoneAreClosed(t *testing.T) {
	gone := &smithy.GenericAPIError{Code: "InvalidPermission.NotFound", Message: "The specified rule does not exist in this security group."}
	h := &handler{groups: fakeGroups{
		ingress: func(*ec2.RevokeSecurityGroupIngressInput) error { return gone },
		egress:  func(*ec2.RevokeSecurityGroupEgressInput) error { return gone },
	}}
	if err := h.close(t.Context(), group, account); err != nil {
		t.Error(err)
	}
}

func TestOneFailureDoesNotKeepTheOtherRulesOpen(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "UnauthorizedOperation", Message: "You are not authorized to perform this operation."}
	egressCalls := 0
	h := &handler{groups: fakeGroups{
		ingress: func(*ec2.RevokeSecurityGroupIngressInput) error { return denied },
		egress:  func(*ec2.RevokeSecurityGroupEgressInput) error { egressCalls++; return nil },
	}}
	if err := h.close(t.Context(), group, account); !errors.Is(err, denied) {
		t.Errorf("error %v, want EC2's", err)
	}
	if egressCalls != 2 {
		t.Errorf("%d egress rules revoked, want 2", egressCalls)
	}
}

func TestBadEventsAreRefusedBeforeAnyCall(t *testing.T) {
	tests := map[string]struct {
		event cfn.Event
		want  string
	}{
		"no properties":     {cfn.Event{StackID: stack}, "SecurityGroupId is required"},
		"empty group":       {cfn.Event{StackID: stack, ResourceProperties: map[string]any{"SecurityGroupId": ""}}, "SecurityGroupId is required"},
		"group is no text":  {cfn.Event{StackID: stack, ResourceProperties: map[string]any{"SecurityGroupId": 7.0}}, "SecurityGroupId is required"},
		"stack has no ARN":  {cfn.Event{ResourceProperties: map[string]any{"SecurityGroupId": group}}, "StackId"},
		"stack's ARN is no": {cfn.Event{StackID: "Dev-Network", ResourceProperties: map[string]any{"SecurityGroupId": group}}, "StackId"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.event.RequestType = cfn.RequestCreate
			h := &handler{} // a call would panic
			if _, _, err := h.Handle(t.Context(), test.event); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
