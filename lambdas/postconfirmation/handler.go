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

// confirmSignUp is the trigger source of the event after a user is confirmed. The trigger's other
// source is a user who has set a new password.
const confirmSignUp = "PostConfirmation_ConfirmSignUp"

// defaultDisplayName is the display name of a user whose name is unknown.
const defaultDisplayName = "New user"

// profiles stores profiles.
type profiles interface {
	// Create stores p as the profile of its subject, unless the subject has one.
	Create(ctx context.Context, p accounts.Profile) error
}

// A handler creates profiles for new users. Its log never contains a user's data.
type handler struct {
	profiles profiles
	logger   *slog.Logger
}

// Handle creates the new user's profile once, however often Cognito sends the event. Its error is
// always nil: the user is confirmed already, but Cognito would report that sign-up failed, and it
// would not send the event again. A failure is logged, and the user creates the missing profile
// with PUT /profile.
func (h *handler) Handle(
	ctx context.Context, event events.CognitoEventUserPoolsPostConfirmation,
) (events.CognitoEventUserPoolsPostConfirmation, error) {
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
		h.logger.ErrorContext(ctx, "profile creation failed", "error", err.Error())
	}
	return event, nil
}

// displayName returns a new user's initial display name: the name from the user or an identity
// provider, made valid. An address is never used, since every user would see it: Apple and some
// clients send it as the name.
func displayName(attributes map[string]string) string {
	for _, name := range []string{
		attributes["name"], attributes["given_name"] + " " + attributes["family_name"],
	} {
		if name = oneLine(name); name != "" && !strings.Contains(name, "@") {
			return name
		}
	}
	return defaultDisplayName
}

// oneLine makes text one line without control characters, cut to the length of a display name.
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
