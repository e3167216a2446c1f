// Package contract is what the function that closes a VPC's default security group and the construct that declares it
// agree on.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/closedefaultsecuritygroup"
