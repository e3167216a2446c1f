// Package contract provides the settings of the notifications function. The stack that declares the
// function fills them.
package contract

import (
	"time"

	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/notifications"

// Settings configures the notifications function.
type Settings struct {
	Database    mysqlconn.Settings
	UserPoolID  string `env:"USER_POOL_ID"`  // of the recipients
	TokenKeyARN string `env:"TOKEN_KEY_ARN"` // the secret that seals links

	// Table is the mailing list's table. Its suppressions apply.
	Table string `env:"MAILING_LIST_TABLE"`

	From             string `env:"MAIL_FROM"` // Ashlar <hello@example.com>
	ConfigurationSet string `env:"MAIL_CONFIGURATION_SET"`

	// Endpoint is the API's URL, with a trailing slash. Links to unsubscribe point there.
	Endpoint string `env:"API_ENDPOINT"`

	// Website is the website's URL, without a trailing slash. Links to posts point there.
	Website string `env:"WEBSITE_URL"`

	// Window is how long the oldest comment of a mail waits: the queue's delay. After two windows,
	// its message was lost.
	Window time.Duration `env:"WINDOW"`

	// LeaseDuration is how long one run may take for one mail. Other runs for the same recipient
	// are retried after it.
	LeaseDuration time.Duration `env:"LEASE_DURATION"`
}
