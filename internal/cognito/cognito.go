// Package cognito keeps users in a Cognito user pool.
package cognito

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/internal/retry"
)

// Settings are those of a function that deletes users.
type Settings struct {
	UserPoolID string `env:"USER_POOL_ID"`
}

// API is what is called of Cognito. A [cognitoidentityprovider.Client] is one.
type API interface {
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

// Delete removes the user of that name, for good. It is no error when there is none. It fails with [retry.ErrLater] when
// Cognito does not take the call for the moment.
func (u *Users) Delete(ctx context.Context, username string) error {
	_, err := u.api.AdminDeleteUser(ctx, &cognitoidentityprovider.AdminDeleteUserInput{
		UserPoolId: &u.settings.UserPoolID,
		Username:   &username,
	})
	if _, gone := errors.AsType[*types.UserNotFoundException](err); gone || err == nil {
		return nil
	}
	_, throttled := errors.AsType[*types.TooManyRequestsException](err)
	_, broken := errors.AsType[*types.InternalErrorException](err)
	if _, answered := errors.AsType[smithy.APIError](err); answered && !throttled && !broken {
		return fmt.Errorf("delete user: %w", err) // it will answer the same next time
	}
	return fmt.Errorf("%w: delete user: %w", retry.ErrLater, err)
}
