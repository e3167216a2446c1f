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

// deleteUser is Cognito as a function.
type deleteUser func(*cognitoidentityprovider.AdminDeleteUserInput) error

func (d deleteUser) AdminDeleteUser(_ context.Context, input *cognitoidentityprovider.AdminDeleteUserInput, _ ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AdminDeleteUserOutput, error) {
	return &cognitoidentityprovider.AdminDeleteUserOutput{}, d(input)
}

func (d deleteUser) ListUsers(context.Context, *cognitoidentityprovider.ListUsersInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.ListUsersOutput, error) {
	return nil, d(nil)
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
		if later, final := errors.Is(err, retry.ErrUnavailable), err != nil && !errors.Is(err, retry.ErrUnavailable); later != test.later || final != test.final {
			t.Errorf("%s: error %v", name, err)
		}
		if test.err == nil || !test.later && !test.final { // who is gone is no error of a list
			continue
		}
		_, err = users.Address(t.Context(), "ada")
		if later := errors.Is(err, retry.ErrUnavailable); err == nil || later != test.later || errors.Is(err, email.ErrNoAddress) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestAUsersVerifiedAddressIsFoundByTheSubject(t *testing.T) {
	const pool = "eu-central-1_EXAMPLE"
	server := awstest.StartCognito(t, pool)
	users := NewUsers(Settings{UserPoolID: pool}, cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region: "eu-central-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "example", ""),
	}))
	user := func(name, subject, address, verified string) awstest.CognitoUser {
		attributes := map[string]string{"sub": subject, "email": address, "email_verified": verified}
		maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" }) // the service leaves out what is not set
		return awstest.CognitoUser{Username: name, Status: "EXTERNAL_PROVIDER", Attributes: attributes}
	}
	disabled := user("google_5", "disabled", "dee@example.com", "true")
	disabled.Disabled = true
	server.SetUsers(user("google_1", "ada", "Ada@example.com", "true"), user("google_2", "bob", "bob@example.com", "false"),
		user("google_3", "cy", "cy@example.com", ""), user("google_4", "nobody@example.com", "", "true"), disabled,
		user("google_6", `quote" or sub = "ada`, "eve@example.com", "true"), user("google_7", "ADA2", "other@example.com", "true"))
	for subject, want := range map[string]email.Address{
		"ada":                    "Ada@example.com",
		"bob":                    "", // not verified
		"cy":                     "",
		"nobody@example.com":     "",
		"disabled":               "",
		"unknown":                "",
		"google_1":               "", // is no subject
		"ada2":                   "", // is another one
		`quote" or sub = "ada`:   "eve@example.com",
		`x" or email = "ada`:     "",
		`\" or sub = \"ada`:      "",
		`quote\" or sub = \"ada`: "",
	} {
		got, err := users.Address(t.Context(), subject)
		if got != want || errors.Is(err, email.ErrNoAddress) != (want == "") || err != nil && want != "" {
			t.Errorf("%s: got %q, %v, want %q", subject, got, err, want)
		}
	}
}
