package cognito

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/internal/retry"
)

// deleteUser is Cognito as a function.
type deleteUser func(*cognitoidentityprovider.AdminDeleteUserInput) error

func (d deleteUser) AdminDeleteUser(_ context.Context, input *cognitoidentityprovider.AdminDeleteUserInput, _ ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminDeleteUserOutput, error) {
	return &cognitoidentityprovider.AdminDeleteUserOutput{}, d(input)
}

func TestAUserIsDeletedFromTheSettingsPool(t *testing.T) {
	var deleted string
	users := NewUsers(Settings{UserPoolID: "pool"}, deleteUser(func(input *cognitoidentityprovider.AdminDeleteUserInput) error {
		deleted = *input.UserPoolId + " " + *input.Username
		return nil
	}))
	if err := users.Delete(t.Context(), "google_1"); err != nil || deleted != "pool google_1" {
		t.Errorf("deleted %q, %v", deleted, err)
	}
}

func TestWhatMayWorkLaterIsTriedAgainAndNothingElse(t *testing.T) {
	for name, test := range map[string]struct {
		err          error
		later, final bool
	}{
		"gone already":     {&types.UserNotFoundException{}, false, false},
		"throttled":        {&types.TooManyRequestsException{}, true, false},
		"broken":           {&types.InternalErrorException{}, true, false},
		"no answer":        {errors.New("connection reset"), true, false},
		"out of time":      {context.DeadlineExceeded, true, false},
		"refused":          {&types.NotAuthorizedException{}, false, true},
		"wrong pool":       {&types.ResourceNotFoundException{}, false, true},
		"not allowed":      {&smithy.GenericAPIError{Code: "AccessDeniedException"}, false, true},
		"wrong parameters": {&types.InvalidParameterException{}, false, true},
	} {
		users := NewUsers(Settings{UserPoolID: "pool"}, deleteUser(func(*cognitoidentityprovider.AdminDeleteUserInput) error { return test.err }))
		err := users.Delete(t.Context(), "ada")
		if later, final := errors.Is(err, retry.ErrLater), err != nil && !errors.Is(err, retry.ErrLater); later != test.later || final != test.final {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
