package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist/templates"
)

func TestFiles(t *testing.T) {
	parsed, err := mailinglist.ParseTemplates(templates.Files, "en")
	if err != nil {
		t.Fatal(err)
	}
	if languages := fmt.Sprint(parsed.Languages()); languages != "[en ko]" {
		t.Errorf("languages %s, want [en ko]", languages)
	}
	const link = "https://api.example.com/v1/subscriptions/AbC-_123"
	data := mailinglist.TemplateData{To: "ada@example.com", Link: link}
	seen := map[string]bool{}
	for _, language := range parsed.Languages() {
		for _, name := range []string{"confirm", "welcome"} {
			message, err := parsed.Message(language, name, "ada@example.com", data)
			if err != nil {
				t.Fatal(err)
			}
			for form, part := range map[string]string{"text": message.Text, "HTML": message.HTML} {
				if !strings.Contains(part, link) || strings.Contains(part, "ada@") ||
					strings.ContainsAny(part, "{}") {
					t.Errorf("%s in %s, as %s:\n%s", name, language, form, part)
				}
				hours := fmt.Sprint(mailinglist.ConfirmWithin.Hours())
				if name == "confirm" && !strings.Contains(part, hours) {
					t.Errorf("%s in %s, as %s lacks the link's lifetime of %s hours:\n%s",
						name, language, form, hours, part)
				}
			}
			// Some mail clients do not show links with another text than their URL.
			if strings.Count(message.HTML, ">"+link+"</a>") != 1 ||
				!strings.Contains(message.HTML, `<html lang="`+language+`">`) {
				t.Errorf("%s in %s:\n%s", name, language, message.HTML)
			}
			korean := strings.ContainsFunc(message.Subject, func(r rune) bool {
				return '가' <= r && r <= '힣'
			})
			if korean != (language == "ko") {
				t.Errorf("%s in %s: %s", name, language, message.Subject)
			}
			if seen[message.Subject] {
				t.Errorf("two mails have the subject %s", message.Subject)
			}
			seen[message.Subject] = true
		}
	}
}
