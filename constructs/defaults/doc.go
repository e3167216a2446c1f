// Package defaults provides the two settings that a stage configures once for all constructs of
// this library below it: how long logs are kept, and whether data is destroyed with its stack.
//
// It makes no resources. What cannot be undone: where Disposable is set, the deletion of a stack
// deletes its databases, buckets, tables and logs.
package defaults
