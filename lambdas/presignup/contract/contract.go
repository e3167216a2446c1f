// Package contract is what the pre sign-up function and the construct that declares it agree on.
package contract

// Package is the function's import path, for gofunction.Props. It has no settings: each event names its user pool.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/presignup"
