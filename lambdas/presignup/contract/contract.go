// Package contract is what the pre sign-up function and the construct that declares it agree on.
package contract

// Package is the function's import path, for gofunction.Props. It has no settings: each event names its user pool.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/presignup"

// HostedDomain is the user pool's attribute that Google's claim hd is mapped to. The function reads it in the event of
// a social sign-in only, where it comes from Google: in a user's profile it is what somebody has written there.
const HostedDomain = "custom:hd"
