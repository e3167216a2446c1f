// Package contract is what the subscriptions function and the stack that declares it agree on. The routes that it answers
// are subscriptionsapi.Routes.
package contract

import (
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/subscriptions"

// Settings is what the subscriptions function is told by its stack.
type Settings struct {
	API         rest.Settings
	Tokens      token.Settings
	Table       string `env:"MAILING_LIST_TABLE"`
	Endpoint    string `env:"API_ENDPOINT"`  // where links in mails point: the API's, with a slash at the end
	SingleOptIn bool   `env:"SINGLE_OPT_IN"` // whoever is subscribed by anybody gets mails at once
}
