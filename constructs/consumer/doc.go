// Package consumer provisions queues that a function consumes: the queue, the topic or schedule
// that sends to it, and its dead-letter queue.
//
// It makes two SQS queues with encryption at rest that require TLS, and the event source mapping of
// the function, which returns the messages that failed (partial batch responses). Messages that
// failed five times go to the dead-letter queue and stay there for 14 days; redrive them after the
// cause is fixed. The function must be idempotent: SQS delivers at least once.
//
// AWS bills SQS requests, also those of Lambda that poll an empty queue, and invocations.
//
// What cannot be undone: the queues are deleted with the stack, together with their messages.
package consumer
