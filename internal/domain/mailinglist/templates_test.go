package mailinglist_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

func TestEachMailIsThereInEachLanguage(t *testing.T) {
	templates, err := mailinglist.Templates()
	if err != nil {
		t.Fatal(err)
	}
	const link = "https://api.example.com/v1/subscriptions/AbC-_123"
	subscription := mailinglist.Subscription{To: "ada@example.com", Link: link}
	seen := map[string]bool{}
	for _, language := range email.Languages {
		for _, name := range []string{"confirm", "welcome"} {
			message, err := templates.Message(language, name, "ada@example.com", subscription)
			if err != nil {
				t.Fatal(err)
			}
			for form, said := range map[string]string{"text": message.Text, "HTML": message.HTML} {
				if !strings.Contains(said, link) || strings.Contains(said, "ada@") || strings.ContainsAny(said, "{}") {
					t.Errorf("%s in %s, as %s:\n%s", name, language, form, said)
				}
				if within := fmt.Sprint(mailinglist.ConfirmWithin.Hours()); name == "confirm" && !strings.Contains(said, within) {
					t.Errorf("%s in %s, as %s does not say that the link is good for %s hours:\n%s", name, language, form, within, said)
				}
			}
			// Not all mail clients show links that have another text.
			if strings.Count(message.HTML, ">"+link+"</a>") != 1 || !strings.Contains(message.HTML, `<html lang="`+language+`">`) {
				t.Errorf("%s in %s:\n%s", name, language, message.HTML)
			}
			if korean := strings.ContainsFunc(message.Subject, func(r rune) bool { return '가' <= r && r <= '힣' }); korean != (language == "ko") {
				t.Errorf("%s in %s: %s", name, language, message.Subject)
			}
			if seen[message.Subject] {
				t.Errorf("two mails have the subject %s", message.Subject)
			}
			seen[message.Subject] = true
		}
	}
}
