// Package contract is what the function that empties a bucket and the construct that declares it agree on.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/emptybucket"

// BucketName is the one property of the custom resource, and its physical id.
const BucketName = "BucketName"

// Tag is on every bucket that goes with its stack, and on no other. CloudFormation tells the function of a deletion as
// well when only the custom resource leaves the template, as it does where an environment stops being disposable; the
// bucket has lost its tag by then, and keeps what is in it.
const Tag = "ashlar:DeletedWithStack"
