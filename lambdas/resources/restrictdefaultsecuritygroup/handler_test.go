package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

const (
	account = "111111111111"
	stack   = "arn:aws:cloudformation:eu-central-1:" + account + ":stack/Dev-Network/00000000-0000-4000-8000-0000000000aa"
	group   = "sg-0123456789abcdef0"
	other   = "sg-0fedcba9876543210"
)

// A revocation is one call of EC2.
type revocation struct {
	Action, Group string
	Peer          map[string]string
}

// fakeGroups is EC2 as a function.
type fakeGroups func(revocation) error

func (f fakeGroups) Revoke(_ context.Context, action, group string, peer map[string]string) error {
	return f(revocation{action, group, peer})
}

func TestTheDefaultRulesAndNoOthersAreRevoked(t *testing.T) {
	for _, requestType := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		t.Run(string(requestType), func(t *testing.T) {
			var revoked []revocation
			h := &handler{groups: fakeGroups(func(r revocation) error {
				revoked = append(revoked, r)
				return nil
			})}
			id, _, err := h.Handle(t.Context(), cfn.Event{
				RequestType:        requestType,
				StackID:            stack,
				PhysicalResourceID: other,
				ResourceProperties: map[string]any{"SecurityGroupId": group},
			})
			if err != nil || id != group {
				t.Errorf("id %q, error %v; want %s", id, err, group)
			}
			want := []revocation{
				{"RevokeSecurityGroupIngress", group, map[string]string{"Groups.1.GroupId": group, "Groups.1.UserId": account}},
				{"RevokeSecurityGroupEgress", group, map[string]string{"IpRanges.1.CidrIp": "0.0.0.0/0"}},
				{"RevokeSecurityGroupEgress", group, map[string]string{"Ipv6Ranges.1.CidrIpv6": "::/0"}},
			}
			if diff := cmp.Diff(want, revoked); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
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
	h := &handler{groups: fakeGroups(func(revocation) error { return gone })}
	if err := h.restrict(t.Context(), group, account); err != nil {
		t.Error(err)
	}
}

func TestOneFailureDoesNotKeepTheOtherRulesOpen(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "UnauthorizedOperation", Message: "You are not authorized to perform this operation."}
	egressCalls := 0
	h := &handler{groups: fakeGroups(func(r revocation) error {
		if r.Action == "RevokeSecurityGroupIngress" {
			return denied
		}
		egressCalls++
		return nil
	})}
	if err := h.restrict(t.Context(), group, account); !errors.Is(err, denied) {
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
