package mailinglist

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// The names of the mails.
const (
	confirmMail = "confirm" // to a pending subscription
	welcomeMail = "welcome" // to a confirmed one
)

// TemplateData is the data of the mails' templates.
type TemplateData struct {
	To   string // the subscriber's address
	Link string // confirms a pending subscription, or ends a confirmed one
}

// ParseTemplates parses the templates of the mails confirm and welcome, whose data is a
// [TemplateData]: [email.ParseTemplates]. It also executes them with an example. Every mail must
// have the link, in its text and in its HTML.
func ParseTemplates(files fs.FS, defaultLanguage string) (*email.Templates, error) {
	names := []string{confirmMail, welcomeMail}
	templates, err := email.ParseTemplates(files, defaultLanguage, names...)
	if err != nil {
		return nil, err
	}
	const to, link = "ada@example.com", "https://api.example.com/subscriptions/AbC-123"
	var problems []error
	for _, language := range templates.Languages() {
		for _, name := range names {
			message, err := templates.Message(language, name, to, TemplateData{To: to, Link: link})
			if err != nil {
				problems = append(problems, err)
				continue
			}
			if !strings.Contains(message.Text, link) || !strings.Contains(message.HTML, link) {
				problems = append(problems, fmt.Errorf("mailinglist: template %s/%s: "+
					"the text or the HTML lacks the link; add {{.Link}}", language, name))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return templates, nil
}
