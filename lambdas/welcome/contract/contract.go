// Package contract provides the settings and the files of the welcome function. The construct that
// declares the function passes them.
package contract

import (
	"io/fs"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/welcome"

// Settings configures the welcome function.
type Settings struct {
	Table            string `env:"MAILING_LIST_TABLE"`
	From             string `env:"MAIL_FROM"` // Example <hello@example.com>
	ConfigurationSet string `env:"MAIL_CONFIGURATION_SET"`

	// DefaultLanguage is a language of the templates.
	DefaultLanguage string `env:"DEFAULT_LANGUAGE"`

	// DeadLetterQueueURL is the queue of messages that an operator has to examine.
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"`

	// LeaseDuration is how long one run may take for one mail, while other runs wait for it.
	LeaseDuration time.Duration `env:"LEASE_DURATION"`
}

// CheckTemplates returns all problems of the function's files, the templates of its mails. Each
// folder is a language, named by its BCP 47 tag such as en or pt-BR, with six files:
//
//	confirm.subject.txt  confirm.txt  confirm.html
//	welcome.subject.txt  welcome.txt  welcome.html
//
// The mail confirm has the link that confirms a pending subscription, within 24 hours, welcome the
// link that ends a confirmed one. A subject is one line. The HTML is the content of the body of
// layout.html, which is beside the folders; without it, a neutral layout is used.
//
// The files are templates of text/template and html/template, with no other functions, and these
// fields:
//
//	{{.To}}    the subscriber's address
//	{{.Link}}  the link, which the text and the HTML must contain
//
// In layout.html, they are {{.Data.To}} and {{.Data.Link}}. It has also {{.Subject}} and
// {{.Language}}, and places the content with {{template "content" .Data}}.
//
// A subscriber gets the mail in the language of the subscription's item: for pt-BR in pt-BR, or
// else in pt, or else in defaultLanguage, which must be one of the folders.
func CheckTemplates(files fs.FS, defaultLanguage string) error {
	_, err := mailinglist.ParseTemplates(files, defaultLanguage)
	return err
}
