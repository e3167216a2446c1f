// Package contract is what the notify function and the stack that declares it agree on.
package contract

import (
	"time"

	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/notifications"

// Settings is what the notify function is told by its stack.
type Settings struct {
	Users            cognito.Settings
	Tokens           token.Settings
	Table            string        `env:"MAILING_LIST_TABLE"` // whose suppressions are honoured
	From             string        `env:"MAIL_FROM"`          // Ashlar <hello@example.com>
	ConfigurationSet string        `env:"MAIL_CONFIGURATION_SET"`
	Endpoint         string        `env:"API_ENDPOINT"`   // where links to end these mails point: the API's, with a slash at the end
	Website          string        `env:"WEBSITE_URL"`    // where links to posts point; without a slash at the end
	Window           time.Duration `env:"WINDOW"`         // how long the oldest comment of a mail waits: the queue's delay; after two, its message was lost
	LeaseDuration    time.Duration `env:"LEASE_DURATION"` // how long one run has for one mail; others come again after it
	Database         mysqlconn.Settings
}
