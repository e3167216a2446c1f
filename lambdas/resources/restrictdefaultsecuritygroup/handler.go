package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// securityGroups is the part of Amazon EC2 that revokes rules. It has no other methods, so the
// function cannot call anything else.
type securityGroups interface {
	Revoke(ctx context.Context, action, group string, peer map[string]string) error
}

// A handler restricts default security groups.
type handler struct {
	groups securityGroups
}

// Handle restricts the group in the resource's property SecurityGroupId, which is the physical id
// too. Deleting the resource does not restore the rules: AWS deletes the group with its VPC.
func (h *handler) Handle(
	ctx context.Context, event cfn.Event,
) (physicalResourceID string, data map[string]any, err error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, nil
	}
	group, _ := event.ResourceProperties["SecurityGroupId"].(string)
	if group == "" {
		err := errors.New("SecurityGroupId is required; pass the VPC's default security group")
		return event.PhysicalResourceID, nil, err
	}
	stack, err := arn.Parse(event.StackID)
	if err != nil {
		return group, nil, fmt.Errorf("StackId: %w", err)
	}
	return group, nil, h.restrict(ctx, group, stack.AccountID)
}

// restrict revokes the rules that AWS adds to every default security group: inbound traffic from
// the group itself, which belongs to account, and all outbound traffic. Each rule has its own call,
// because EC2 rejects a call in which one of several rules does not exist.
func (h *handler) restrict(ctx context.Context, group, account string) error {
	revoke := func(action string, peer map[string]string) error {
		err := h.groups.Revoke(ctx, action, group, peer)
		if awsclient.Is(err, "InvalidPermission.NotFound") { // revoked before
			return nil
		}
		return err
	}
	fromGroup := map[string]string{"Groups.1.GroupId": group, "Groups.1.UserId": account}
	return errors.Join(
		revoke("RevokeSecurityGroupIngress", fromGroup),
		revoke("RevokeSecurityGroupEgress", map[string]string{"IpRanges.1.CidrIp": "0.0.0.0/0"}),
		// This rule exists only if the VPC has an IPv6 block.
		revoke("RevokeSecurityGroupEgress", map[string]string{"Ipv6Ranges.1.CidrIpv6": "::/0"}),
	)
}
