package main

import (
	"context"
	"log/slog"
	"strings"
	"unicode"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
)

// confirmSignUp is the source of the event that comes once somebody has become a user. The trigger's other source is a
// user who has set a new password.
const confirmSignUp = "PostConfirmation_ConfirmSignUp"

// defaultDisplayName is the display name of a user who has told nobody a name.
const defaultDisplayName = "New user"

// profiles is where profiles are kept.
type profiles interface {
	// Create makes p the profile of its subject, unless there is one.
	Create(ctx context.Context, p accounts.Profile) error
}

// A handler gives new users a profile. Its log never names one.
type handler struct {
	profiles profiles
	logger   *slog.Logger
}

// Handle creates the new user's profile, once, however often Cognito sends the event. Its error is always nil: the user
// is confirmed already, Cognito would say that sign-up failed, and it would not send the event again. Who has no profile
// for that reason, which the log says, creates it with PUT /profile.
func (h *handler) Handle(ctx context.Context, event events.CognitoEventUserPoolsPostConfirmation) (events.CognitoEventUserPoolsPostConfirmation, error) {
	if event.TriggerSource != confirmSignUp {
		return event, nil
	}
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	attributes := event.Request.UserAttributes
	p := accounts.Profile{Subject: attributes["sub"], DisplayName: displayName(attributes)}
	err := p.Validate()
	if err == nil {
		err = h.profiles.Create(ctx, p)
	}
	if err != nil {
		h.logger.ErrorContext(ctx, "a new user has no profile", "error", err.Error())
	}
	return event, nil
}

// displayName is what others see of a new user at first: the name that the user or an identity provider has given, made
// a valid one. An address is none, since it would be shown to everybody: Apple and some clients send it as the name.
func displayName(attributes map[string]string) string {
	for _, name := range []string{attributes["name"], attributes["given_name"] + " " + attributes["family_name"]} {
		if name = oneLine(name); name != "" && !strings.Contains(name, "@") {
			return name
		}
	}
	return defaultDisplayName
}

// oneLine makes text one line without control characters that a display name has room for.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if characters := []rune(text); len(characters) > accounts.MaxDisplayName {
		text = strings.TrimSpace(string(characters[:accounts.MaxDisplayName]))
	}
	return text
}
