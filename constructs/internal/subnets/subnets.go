// Package subnets provides the check of subnets that a caller selects.
package subnets

import (
	"fmt"
	"iter"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// errorName is the name of an error of the CDK, which its message begins with.
var errorName = regexp.MustCompile(`^\w+: `)

// Check returns a problem of the prop unless vpc has the subnets of a selection, in at least zones
// Availability Zones.
func Check(
	prop string, vpc awsec2.IVpc, selection *awsec2.SubnetSelection, zones int,
) (problem error) {
	if vpc == nil {
		return nil // reported as such
	}
	// The CDK panics if the VPC has none.
	defer func() {
		if message := recover(); message != nil {
			problem = fmt.Errorf("%s: %s; pass subnets that the VPC has", prop,
				errorName.ReplaceAllString(fmt.Sprint(message), ""))
		}
	}()
	found := vpc.SelectSubnets(selection)
	in := len(slices.Compact(slices.Sorted(values(found.AvailabilityZones))))
	if in < zones && !*found.IsPendingLookup {
		return fmt.Errorf("%s: subnets in %d zones, want %d or more; pass subnets that the VPC has",
			prop, in, zones)
	}
	return nil
}

// values returns an iterator over the strings that jsii returned.
func values(list *[]*string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, value := range *list {
			if !yield(*value) {
				return
			}
		}
	}
}
