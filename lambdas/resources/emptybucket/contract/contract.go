// Package contract defines the property and the tag of the custom resource that empties a bucket.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/emptybucket"

// BucketName is the only property of the custom resource. Its value is the physical id.
const BucketName = "BucketName"

// Tag marks every bucket that is deleted with its stack, and no other. CloudFormation also deletes
// the custom resource when only the resource is removed from the template, as when an environment
// stops being disposable. By then the bucket has lost its tag, so it keeps its objects.
const Tag = "ashlar:DeletedWithStack"
