// Package gofunction provisions Lambda functions written in Go, with least privilege: it builds
// them on this machine from an import path, and passes settings from a typed struct.
//
// New makes the function (arm64, provided.al2023, X-Ray traces), its role, which may write its own
// logs and nothing else, and its log group; in a VPC also a security group that allows TLS only.
// Grants of other constructs and of the CDK add permissions, network paths and settings.
//
// # Build
//
// The package is compiled when the app is synthesized, by the installed Go, reproducibly: the same
// source gives the same asset on every machine. The package may be in the app's module or in any
// module that the app's go.mod requires.
//
// # Settings
//
// The stack passes a struct, and the function loads the same type with [lambdaenv.MustLoad]. A
// required field that nobody has set fails the synth. Content that is too long for a variable is
// passed as Files.
//
// # Costs
//
// AWS bills invocations, their duration by the memory, traces, and logs by the GiB. A function that
// is not invoked costs only what its logs take.
//
// # What cannot be undone
//
// Nothing in a function is stateful. Without Disposable, its log group is retained when the stack
// is deleted.
package gofunction
