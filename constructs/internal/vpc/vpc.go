// Package vpc provides the rules of props that choose subnets and security groups of a VPC.
package vpc

import (
	"fmt"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"github.com/ashlar-cdk/ashlar/internal/check"
)

// errorName is the name of an error of the CDK, which its message begins with.
var errorName = regexp.MustCompile(`^\w+: `)

// Subnets returns a problem unless vpc has the subnets of a selection, in at least this number of
// zones.
func Subnets(
	prop string, vpc awsec2.IVpc, selection *awsec2.SubnetSelection, zones int,
) (problem error) {
	if vpc == nil {
		return nil // reported as such where it is required
	}
	// The CDK panics if the VPC has none.
	defer func() {
		if message := recover(); message != nil {
			problem = fmt.Errorf("%s: %s; pass subnets that the VPC has", prop,
				errorName.ReplaceAllString(fmt.Sprint(message), ""))
		}
	}()
	found := vpc.SelectSubnets(selection)
	in := map[string]bool{}
	for _, zone := range *found.AvailabilityZones {
		in[*zone] = true
	}
	if len(in) < zones && !*found.IsPendingLookup {
		return fmt.Errorf("%s: subnets in %d zones, want %d or more; pass subnets that the VPC has",
			prop, len(in), zones)
	}
	return nil
}

// SecurityGroups returns a problem for each group that is nil.
func SecurityGroups(prop string, groups []awsec2.ISecurityGroup) error {
	return check.Each(prop, groups, func(prop string, group awsec2.ISecurityGroup) error {
		return check.NotNil(prop, group, "pass a security group of the VPC")
	})
}
