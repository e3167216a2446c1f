// Package contract defines the settings of the function that restricts a VPC's default security
// group.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/restrictdefaultsecuritygroup"

// Settings configures the function; its construct fills it.
type Settings struct {
	// Endpoint is the URL of Amazon EC2 in the function's region, without a trailing slash.
	Endpoint string `env:"EC2_ENDPOINT"`
}
