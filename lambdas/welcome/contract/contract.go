// Package contract is what the welcome function and the construct that declares it agree on.
package contract

import "time"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/welcome"

// Settings is what the welcome function is told by its stack.
type Settings struct {
	Table              string        `env:"MAILING_LIST_TABLE"`
	From               string        `env:"MAIL_FROM"` // Ashlar <hello@example.com>
	ConfigurationSet   string        `env:"MAIL_CONFIGURATION_SET"`
	DeadLetterQueueURL string        `env:"DEAD_LETTER_QUEUE_URL"` // takes what a person has to look at
	LeaseDuration      time.Duration `env:"LEASE_DURATION"`        // how long one run has for one mail; others wait for it
}
