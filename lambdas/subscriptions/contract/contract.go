// Package contract provides the settings of the subscriptions function. The stack that declares the
// function fills them. Its routes are subscriptionsapi.Routes.
package contract

import "github.com/ashlar-cdk/ashlar/rest"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/subscriptions"

// Settings configures the subscriptions function.
type Settings struct {
	API         rest.Settings
	TokenKeyARN string `env:"TOKEN_KEY_ARN"` // the secret that seals links
	Table       string `env:"MAILING_LIST_TABLE"`

	// Endpoint is the API's URL, with a trailing slash. Links in mails point there.
	Endpoint string `env:"API_ENDPOINT"`

	// SingleOptIn subscribes addresses without confirmation: anyone can subscribe any address.
	SingleOptIn bool `env:"SINGLE_OPT_IN"`
}
