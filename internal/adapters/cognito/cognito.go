// Package cognito looks up and deletes users of a Cognito user pool.
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

// API is the part of Cognito's API that this package calls. [cognitoidentityprovider.Client]
// implements it.
type API interface {
	cognitoidentityprovider.ListUsersAPIClient
	AdminDeleteUser(
		context.Context, *cognitoidentityprovider.AdminDeleteUserInput,
		...func(*cognitoidentityprovider.Options),
	) (*cognitoidentityprovider.AdminDeleteUserOutput, error)
}

// Users are the users of one user pool.
type Users struct {
	PoolID string
	API    API
}

// Delete deletes the user with this name permanently. It is no error when there is none. It fails
// with [retry.ErrUnavailable] when Cognito is unavailable or throttles the call.
func (u *Users) Delete(ctx context.Context, username string) error {
	_, err := u.API.AdminDeleteUser(ctx, &cognitoidentityprovider.AdminDeleteUserInput{
		UserPoolId: &u.PoolID,
		Username:   &username,
	})
	if _, gone := errors.AsType[*types.UserNotFoundException](err); gone || err == nil {
		return nil
	}
	return awsclient.Wrap("delete user", err)
}

// Address returns the address for mails to the user with this subject. It fails with
// [email.ErrNoAddress] when the user does not exist, is disabled or has no verified address, and
// with [retry.ErrUnavailable] when Cognito is unavailable.
func (u *Users) Address(ctx context.Context, subject string) (email.Address, error) {
	// Users of an identity provider have a name that is not their subject. Cognito can filter by
	// the subject too: "Managing and searching for user accounts" in the Amazon Cognito Developer
	// Guide, which also documents how to escape.
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(subject)
	pages := cognitoidentityprovider.NewListUsersPaginator(u.API,
		&cognitoidentityprovider.ListUsersInput{
			UserPoolId: &u.PoolID,
			Filter:     aws.String(`sub = "` + escaped + `"`),
		})
	for pages.HasMorePages() { // a page may be empty although another follows
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", awsclient.Wrap("look up a user", err)
		}
		for _, user := range page.Users {
			attributes := map[string]string{}
			for _, attribute := range user.Attributes {
				attributes[aws.ToString(attribute.Name)] = aws.ToString(attribute.Value)
			}
			if user.Enabled && attributes["sub"] == subject &&
				attributes["email_verified"] == "true" && attributes["email"] != "" {
				return email.Address(attributes["email"]), nil
			}
		}
	}
	return "", email.ErrNoAddress
}
