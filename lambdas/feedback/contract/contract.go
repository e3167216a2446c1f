// Package contract is what the feedback function and the construct that declares it agree on.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/feedback"

// Settings is what the feedback function is told by its stack.
type Settings struct {
	Table              string `env:"MAILING_LIST_TABLE"`
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"` // takes what is no feedback
}
