// Package contract is what the function that closes a VPC's default security group and the construct that declares it
// agree on.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/restrictdefaultsecuritygroup"

// Settings is what the function is told by its stack.
type Settings struct {
	Endpoint string `env:"EC2_ENDPOINT"` // of Amazon EC2 in the function's region, without a slash at the end
}
