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

// externalProvider is the source of the event that comes before the first social sign-in of somebody, and again for as
// long as it fails. It never comes for an identity that is linked or has a user of its own.
const externalProvider = "PreSignUp_ExternalProvider"

// What people are told besides the domain's refusals, in the middle of Cognito's own sentence: "PreSignUp failed with
// error …".
var (
	errUnavailable = errors.New("sign-in is unavailable for the moment; try again")
	errLinkLimit   = errors.New("the account with this e-mail address cannot be linked with more sign-ins; sign in the way you did before")
)

// users is the part of a user pool that finds users and links them. What the function may not do it cannot name.
type users interface {
	cognitoidentityprovider.ListUsersAPIClient
	AdminGetUser(context.Context, *cognitoidentityprovider.AdminGetUserInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminGetUserOutput, error)
	AdminLinkProviderForUser(context.Context, *cognitoidentityprovider.AdminLinkProviderForUserInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminLinkProviderForUserOutput, error)
}

// A handler links social sign-ins. Its log names providers and outcomes, never an address or a user.
type handler struct {
	users  users
	logger *slog.Logger
}

// Handle lets everybody sign up, and links who signs in by a provider for the first time to the user with the same
// verified address. An error keeps Cognito from signing up a separate user, which nobody could ever link again.
//
// Nothing is refused for what others did: an address that is not proved, on whichever side, makes a separate user.
func (h *handler) Handle(ctx context.Context, event events.CognitoEventUserPoolsPreSignup) (events.CognitoEventUserPoolsPreSignup, error) {
	if event.TriggerSource != externalProvider {
		return event, nil
	}
	identity, trusted := signin.ParseUserName(event.UserName)
	email := event.Request.UserAttributes["email"]
	if !trusted || event.Request.UserAttributes["email_verified"] != "true" || !signin.LinkableEmail(email) {
		h.logger.InfoContext(ctx, "a separate user: the address is not verified, or not one to compare", "provider", identity.Provider)
		return event, nil
	}
	if !identity.Authoritative(email, event.Request.UserAttributes[contract.HostedDomain]) {
		h.logger.InfoContext(ctx, "a separate user: the provider is not authoritative for the address", "provider", identity.Provider)
		return event, nil
	}
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	return event, h.link(ctx, event.UserPoolID, identity, email)
}

// link makes identity sign in as the user who has the address, if there is one. Its error is for people to read.
func (h *handler) link(ctx context.Context, pool string, identity signin.Identity, email string) error {
	found, err := h.find(ctx, pool, email)
	if err != nil {
		h.logger.ErrorContext(ctx, "cannot look for users", "provider", identity.Provider, "error", err.Error())
		return errUnavailable
	}
	destination, known, err := signin.Destination(email, found)
	if err != nil {
		h.logger.WarnContext(ctx, "refused", "provider", identity.Provider, "error", err.Error())
		return err
	}
	if !known {
		h.logger.InfoContext(ctx, "a new user", "provider", identity.Provider)
		return nil
	}
	secondFactor, err := h.hasSecondFactor(ctx, pool, destination)
	if err != nil {
		h.logger.ErrorContext(ctx, "cannot ask for the second factor", "provider", identity.Provider, "error", err.Error())
		return errUnavailable
	}
	if secondFactor {
		h.logger.WarnContext(ctx, "refused", "provider", identity.Provider, "error", signin.ErrSecondFactor.Error())
		return signin.ErrSecondFactor
	}
	_, err = h.users.AdminLinkProviderForUser(ctx, &cognitoidentityprovider.AdminLinkProviderForUserInput{
		UserPoolId:      &pool,
		DestinationUser: &types.ProviderUserIdentifierType{ProviderName: aws.String("Cognito"), ProviderAttributeValue: &destination.Name},
		SourceUser: &types.ProviderUserIdentifierType{
			ProviderName: &identity.Provider, ProviderAttributeName: aws.String("Cognito_Subject"), ProviderAttributeValue: &identity.UserID,
		},
	})
	switch {
	case err == nil, alreadyLinked(err):
		h.logger.InfoContext(ctx, "linked", "provider", identity.Provider)
		return nil
	case isA[*types.LimitExceededException](err):
		h.logger.WarnContext(ctx, "refused", "provider", identity.Provider, "error", err.Error())
		return errLinkLimit
	default:
		h.logger.ErrorContext(ctx, "cannot link", "provider", identity.Provider, "error", err.Error())
		return errUnavailable
	}
}

// find lists the users with the address email, which has no character that ends the filter's text. Cognito's searches
// disregard case; users who signed up within the last seconds may be missing.
func (h *handler) find(ctx context.Context, pool, email string) ([]signin.User, error) {
	var found []signin.User
	pages := cognitoidentityprovider.NewListUsersPaginator(h.users, &cognitoidentityprovider.ListUsersInput{
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

// hasSecondFactor tells whether user has set up a second factor. Cognito asks none of who signs in by a provider ("Adding
// MFA to a user pool" in the Amazon Cognito Developer Guide), so that a link would be a way around it.
func (h *handler) hasSecondFactor(ctx context.Context, pool string, user signin.User) (bool, error) {
	got, err := h.users.AdminGetUser(ctx, &cognitoidentityprovider.AdminGetUserInput{UserPoolId: &pool, Username: &user.Name})
	if err != nil {
		return false, err
	}
	return len(got.UserMFASettingList) > 0 || aws.ToString(got.PreferredMfaSetting) != "", nil
}

func asUser(listed types.UserType) signin.User {
	user := signin.User{Name: aws.ToString(listed.Username), Enabled: listed.Enabled, Status: string(listed.UserStatus)}
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

// alreadyLinked tells whether err says that the link is there, as it does when Cognito called the function twice. The
// error has no code of its own.
func alreadyLinked(err error) bool {
	invalid, ok := errors.AsType[*types.InvalidParameterException](err)
	return ok && strings.Contains(invalid.ErrorMessage(), "already linked to DestinationUser")
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
