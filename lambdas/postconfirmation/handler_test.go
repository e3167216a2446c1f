package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const subject = "00000000-0000-4000-8000-00000000aaaa"

// create is a fake store.
type create func(context.Context, accounts.Profile) error

func (c create) Create(ctx context.Context, p accounts.Profile) error { return c(ctx, p) }

func confirmed(attributes map[string]string) events.CognitoEventUserPoolsPostConfirmation {
	event := events.CognitoEventUserPoolsPostConfirmation{}
	event.TriggerSource = "PostConfirmation_ConfirmSignUp"
	event.Request.UserAttributes = attributes
	return event
}

func TestDisplayName_is_never_an_address(t *testing.T) {
	long := strings.Repeat("ü", accounts.MaxDisplayName)
	for want, attributes := range map[string]map[string]string{
		"Ada Lovelace": {
			"name": "Ada Lovelace", "given_name": "Augusta", "email": "ada@example.com",
		},
		"Ada King": {"given_name": "Ada", "family_name": "King"},
		"Augusta":  {"given_name": "Augusta"},
		"Byron":    {"family_name": "Byron"},
		"Ada": {
			"name": "ada@example.com", "given_name": "Ada", "email": "ada@example.com",
		},
		"Control":        {"name": "\x00\u0007Control\u009f\u007f"},
		"Two lines":      {"name": " Two\r\n\u2028lines\t"},
		"Invalid":        {"name": "Inv\xffalid\xc3"},
		"Given":          {"name": " \t\n", "given_name": "Given"},
		long:             {"name": long + "ü"},
		long[:158] + "x": {"name": long[:158] + "x y"},
		"'; DROP TABLE":  {"name": "'; DROP TABLE"},
		"Анна 🪨":         {"name": "Анна 🪨"},
	} {
		if got := displayName(attributes); got != want {
			t.Errorf("%q: %q, want %q", attributes, got, want)
		}
	}
	for _, attributes := range []map[string]string{
		nil, {}, {"email": "ada@example.com"},
		{"name": "ada@example.com", "email": "ada@example.com"}, {"name": "\x00"},
		{"given_name": "ada@example.com", "family_name": " "}, {"name": "Ada <ada@example.com>"},
		{"preferred_username": "ada@example.com"},
	} {
		if got := displayName(attributes); got != defaultDisplayName {
			t.Errorf("%q: %q, want %q", attributes, got, defaultDisplayName)
		}
	}
}

func FuzzDisplayName(f *testing.F) {
	f.Add("Ada Lovelace", "Ada", "Lovelace")
	f.Add("ada@example.com", "\x00", "\u2029")
	f.Add(strings.Repeat("ab ", 100), "", "\xff")
	f.Fuzz(func(t *testing.T, name, given, family string) {
		got := displayName(
			map[string]string{"name": name, "given_name": given, "family_name": family})
		err := (accounts.Profile{Subject: subject, DisplayName: got}).Validate()
		if err != nil || strings.Contains(got, "@") {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestHandler_Handle_ignores_other_events(t *testing.T) {
	h := &handler{} // a call would panic
	for _, source := range []string{
		"PostConfirmation_ConfirmForgotPassword", "", "PreSignUp_SignUp",
	} {
		event := confirmed(map[string]string{"sub": subject})
		event.TriggerSource = source
		if _, err := h.Handle(t.Context(), event); err != nil {
			t.Errorf("%q: %v", source, err)
		}
	}
}

func TestHandler_Handle_leaves_time_for_the_response(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	h := &handler{logger: slog.New(slog.DiscardHandler), profiles: create(
		func(ctx context.Context, _ accounts.Profile) error {
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left > 4*time.Second || left < 3*time.Second {
				t.Errorf("%s are left (%t), want 4s", left, ok)
			}
			return nil
		})}
	if _, err := h.Handle(ctx, confirmed(map[string]string{"sub": subject})); err != nil {
		t.Error(err)
	}
}

func TestHandler_Handle_logs_a_failure_and_succeeds(t *testing.T) {
	for name, test := range map[string]struct {
		attributes map[string]string
		err        error
		want       string
	}{
		"unavailable": {
			map[string]string{"sub": subject}, retry.ErrUnavailable, retry.ErrUnavailable.Error(),
		},
		"deleted": {
			map[string]string{"sub": subject}, accounts.ErrDeleted, accounts.ErrDeleted.Error(),
		},
		"broken":     {map[string]string{"sub": subject}, errors.New("broken"), "broken"},
		"no subject": {map[string]string{}, nil, "subject is empty"},
		"invalid subject": {
			map[string]string{"sub": "a b"}, nil, "subject has the character U+0020",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := &handler{logger: slog.New(slog.NewJSONHandler(&log, nil)), profiles: create(
				func(context.Context, accounts.Profile) error {
					if test.err == nil {
						t.Error("the store was called")
					}
					return test.err
				})}
			if _, err := h.Handle(t.Context(), confirmed(test.attributes)); err != nil {
				t.Errorf("error %v would fail the sign-up", err)
			}
			if !strings.Contains(log.String(), `"level":"ERROR"`) ||
				!strings.Contains(log.String(), test.want) ||
				strings.Contains(log.String(), subject) {
				t.Errorf("log %s, want an error with %q and no subject", log.String(), test.want)
			}
		})
	}
}
