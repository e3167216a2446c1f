package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
)

// securityGroups is the part of Amazon EC2 that takes rules away. What the function may not do it cannot name.
type securityGroups interface {
	RevokeSecurityGroupIngress(context.Context, *ec2.RevokeSecurityGroupIngressInput, ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error)
	RevokeSecurityGroupEgress(context.Context, *ec2.RevokeSecurityGroupEgressInput, ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error)
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
	return group, nil, h.close(ctx, group, stack.AccountID)
}

// close takes away the rules that AWS gives every default security group: all traffic in from the group itself, whose
// owner is account, and all traffic out. Each goes by its own call, because one rule that is not there would make EC2
// refuse the others too.
func (h *handler) close(ctx context.Context, group, account string) error {
	_, ingress := h.groups.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
		GroupId: &group,
		IpPermissions: []types.IpPermission{{
			IpProtocol:       aws.String(allProtocols),
			UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &group, UserId: &account}},
		}},
	})
	_, egressIPv4 := h.groups.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{
		GroupId: &group,
		IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String(allProtocols),
			IpRanges:   []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}},
		}},
	})
	// There only when the VPC has an IPv6 block.
	_, egressIPv6 := h.groups.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{
		GroupId: &group,
		IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String(allProtocols),
			Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: aws.String("::/0")}},
		}},
	})
	return errors.Join(unlessClosed(ingress), unlessClosed(egressIPv4), unlessClosed(egressIPv6))
}

const allProtocols = "-1"

// unlessClosed returns err, or nil when it says that the rule is not there: then it was taken away before.
func unlessClosed(err error) error {
	if failure, ok := errors.AsType[smithy.APIError](err); ok && failure.ErrorCode() == "InvalidPermission.NotFound" {
		return nil
	}
	return err
}
