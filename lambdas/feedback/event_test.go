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
	bounce    = "bounce.json"    // ada's address is none
	complaint = "complaint.json" // of ada's
	transient = "transient.json" // ada's mailbox is full
)

// mailID is that of the mail in testdata.
const mailID = "0107019e5f3d8c1b-5c0a1f2e-7b3d-4c8f-9a6e-1d2c3b4a5f60-000000"

// event reads one of SES's, with replacements.
func event(t testing.TB, file string, replacements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	replaced := strings.NewReplacer(replacements...).Replace(string(content))
	if len(replacements) > 0 && replaced == string(content) {
		t.Fatalf("%s has nothing of %q", file, replacements)
	}
	return replaced
}

func TestOfWhomSESTells(t *testing.T) {
	ada := []email.Address{"ada@example.com"}
	for name, test := range map[string]struct {
		body string
		want feedback
	}{
		"a permanent bounce":             {event(t, bounce), feedback{mailID, []email.Address{"Ada@Example.com"}, false, "bounce: General"}},
		"a bounce that SES has foreseen": {event(t, "suppressed.json"), feedback{mailID, ada, false, "bounce: OnAccountSuppressionList"}},
		"a transient bounce":             {event(t, transient), feedback{messageID: mailID}},
		"an undetermined bounce":         {event(t, transient, "Transient", "Undetermined", "MailboxFull", "Undetermined"), feedback{messageID: mailID}},
		"a complaint":                    {event(t, complaint), feedback{mailID, ada, true, "complaint: abuse"}},
		"a complaint without a type":     {event(t, complaint, `"complaintFeedbackType": "abuse"`, `"complaintFeedbackType": null`), feedback{mailID, ada, true, "complaint"}},
		"that it is no spam":             {event(t, complaint, `"abuse"`, `"not-spam"`), feedback{messageID: mailID}},
		"a signature that has failed":    {event(t, complaint, `"abuse"`, `"auth-failure"`), feedback{messageID: mailID}},
		"another one is named":           {event(t, bounce, "ada@example.com", "victim@example.net"), feedback{mailID, []email.Address{"Ada@Example.com"}, false, "bounce: General"}},
		"some of several":                {event(t, "several.json"), feedback{mailID, []email.Address{"ada@example.com", "Eve@example.com"}, false, "bounce: NoEmail"}},
		"an address with a name": {event(t, complaint, `"ada@example.com"
    ],
    "headersTruncated"`, `"\"Lovelace, Ada\" <ada@example.com>"
    ],
    "headersTruncated"`), feedback{mailID, ada, true, "complaint: abuse"}},
		"an address that no standard allows": {event(t, complaint, "ada@example.com", "ada.@example.com"), feedback{mailID, []email.Address{"ada.@example.com"}, true, "complaint: abuse"}},
		"the topic is tried":                 {"Successfully validated SNS topic for Amazon SES event publishing.", feedback{}},
	} {
		got, err := parseFeedback(test.body)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(feedback{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// poison is what is no feedback, with the reason.
func poison(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{
		"no JSON":                   "invalid character",
		"null":                      `eventType is ""`,
		"[]":                        "cannot unmarshal array",
		`{"Records":[]}`:            `eventType is ""`,
		`{"eventType":7}`:           "cannot unmarshal number",
		`{"eventType":"Delivery"}`:  `eventType is "Delivery"`,
		`{"eventType":"Bounce"}`:    `bounceType is ""`,
		`{"eventType":"Complaint"}`: "it names none of 0",
		`{"notificationType":"Bounce","bounce":{"bounceType":"Permanent"}}`: `eventType is ""`,
		event(t, bounce, "Permanent", "Lasting"):                            `bounceType is "Lasting"`,
		event(t, "several.json", "ADA@", "another@", "eve@", "others@"):     "it names none of 3",
		event(t, complaint, `"destination": [
      "ada@example.com"
    ]`, `"destination": []`): "it names none of 0",
		event(t, complaint, `"destination": [
      "ada@example.com"
    ]`, `"destination": [" "]`): "it names none of 1",
	}
}

func TestWhatIsNoFeedbackSaysWhy(t *testing.T) {
	for body, want := range poison(t) {
		if read, err := parseFeedback(body); !errors.Is(err, errInvalidEvent) || !strings.Contains(err.Error(), want) || len(read.suppress) > 0 {
			t.Errorf("%s: %+v, %v, want %q", body, read, err, want)
		}
	}
}

// FuzzReadFeedback looks for what panics, and for what takes somebody off the list to whom nothing was sent.
func FuzzReadFeedback(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if !file.IsDir() {
			f.Add(event(f, file.Name()))
		}
	}
	for body := range poison(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		read, err := parseFeedback(body)
		if (err != nil) && (len(read.suppress) > 0 || !errors.Is(err, errInvalidEvent)) {
			t.Errorf("%+v, %v", read, err)
		}
		var sent struct {
			Mail struct{ Destination []string }
		}
		_ = json.Unmarshal([]byte(body), &sent) // what was read is JSON
		for _, address := range read.suppress {
			to := slices.ContainsFunc(sent.Mail.Destination, func(to string) bool { return parseAddress(to) == address })
			if address == "" || !to || read.reason == "" {
				t.Errorf("%+v", read)
			}
		}
	})
}
