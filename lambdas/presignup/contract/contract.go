// Package contract defines what the pre sign-up function and its construct share.
package contract

// Package is the function's import path, for gofunction.Props. It has no settings: each event names
// its user pool.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/presignup"

// HostedDomain is the user pool's attribute to which Google's claim hd is mapped. The function
// reads it only in the event of a social sign-in, where its value comes from Google: in a user's
// profile, the user may have written it.
const HostedDomain = "custom:hd"
