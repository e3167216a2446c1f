// Package cognito keeps users in a Cognito user pool.
package cognito

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// Settings are those of a function that looks users up, or deletes them.
type Settings struct {
	UserPoolID string `env:"USER_POOL_ID"`
}

// API is what is called of Cognito. A [cognitoidentityprovider.Client] is one.
type API interface {
	cognitoidentityprovider.ListUsersAPIClient
	AdminDeleteUser(context.Context, *cognitoidentityprovider.AdminDeleteUserInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminDeleteUserOutput, error)
}

// Users are those of one user pool.
type Users struct {
	settings Settings
	api      API
}

// NewUsers returns the users of the settings' pool.
func NewUsers(settings Settings, api API) *Users {
	return &Users{settings: settings, api: api}
}

// Delete removes the user of that name, for good. It is no error when there is none. It fails with [retry.ErrUnavailable] when
// Cognito does not take the call for the moment.
func (u *Users) Delete(ctx context.Context, username string) error {
	_, err := u.api.AdminDeleteUser(ctx, &cognitoidentityprovider.AdminDeleteUserInput{
		UserPoolId: &u.settings.UserPoolID,
		Username:   &username,
	})
	if _, gone := errors.AsType[*types.UserNotFoundException](err); gone || err == nil {
		return nil
	}
	return awsclient.Wrap("delete user", err)
}

// Address is where mails to the user with this subject go. It fails with [email.ErrNoAddress] when there is no such user, or
// a disabled one, or none whose address is verified, and with [retry.ErrUnavailable] when Cognito does not answer for the moment.
func (u *Users) Address(ctx context.Context, subject string) (email.Address, error) {
	// Names are other than subjects where users have come by an identity provider. Cognito searches by the subject too:
	// "Managing and searching for user accounts" in the Amazon Cognito Developer Guide, which says how to escape as well.
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(subject)
	pages := cognitoidentityprovider.NewListUsersPaginator(u.api, &cognitoidentityprovider.ListUsersInput{
		UserPoolId: &u.settings.UserPoolID,
		Filter:     aws.String(`sub = "` + escaped + `"`),
	})
	for pages.HasMorePages() { // the first may be empty though there is a second
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", awsclient.Wrap("look a user up", err)
		}
		for _, user := range page.Users {
			attributes := map[string]string{}
			for _, attribute := range user.Attributes {
				attributes[aws.ToString(attribute.Name)] = aws.ToString(attribute.Value)
			}
			if user.Enabled && attributes["sub"] == subject && attributes["email_verified"] == "true" && attributes["email"] != "" {
				return email.Address(attributes["email"]), nil
			}
		}
	}
	return "", email.ErrNoAddress
}
