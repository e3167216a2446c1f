package cognito

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

// deleteUser is a fake of Cognito.
type deleteUser func(*cognitoidentityprovider.AdminDeleteUserInput) error

func (d deleteUser) AdminDeleteUser(
	_ context.Context, input *cognitoidentityprovider.AdminDeleteUserInput,
	_ ...func(*cognitoidentityprovider.Options),
) (*cognitoidentityprovider.AdminDeleteUserOutput, error) {
	return &cognitoidentityprovider.AdminDeleteUserOutput{}, d(input)
}

func (d deleteUser) ListUsers(
	context.Context, *cognitoidentityprovider.ListUsersInput,
	...func(*cognitoidentityprovider.Options),
) (*cognitoidentityprovider.ListUsersOutput, error) {
	return nil, d(nil)
}

func TestUsers_Delete_deletes_from_the_settings_pool(t *testing.T) {
	var deleted string
	users := &Users{PoolID: "pool", API: deleteUser(
		func(input *cognitoidentityprovider.AdminDeleteUserInput) error {
			deleted = *input.UserPoolId + " " + *input.Username
			return nil
		})}
	if err := users.Delete(t.Context(), "google_1"); err != nil || deleted != "pool google_1" {
		t.Errorf("deleted %q, %v", deleted, err)
	}
}

func TestUsers_temporary_failures(t *testing.T) {
	for name, test := range map[string]struct {
		err              error
		temporary, final bool
	}{
		"deleted already":  {&types.UserNotFoundException{}, false, false},
		"throttled":        {&types.TooManyRequestsException{}, true, false},
		"broken":           {&types.InternalErrorException{}, true, false},
		"no response":      {errors.New("connection reset"), true, false},
		"out of time":      {context.DeadlineExceeded, true, false},
		"not authorized":   {&types.NotAuthorizedException{}, false, true},
		"wrong pool":       {&types.ResourceNotFoundException{}, false, true},
		"access denied":    {&smithy.GenericAPIError{Code: "AccessDeniedException"}, false, true},
		"wrong parameters": {&types.InvalidParameterException{}, false, true},
	} {
		users := &Users{PoolID: "pool", API: deleteUser(
			func(*cognitoidentityprovider.AdminDeleteUserInput) error {
				return test.err
			})}
		err := users.Delete(t.Context(), "ada")
		temporary := errors.Is(err, retry.ErrUnavailable)
		final := err != nil && !temporary
		if temporary != test.temporary || final != test.final {
			t.Errorf("%s: error %v", name, err)
		}
		// Listing has no error for a deleted user.
		if test.err == nil || !test.temporary && !test.final {
			continue
		}
		_, err = users.Address(t.Context(), "ada")
		temporary = errors.Is(err, retry.ErrUnavailable)
		if err == nil || temporary != test.temporary || errors.Is(err, email.ErrNoAddress) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestUsers_Address_finds_a_verified_address_by_subject(t *testing.T) {
	const pool = "eu-central-1_EXAMPLE"
	server := awstest.StartCognito(t, pool)
	users := &Users{PoolID: pool, API: cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region: "eu-central-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "example", ""),
	})}
	user := func(name, subject, address, verified string) awstest.CognitoUser {
		attributes := map[string]string{
			"sub": subject, "email": address, "email_verified": verified,
		}
		// Cognito leaves out attributes that are not set.
		maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" })
		return awstest.CognitoUser{
			Username: name, Status: "EXTERNAL_PROVIDER", Attributes: attributes,
		}
	}
	disabled := user("google_5", "disabled", "dee@example.com", "true")
	disabled.Disabled = true
	server.SetUsers(user("google_1", "ada", "Ada@example.com", "true"),
		user("google_2", "bob", "bob@example.com", "false"),
		user("google_3", "cy", "cy@example.com", ""),
		user("google_4", "nobody@example.com", "", "true"), disabled,
		user("google_6", `quote" or sub = "ada`, "eve@example.com", "true"),
		user("google_7", "ADA2", "other@example.com", "true"))
	for subject, want := range map[string]email.Address{
		"ada":                    "Ada@example.com",
		"bob":                    "", // not verified
		"cy":                     "",
		"nobody@example.com":     "",
		"disabled":               "",
		"unknown":                "",
		"google_1":               "", // not a subject
		"ada2":                   "", // another subject
		`quote" or sub = "ada`:   "eve@example.com",
		`x" or email = "ada`:     "",
		`\" or sub = \"ada`:      "",
		`quote\" or sub = \"ada`: "",
	} {
		got, err := users.Address(t.Context(), subject)
		if got != want || errors.Is(err, email.ErrNoAddress) != (want == "") ||
			err != nil && want != "" {
			t.Errorf("%s: got %q, %v, want %q", subject, got, err, want)
		}
	}
}
