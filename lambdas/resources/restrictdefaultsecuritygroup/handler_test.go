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
	stack   = "arn:aws:cloudformation:eu-central-1:" + account +
		":stack/Dev-Network/00000000-0000-4000-8000-0000000000aa"
	group = "sg-0123456789abcdef0"
	other = "sg-0fedcba9876543210"
)

// A revocation is a call of EC2.
type revocation struct {
	Action, Group string
	Peer          map[string]string
}

// fakeGroups is a fake of EC2.
type fakeGroups func(revocation) error

func (f fakeGroups) Revoke(_ context.Context, action, group string, peer map[string]string) error {
	return f(revocation{action, group, peer})
}

func TestHandler_Handle_revokes_only_the_default_rules(t *testing.T) {
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
			const ingress, egress = "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"
			fromGroup := map[string]string{"Groups.1.GroupId": group, "Groups.1.UserId": account}
			want := []revocation{
				{ingress, group, fromGroup},
				{egress, group, map[string]string{"IpRanges.1.CidrIp": "0.0.0.0/0"}},
				{egress, group, map[string]string{"Ipv6Ranges.1.CidrIpv6": "::/0"}},
			}
			if diff := cmp.Diff(want, revoked); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHandler_Handle_does_nothing_on_delete(t *testing.T) {
	h := &handler{} // a call would panic
	event := cfn.Event{RequestType: cfn.RequestDelete, PhysicalResourceID: group}
	id, _, err := h.Handle(t.Context(), event)
	if err != nil || id != group {
		t.Errorf("id %q, error %v; want the same id", id, err)
	}
}

func TestHandler_restrict_ignores_missing_rules(t *testing.T) {
	notFound := &smithy.GenericAPIError{
		Code:    "InvalidPermission.NotFound",
		Message: "The specified rule does not exist in this security group.",
	}
	h := &handler{groups: fakeGroups(func(revocation) error { return notFound })}
	if err := h.restrict(t.Context(), group, account); err != nil {
		t.Error(err)
	}
}

func TestHandler_restrict_revokes_other_rules_after_a_failure(t *testing.T) {
	denied := &smithy.GenericAPIError{
		Code:    "UnauthorizedOperation",
		Message: "You are not authorized to perform this operation.",
	}
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

func TestHandler_Handle_rejects_invalid_events_before_any_call(t *testing.T) {
	withGroup := func(id any) map[string]any { return map[string]any{"SecurityGroupId": id} }
	for name, test := range map[string]struct {
		stack      string
		properties map[string]any
		want       string
	}{
		"no properties":         {stack, nil, "SecurityGroupId is required"},
		"empty group":           {stack, withGroup(""), "SecurityGroupId is required"},
		"group is not a string": {stack, withGroup(7.0), "SecurityGroupId is required"},
		"no stack id":           {"", withGroup(group), "StackId"},
		"stack id is no ARN":    {"Dev-Network", withGroup(group), "StackId"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &handler{} // a call would panic
			_, _, err := h.Handle(t.Context(), cfn.Event{
				RequestType:        cfn.RequestCreate,
				StackID:            test.stack,
				ResourceProperties: test.properties,
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
