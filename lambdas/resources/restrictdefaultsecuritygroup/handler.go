package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// securityGroups is the part of Amazon EC2 that takes rules away. What the function may not do it cannot name.
type securityGroups interface {
	Revoke(ctx context.Context, action, group string, peer map[string]string) error
}

// A handler closes default security groups.
type handler struct {
	groups securityGroups
}

// Handle closes the group that the resource's property SecurityGroupId names, which identifies the resource too. A
// group is left closed when its resource is deleted: AWS deletes it with its VPC.
func (h *handler) Handle(ctx context.Context, event cfn.Event) (physicalResourceID string, data map[string]any, err error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, nil
	}
	group, _ := event.ResourceProperties["SecurityGroupId"].(string)
	if group == "" {
		return event.PhysicalResourceID, nil, errors.New("SecurityGroupId is required; pass the VPC's default security group")
	}
	stack, err := arn.Parse(event.StackID)
	if err != nil {
		return group, nil, fmt.Errorf("StackId: %w", err)
	}
	return group, nil, h.restrict(ctx, group, stack.AccountID)
}

// restrict takes away the rules that AWS gives every default security group: all traffic in from the group itself, whose
// owner is account, and all traffic out. Each goes by its own call, because one rule that is not there would make EC2
// refuse the others too.
func (h *handler) restrict(ctx context.Context, group, account string) error {
	return errors.Join(
		ignoreNotFound(h.groups.Revoke(ctx, "RevokeSecurityGroupIngress", group, map[string]string{"Groups.1.GroupId": group, "Groups.1.UserId": account})),
		ignoreNotFound(h.groups.Revoke(ctx, "RevokeSecurityGroupEgress", group, map[string]string{"IpRanges.1.CidrIp": "0.0.0.0/0"})),
		// There only when the VPC has an IPv6 block.
		ignoreNotFound(h.groups.Revoke(ctx, "RevokeSecurityGroupEgress", group, map[string]string{"Ipv6Ranges.1.CidrIpv6": "::/0"})),
	)
}

// ignoreNotFound returns err, or nil when it says that the rule is not there: then it was taken away before.
func ignoreNotFound(err error) error {
	if awsclient.Is(err, "InvalidPermission.NotFound") {
		return nil
	}
	return err
}
