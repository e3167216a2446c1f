// Package mailinglist provisions a mailing list with double opt-in: addresses subscribe, confirm by
// a link in a mail, and get a welcome mail, each once. Addresses that bounce or complain are
// suppressed.
//
// It makes a DynamoDB table of subscriptions, an SES identity and a configuration set, the function
// welcome that sends the mails of new items, the function feedback that processes bounces and
// complaints, an SNS topic with a KMS key, and SQS queues. The app's own function, with
// GrantSubscribe, writes items (package mailinglisttable); another may send mails with
// GrantSendEmail.
//
// SES sends nothing before the owner of the identity has verified it: add the DKIMRecords to the
// domain's DNS. In SES's sandbox, set Sandbox. Until then, messages wait in the dead-letter queue
// of WelcomeRetryQueue.
//
// AWS bills mails, requests to the table, its storage, backup and stream, invocations, messages, a
// KMS key, and logs. Nothing costs by the hour but the key.
//
// What cannot be undone: a change of the table's keys replaces it. With the stack, the table is
// retained, with deletion protection, and also the key of the feedback topic, unless
// Props.Disposable; the identity is deleted, and a new one has to be verified again. A mail that
// was sent cannot be recalled, and SES pauses an account at a bounce rate of 10 %.
package mailinglist
