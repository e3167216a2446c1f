package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/ashlar-cdk/ashlar/internal/domain/signin"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/lambdas/presignup/contract"
)

// externalProvider is the trigger source of the event before a user's first social sign-in. Cognito
// sends it again as long as it fails. It never sends it for an identity that is linked or has a
// user of its own.
const externalProvider = "PreSignUp_ExternalProvider"

// Errors that users see, besides the domain's, in the middle of Cognito's own sentence: "PreSignUp
// failed with error …".
var (
	errUnavailable = errors.New("sign-in is temporarily unavailable; try again")
	errLinkLimit   = errors.New(
		"the account with this e-mail address cannot be linked with more sign-in methods; " +
			"sign in the way you did before")
)

// users is the part of a user pool that finds and links users. The interface leaves out what the
// function must not do.
type users interface {
	cognitoidentityprovider.ListUsersAPIClient
	AdminGetUser(
		context.Context, *cognitoidentityprovider.AdminGetUserInput,
		...func(*cognitoidentityprovider.Options),
	) (*cognitoidentityprovider.AdminGetUserOutput, error)
	AdminLinkProviderForUser(
		context.Context, *cognitoidentityprovider.AdminLinkProviderForUserInput,
		...func(*cognitoidentityprovider.Options),
	) (*cognitoidentityprovider.AdminLinkProviderForUserOutput, error)
}

// A handler links social sign-ins to users. Its log contains providers and outcomes, never an
// address or a user.
type handler struct {
	users  users
	logger *slog.Logger
}

// Handle allows every sign-up, and links a user's first social sign-in to the existing user with
// the same verified address. An error prevents Cognito from creating a separate user, which could
// never be linked afterwards.
//
// Other users cannot cause a refusal: an address that is not verified, on either side, results in a
// separate user.
func (h *handler) Handle(
	ctx context.Context, event events.CognitoEventUserPoolsPreSignup,
) (events.CognitoEventUserPoolsPreSignup, error) {
	if event.TriggerSource != externalProvider {
		return event, nil
	}
	identity, trusted := signin.ParseUserName(event.UserName)
	email := event.Request.UserAttributes["email"]
	if !trusted || event.Request.UserAttributes["email_verified"] != "true" ||
		!signin.LinkableEmail(email) {
		h.logger.InfoContext(ctx, "sign-in not linked: address is not verified or not comparable",
			"provider", identity.Provider)
		return event, nil
	}
	if !identity.Authoritative(email, event.Request.UserAttributes[contract.HostedDomain]) {
		h.logger.InfoContext(ctx,
			"sign-in not linked: provider is not authoritative for the address",
			"provider", identity.Provider)
		return event, nil
	}
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	return event, h.link(ctx, event.UserPoolID, identity, email)
}

// link links identity to the user with the address, if there is one. The user sees its error.
func (h *handler) link(
	ctx context.Context, pool string, identity signin.Identity, email string,
) error {
	logger := h.logger.With("provider", identity.Provider)
	found, err := h.find(ctx, pool, email)
	if err != nil {
		logger.ErrorContext(ctx, "user search failed", "error", err.Error())
		return errUnavailable
	}
	destination, known, err := signin.Destination(email, found)
	if err != nil {
		logger.WarnContext(ctx, "sign-in refused", "error", err.Error())
		return err
	}
	if !known {
		logger.InfoContext(ctx, "sign-in not linked: no user has the address")
		return nil
	}
	secondFactor, err := h.hasSecondFactor(ctx, pool, destination)
	if err != nil {
		logger.ErrorContext(ctx, "second factor lookup failed", "error", err.Error())
		return errUnavailable
	}
	if secondFactor {
		logger.WarnContext(ctx, "sign-in refused", "error", signin.ErrSecondFactor.Error())
		return signin.ErrSecondFactor
	}
	input := &cognitoidentityprovider.AdminLinkProviderForUserInput{
		UserPoolId: &pool,
		DestinationUser: &types.ProviderUserIdentifierType{
			ProviderName: aws.String("Cognito"), ProviderAttributeValue: &destination.Name,
		},
		SourceUser: &types.ProviderUserIdentifierType{
			ProviderName: &identity.Provider, ProviderAttributeName: aws.String("Cognito_Subject"),
			ProviderAttributeValue: &identity.UserID,
		},
	}
	_, err = h.users.AdminLinkProviderForUser(ctx, input)
	switch {
	case err == nil, alreadyLinked(err):
		logger.InfoContext(ctx, "sign-in linked")
		return nil
	case isA[*types.LimitExceededException](err):
		logger.WarnContext(ctx, "sign-in refused", "error", err.Error())
		return errLinkLimit
	default:
		logger.ErrorContext(ctx, "linking the sign-in failed", "error", err.Error())
		return errUnavailable
	}
}

// find returns the users with the address email, which must not contain a character that ends the
// filter's string. Cognito's searches ignore case; users who signed up within the last seconds may
// be missing.
func (h *handler) find(ctx context.Context, pool, email string) ([]signin.User, error) {
	var found []signin.User
	pages := cognitoidentityprovider.NewListUsersPaginator(h.users,
		&cognitoidentityprovider.ListUsersInput{
			UserPoolId: &pool,
			Filter:     aws.String(fmt.Sprintf(`email = "%s"`, email)),
		})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, user := range page.Users {
			found = append(found, asUser(user))
		}
	}
	return found, nil
}

// hasSecondFactor reports whether user has set up a second factor. Cognito asks for none in a
// social sign-in ("Adding MFA to a user pool" in the Amazon Cognito Developer Guide), so that a
// link would bypass it.
func (h *handler) hasSecondFactor(
	ctx context.Context, pool string, user signin.User,
) (bool, error) {
	got, err := h.users.AdminGetUser(ctx,
		&cognitoidentityprovider.AdminGetUserInput{UserPoolId: &pool, Username: &user.Name})
	if err != nil {
		return false, err
	}
	return len(got.UserMFASettingList) > 0 || aws.ToString(got.PreferredMfaSetting) != "", nil
}

func asUser(listed types.UserType) signin.User {
	user := signin.User{
		Name: aws.ToString(listed.Username), Enabled: listed.Enabled,
		Status: string(listed.UserStatus),
	}
	for _, attribute := range listed.Attributes {
		switch aws.ToString(attribute.Name) {
		case "email":
			user.Email = aws.ToString(attribute.Value)
		case "email_verified":
			user.EmailVerified = aws.ToString(attribute.Value) == "true"
		}
	}
	return user
}

// alreadyLinked reports whether err is the error for an existing link, as when Cognito has called
// the function twice. The error has no code of its own.
func alreadyLinked(err error) bool {
	invalid, ok := errors.AsType[*types.InvalidParameterException](err)
	return ok && strings.Contains(invalid.ErrorMessage(), "already linked to DestinationUser")
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
