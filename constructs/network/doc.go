// Package network provisions a VPC over several Availability Zones.
//
// New makes a VPC with three subnets in every zone: a public one for resources that the internet
// reaches, a private one for functions and services, and an isolated one for data. S3 and DynamoDB
// have gateway endpoints, all traffic is logged, and the default security group has no rules: a
// function removes them.
//
// # Costs
//
// AWS bills each NAT gateway and each interface endpoint by the hour, an endpoint once for each
// zone, and both by the GiB. Flow logs are billed by the GiB. The default, without NAT and
// interface endpoints, costs the flow logs only, and its private subnets reach S3 and DynamoDB
// only.
//
// # What cannot be undone
//
// A change of CIDR, or of an id in the construct tree, replaces the VPC, which fails while anything
// is in it. Zones can be added at the end of AvailabilityZones; a removed or replaced zone replaces
// its subnets with all resources in them.
package network
