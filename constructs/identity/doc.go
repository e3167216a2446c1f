// Package identity provisions sign-up and sign-in: a Cognito user pool with a web client, a mobile
// client or both, Google and Apple as identity providers, managed login pages, and an identity pool
// that gives signed-in clients AWS credentials.
//
// It makes the pools, the domain of the login pages, the clients with their branding, the role of
// signed-in clients and, with an identity provider, a function that links a first social sign-in to
// the user with the same e-mail address. The role has no permissions until GrantSignedInReadWrite
// or GrantSignedInRead gives it some.
//
// # Costs
//
// Cognito bills monthly active users in the plan Essentials, which managed login requires; the
// first 10,000 of an account are free. Secrets Manager bills the secrets of Google and Apple, which
// you declare. Cognito sends e-mails itself, about 50 a day at no cost; for more, configure SES in
// the user pool.
//
// # What cannot be undone
//
// The sign-in attributes of a user pool cannot be changed, and a custom attribute cannot be
// removed. CloudFormation would replace the pool, and all users would be lost; the pool therefore
// has deletion protection and is retained when the stack is deleted, unless Disposable is set,
// which deletes all users with the stack. Installed apps contain the id of their client. A change
// of DomainPrefix fails until the old domain is deleted by hand.
package identity
