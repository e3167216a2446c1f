// Package topic provisions SNS topics with encryption at rest that require TLS.
//
// It makes the topic and its policy. A topic with Props.Publisher, an AWS service, has also a KMS
// key: services may not use the AWS managed key. A Lambda function or another principal of the
// account publishes with GrantPublish; queues receive with AddQueueSubscription.
//
// AWS bills published messages, and for a topic with a Publisher a KMS key and its requests;
// deliveries to SQS are free.
//
// The topic and its subscriptions are deleted with the stack. SNS keeps no messages: those in
// delivery are lost. The key is retained unless Props.Disposable.
package topic
