// Package contract provides the settings of the feedback function. The construct that declares the
// function fills them.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/feedback"

// Settings configures the feedback function.
type Settings struct {
	Table              string `env:"MAILING_LIST_TABLE"`
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"` // for messages that are not feedback
}
