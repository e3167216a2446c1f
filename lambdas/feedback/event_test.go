package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

const (
	bounce    = "bounce.json"    // ada's address does not exist
	complaint = "complaint.json" // from ada
	transient = "transient.json" // ada's mailbox is full
)

// mailID is the message id of the mails in testdata.
const mailID = "0107019e5f3d8c1b-5c0a1f2e-7b3d-4c8f-9a6e-1d2c3b4a5f60-000000"

// event returns an event of SES from testdata, with replacements.
func event(t testing.TB, file string, replacements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	replaced := strings.NewReplacer(replacements...).Replace(string(content))
	if len(replacements) > 0 && replaced == string(content) {
		t.Fatalf("%s contains none of %q", file, replacements)
	}
	return replaced
}

func TestParseFeedback(t *testing.T) {
	ada := []email.Address{"ada@example.com"}
	adaMixedCase := []email.Address{"Ada@Example.com"}
	for name, test := range map[string]struct {
		body string
		want feedback
	}{
		"permanent bounce": {
			event(t, bounce),
			feedback{mailID, adaMixedCase, false, "bounce: General"},
		},
		"bounce by SES's suppression list": {
			event(t, "suppressed.json"),
			feedback{mailID, ada, false, "bounce: OnAccountSuppressionList"},
		},
		"transient bounce": {event(t, transient), feedback{messageID: mailID}},
		"undetermined bounce": {
			event(t, transient, "Transient", "Undetermined", "MailboxFull", "Undetermined"),
			feedback{messageID: mailID},
		},
		"complaint": {event(t, complaint), feedback{mailID, ada, true, "complaint: abuse"}},
		"complaint without a type": {
			event(t, complaint,
				`"complaintFeedbackType": "abuse"`, `"complaintFeedbackType": null`),
			feedback{mailID, ada, true, "complaint"},
		},
		"not spam": {
			event(t, complaint, `"abuse"`, `"not-spam"`), feedback{messageID: mailID},
		},
		"failed authentication": {
			event(t, complaint, `"abuse"`, `"auth-failure"`), feedback{messageID: mailID},
		},
		"another address is named": {
			event(t, bounce, "ada@example.com", "victim@example.net"),
			feedback{mailID, adaMixedCase, false, "bounce: General"},
		},
		"some of several recipients": {
			event(t, "several.json"),
			feedback{
				mailID, []email.Address{"ada@example.com", "Eve@example.com"}, false,
				"bounce: NoEmail",
			},
		},
		"address with a name": {
			event(t, complaint, `"ada@example.com"
    ],
    "headersTruncated"`, `"\"Lovelace, Ada\" <ada@example.com>"
    ],
    "headersTruncated"`),
			feedback{mailID, ada, true, "complaint: abuse"},
		},
		"address that no standard allows": {
			event(t, complaint, "ada@example.com", "ada.@example.com"),
			feedback{mailID, []email.Address{"ada.@example.com"}, true, "complaint: abuse"},
		},
		"validation of the topic": {
			"Successfully validated SNS topic for Amazon SES event publishing.", feedback{},
		},
	} {
		got, err := parseFeedback(test.body)
		diff := cmp.Diff(test.want, got, cmp.AllowUnexported(feedback{}))
		if err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// invalidEvents returns messages that are not feedback, each with the reason.
func invalidEvents(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{
		"no JSON":                   "invalid character",
		"null":                      `eventType is ""`,
		"[]":                        "cannot unmarshal array",
		`{"Records":[]}`:            `eventType is ""`,
		`{"eventType":7}`:           "cannot unmarshal number",
		`{"eventType":"Delivery"}`:  `eventType is "Delivery"`,
		`{"eventType":"Bounce"}`:    `bounceType is ""`,
		`{"eventType":"Complaint"}`: "it names none of the mail's 0 recipients",
		`{"notificationType":"Bounce","bounce":{"bounceType":"Permanent"}}`: `eventType is ""`,
		event(
			t, bounce, "Permanent", "Lasting"): `bounceType is "Lasting"`,
		event(
			t, "several.json", "ADA@", "another@", "eve@", "others@",
		): "it names none of the mail's 3 recipients",
		event(t, complaint, `"destination": [
      "ada@example.com"
    ]`, `"destination": []`): "it names none of the mail's 0 recipients",
		event(t, complaint, `"destination": [
      "ada@example.com"
    ]`, `"destination": [" "]`): "it names none of the mail's 1 recipients",
	}
}

func TestParseFeedback_rejects_invalid_events(t *testing.T) {
	for body, want := range invalidEvents(t) {
		parsed, err := parseFeedback(body)
		if !errors.Is(err, errInvalidEvent) || !strings.Contains(err.Error(), want) ||
			len(parsed.suppress) > 0 {
			t.Errorf("%s: %+v, %v, want %q", body, parsed, err, want)
		}
	}
}

// FuzzParseFeedback checks that no message causes a panic, and that only recipients of the mail are
// suppressed.
func FuzzParseFeedback(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if !file.IsDir() {
			f.Add(event(f, file.Name()))
		}
	}
	for body := range invalidEvents(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		parsed, err := parseFeedback(body)
		if err != nil && (len(parsed.suppress) > 0 || !errors.Is(err, errInvalidEvent)) {
			t.Errorf("%+v, %v", parsed, err)
		}
		var sent struct {
			Mail struct{ Destination []string }
		}
		_ = json.Unmarshal([]byte(body), &sent) // parsed events are valid JSON
		for _, address := range parsed.suppress {
			to := slices.ContainsFunc(sent.Mail.Destination, func(to string) bool {
				return parseAddress(to) == address
			})
			if address == "" || !to || parsed.reason == "" {
				t.Errorf("%+v", parsed)
			}
		}
	})
}
