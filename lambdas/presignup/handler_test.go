package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ashlar-cdk/ashlar/internal/domain/signin"
)

// fakeUsers is a fake user pool.
type fakeUsers struct {
	list func(
		context.Context, *cognitoidentityprovider.ListUsersInput,
	) (*cognitoidentityprovider.ListUsersOutput, error)
	get func(
		*cognitoidentityprovider.AdminGetUserInput,
	) (*cognitoidentityprovider.AdminGetUserOutput, error)
	link func(*cognitoidentityprovider.AdminLinkProviderForUserInput) error
}

func (f fakeUsers) ListUsers(
	ctx context.Context, input *cognitoidentityprovider.ListUsersInput,
	_ ...func(*cognitoidentityprovider.Options),
) (*cognitoidentityprovider.ListUsersOutput, error) {
	return f.list(ctx, input)
}

func (f fakeUsers) AdminGetUser(
	_ context.Context, input *cognitoidentityprovider.AdminGetUserInput,
	_ ...func(*cognitoidentityprovider.Options),
) (*cognitoidentityprovider.AdminGetUserOutput, error) {
	return f.get(input)
}

func (f fakeUsers) AdminLinkProviderForUser(
	_ context.Context, input *cognitoidentityprovider.AdminLinkProviderForUserInput,
	_ ...func(*cognitoidentityprovider.Options),
) (*cognitoidentityprovider.AdminLinkProviderForUserOutput, error) {
	return &cognitoidentityprovider.AdminLinkProviderForUserOutput{}, f.link(input)
}

// byGoogle returns the event of a user's first sign-in with Google, with an address of the user's
// organization.
func byGoogle() events.CognitoEventUserPoolsPreSignup {
	event := events.CognitoEventUserPoolsPreSignup{}
	event.TriggerSource = "PreSignUp_ExternalProvider"
	event.UserPoolID, event.UserName = pool, "google_1234"
	event.Request.UserAttributes = map[string]string{
		"email": "Ada@example.com", "email_verified": "true", "custom:hd": "example.com",
	}
	return event
}

func listed(name string, status types.UserStatusType) types.UserType {
	attributes := []types.AttributeType{
		{Name: aws.String("email_verified"), Value: aws.String("true")},
		{Name: aws.String("email"), Value: aws.String("ada@example.com")},
	}
	return types.UserType{
		Username: &name, UserStatus: status, Enabled: true, Attributes: attributes,
	}
}

func TestHandler_Handle_links_the_identity(t *testing.T) {
	var requests []*cognitoidentityprovider.AdminLinkProviderForUserInput
	h := &handler{logger: slog.New(slog.DiscardHandler), users: fakeUsers{
		list: func(
			_ context.Context, input *cognitoidentityprovider.ListUsersInput,
		) (*cognitoidentityprovider.ListUsersOutput, error) {
			if *input.UserPoolId != pool || *input.Filter != `email = "Ada@example.com"` {
				t.Errorf("searched %s for %s", *input.UserPoolId, *input.Filter)
			}
			return &cognitoidentityprovider.ListUsersOutput{
				Users: []types.UserType{listed("name", types.UserStatusTypeConfirmed)},
			}, nil
		},
		get: func(
			input *cognitoidentityprovider.AdminGetUserInput,
		) (*cognitoidentityprovider.AdminGetUserOutput, error) {
			if *input.UserPoolId != pool || *input.Username != "name" {
				t.Errorf("queried %s for the factors of %s", *input.UserPoolId, *input.Username)
			}
			return &cognitoidentityprovider.AdminGetUserOutput{}, nil
		},
		link: func(input *cognitoidentityprovider.AdminLinkProviderForUserInput) error {
			requests = append(requests, input)
			return nil
		},
	}}
	event := byGoogle()
	response, err := h.Handle(t.Context(), event)
	if diff := cmp.Diff(event, response); diff != "" || err != nil {
		t.Errorf("response %v (-event +response):\n%s", err, diff)
	}
	want := []*cognitoidentityprovider.AdminLinkProviderForUserInput{{
		UserPoolId: aws.String(pool),
		DestinationUser: &types.ProviderUserIdentifierType{
			ProviderName: aws.String("Cognito"), ProviderAttributeValue: aws.String("name"),
		},
		SourceUser: &types.ProviderUserIdentifierType{
			ProviderName:           aws.String("Google"),
			ProviderAttributeName:  aws.String("Cognito_Subject"),
			ProviderAttributeValue: aws.String("1234"),
		},
	}}
	diff := cmp.Diff(want, requests, cmpopts.IgnoreUnexported(
		cognitoidentityprovider.AdminLinkProviderForUserInput{},
		types.ProviderUserIdentifierType{}))
	if diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestHandler_Handle_does_not_search_for(t *testing.T) {
	h := &handler{logger: slog.New(slog.DiscardHandler)} // a call would panic
	for name, change := range map[string]func(*events.CognitoEventUserPoolsPreSignup){
		"a sign-up with a password": func(event *events.CognitoEventUserPoolsPreSignup) {
			event.TriggerSource = "PreSignUp_SignUp"
		},
		"an invitation": func(event *events.CognitoEventUserPoolsPreSignup) {
			event.TriggerSource = "PreSignUp_AdminCreateUser"
		},
		"another provider": func(event *events.CognitoEventUserPoolsPreSignup) {
			event.UserName = "facebook_1234"
		},
		"an unverified address": func(event *events.CognitoEventUserPoolsPreSignup) {
			event.Request.UserAttributes["email_verified"] = "false"
		},
		"an address that is not Google's": func(event *events.CognitoEventUserPoolsPreSignup) {
			delete(event.Request.UserAttributes, "custom:hd")
		},
		"an address with a quote": func(event *events.CognitoEventUserPoolsPreSignup) {
			event.Request.UserAttributes["email"] = `"a"@b.c`
		},
		"no attributes": func(event *events.CognitoEventUserPoolsPreSignup) {
			event.Request.UserAttributes = nil
		},
	} {
		event := byGoogle()
		change(&event)
		if _, err := h.Handle(t.Context(), event); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHandler_Handle_leaves_time_for_the_response(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	h := &handler{logger: slog.New(slog.DiscardHandler), users: fakeUsers{
		list: func(
			ctx context.Context, _ *cognitoidentityprovider.ListUsersInput,
		) (*cognitoidentityprovider.ListUsersOutput, error) {
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left > 4*time.Second || left < 3*time.Second {
				t.Errorf("%s are left (%t), want 4s", left, ok)
			}
			return nil, context.DeadlineExceeded
		},
	}}
	if _, err := h.Handle(ctx, byGoogle()); !errors.Is(err, errUnavailable) {
		t.Errorf("error %v, want %v", err, errUnavailable)
	}
}

// FuzzHandler_Handle checks that an identity is linked only by a trusted provider that has verified
// a plain address and is authoritative for it, and only to a user without a second factor.
func FuzzHandler_Handle(f *testing.F) {
	f.Add("PreSignUp_ExternalProvider", "google_1", "ada@example.com", "true", "example.com", "")
	f.Add("PreSignUp_ExternalProvider", "google_1", "ada@example.com", "true", "attacker.example",
		"")
	f.Add("PreSignUp_ExternalProvider", "signinwithapple_1", "ada@icloud.com", "true", "",
		"SOFTWARE_TOKEN_MFA")
	f.Add("PreSignUp_SignUp", "google_1", "ada@example.com", "true", "example.com", "")
	f.Add("PreSignUp_ExternalProvider", "facebook_1", `ada" or sub ^= "`, "TRUE", "", "")
	f.Fuzz(func(t *testing.T, source, userName, email, verified, hostedDomain, factor string) {
		linked := false
		h := &handler{logger: slog.New(slog.DiscardHandler), users: fakeUsers{
			list: func(
				_ context.Context, input *cognitoidentityprovider.ListUsersInput,
			) (*cognitoidentityprovider.ListUsersOutput, error) {
				if *input.Filter != `email = "`+email+`"` {
					t.Errorf("filter %s", *input.Filter)
				}
				user := listed("other", types.UserStatusTypeConfirmed)
				user.Attributes[1].Value = &email
				return &cognitoidentityprovider.ListUsersOutput{Users: []types.UserType{user}}, nil
			},
			get: func(
				*cognitoidentityprovider.AdminGetUserInput,
			) (*cognitoidentityprovider.AdminGetUserOutput, error) {
				return &cognitoidentityprovider.AdminGetUserOutput{PreferredMfaSetting: &factor},
					nil
			},
			link: func(*cognitoidentityprovider.AdminLinkProviderForUserInput) error {
				linked = true
				return nil
			},
		}}
		event := byGoogle()
		event.TriggerSource, event.UserName = source, userName
		event.Request.UserAttributes = map[string]string{
			"email": email, "email_verified": verified, "custom:hd": hostedDomain,
		}
		_, err := h.Handle(t.Context(), event)
		if err != nil && (factor == "" || !errors.Is(err, signin.ErrSecondFactor)) {
			t.Errorf("error %v", err)
		}
		identity, trusted := signin.ParseUserName(userName)
		if linked && (source != "PreSignUp_ExternalProvider" || verified != "true" ||
			factor != "" || !trusted || !identity.Authoritative(email, hostedDomain)) {
			t.Errorf("%q, of %q (%q) at %q, was linked by %q to a user with the factor %q",
				userName, email, verified, hostedDomain, source, factor)
		}
	})
}
