// Package contract provides the settings of the welcome function. The construct that declares the
// function fills them.
package contract

import "time"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/welcome"

// Settings configures the welcome function.
type Settings struct {
	Table            string `env:"MAILING_LIST_TABLE"`
	From             string `env:"MAIL_FROM"` // Ashlar <hello@example.com>
	ConfigurationSet string `env:"MAIL_CONFIGURATION_SET"`

	// DeadLetterQueueURL is the queue of messages that an operator has to examine.
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"`

	// LeaseDuration is how long one run may take for one mail, while other runs wait for it.
	LeaseDuration time.Duration `env:"LEASE_DURATION"`
}
