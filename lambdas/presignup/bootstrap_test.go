package main

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/lambdas/presignup/contract"
)

const (
	pool = "eu-central-1_AbCdEfGhI" // the events'

	// timeout is the function's own, as it is deployed, and how long Cognito waits.
	timeout = 5 * time.Second

	// shortTimeout is in its place where the test has to wait for it.
	shortTimeout = 2 * time.Second

	googleIdentity = "Google_104657891234567890123"
	appleIdentity  = "SignInWithApple_000123.0123456789abcdef0123456789abcdef.0456"
)

// ada is a user who has signed up and confirmed her address, changed by the test.
func ada(change func(*awstest.CognitoUser)) awstest.CognitoUser {
	user := awstest.CognitoUser{Username: "00000000-0000-4000-8000-00000000aaaa", Status: "CONFIRMED", Attributes: map[string]string{
		"sub": "00000000-0000-4000-8000-00000000aaaa", "email": "ada@example.com", "email_verified": "true",
	}}
	if change != nil {
		change(&user)
	}
	return user
}

// adaAtApple is another user, who has her address from Apple.
func adaAtApple() awstest.CognitoUser {
	return ada(func(user *awstest.CognitoUser) {
		user.Username, user.Attributes["email"] = "00000000-0000-4000-8000-00000000bbbb", "ada@icloud.com"
		user.Attributes["sub"] = user.Username
	})
}

// by is a user who came by a provider that has verified her address.
func by(name string) awstest.CognitoUser {
	return ada(func(user *awstest.CognitoUser) { user.Username, user.Status = name, "EXTERNAL_PROVIDER" })
}

// TestBootstrap drives the built function with Cognito's events, against a user pool.
func TestBootstrap(t *testing.T) {
	cognito := awstest.StartCognito(t, pool)
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), map[string]string{"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": cognito.URL})
	google, apple, signUp := read(t, "google.json"), read(t, "apple.json"), read(t, "signup.json")

	// sendWithin checks that Cognito gets its event back as it was or, with a refusal, this error.
	sendWithin := func(t *testing.T, timeout time.Duration, event []byte, refusal string) {
		t.Helper()
		answer, err := fn.Invoke(t.Context(), event, timeout)
		if refusal != "" {
			failure, ok := errors.AsType[*lambdatest.FunctionError](err)
			if !ok || failure.Message != refusal {
				t.Errorf("error %v, want %q", err, refusal)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, fn.Logs())
		}
		var sent, got events.CognitoEventUserPoolsPreSignup
		if err := errors.Join(json.Unmarshal(event, &sent), json.Unmarshal(answer, &got)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Errorf("event (-sent +got):\n%s", diff)
		}
	}
	send := func(t *testing.T, event []byte, refusal string) {
		t.Helper()
		sendWithin(t, timeout, event, refusal)
	}
	linked := func(t *testing.T, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, cognito.Links()); diff != "" {
			t.Errorf("links (-want +got):\n%s\n%s", diff, fn.Logs())
		}
	}
	none := map[string]string{}

	t.Run("who has no user yet becomes a new one", func(t *testing.T) {
		cognito.SetUsers()
		send(t, google, "")
		linked(t, none)
	})
	t.Run("who signs up with a password is let through without a call", func(t *testing.T) {
		cognito.SetUsers(ada(nil))
		calls := len(cognito.Calls())
		send(t, signUp, "")
		linked(t, none)
		if now := len(cognito.Calls()); now != calls {
			t.Errorf("%d calls, want none", now-calls)
		}
	})
	t.Run("who has verified the address is linked, by each provider and once", func(t *testing.T) {
		cognito.SetUsers(ada(nil), adaAtApple())
		want := map[string]string{googleIdentity: ada(nil).Username, appleIdentity: adaAtApple().Username}
		for range 2 { // Cognito calls again when the first answer comes late
			send(t, google, "")
			send(t, apple, "")
			linked(t, want)
		}
	})
	t.Run("who has an address of Gmail's is linked without an organisation", func(t *testing.T) {
		cognito.SetUsers(ada(func(user *awstest.CognitoUser) { user.Attributes["email"] = "ada@gmail.com" }))
		send(t, changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) {
			event.Request.UserAttributes["email"] = "ada@gmail.com"
			delete(event.Request.UserAttributes, "custom:hd")
		}), "")
		linked(t, map[string]string{googleIdentity: ada(nil).Username})
	})
	t.Run("the right user is found on a later page, whatever the case", func(t *testing.T) {
		cognito.SetUsers(
			ada(func(user *awstest.CognitoUser) {
				user.Username, user.Status, user.Attributes["email_verified"] = "squatter", "UNCONFIRMED", "false"
			}),
			ada(func(user *awstest.CognitoUser) {
				user.Username, user.Status, user.Attributes["email_verified"] = "facebook_1", "EXTERNAL_PROVIDER", "true"
			}),
			ada(func(user *awstest.CognitoUser) { user.Username, user.Attributes["email"] = "victim", "Ada@Example.com" }),
		)
		send(t, google, "")
		linked(t, map[string]string{googleIdentity: "victim"})
	})

	t.Run("nobody gets into another's account", func(t *testing.T) {
		change := func(attribute, value string) []byte {
			return changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) { event.Request.UserAttributes[attribute] = value })
		}
		userName := func(name string) []byte {
			return changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) { event.UserName = name })
		}
		without := func(attribute string) []byte {
			return changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) { delete(event.Request.UserAttributes, attribute) })
		}
		for name, event := range map[string][]byte{
			"the provider has not verified the address": change("email_verified", "false"),
			"the provider says nothing of it":           without("email_verified"),
			"it says something else":                    change("email_verified", "yes"),
			"the attacker says so in the metadata": changed(t, without("email_verified"), func(event *events.CognitoEventUserPoolsPreSignup) {
				event.Request.ClientMetadata = map[string]string{"email_verified": "true"}
			}),
			"there is no address":                           without("email"),
			"the address is empty":                          change("email", ""),
			"the address ends the filter":                   change("email", `ada@example.com" or sub ^= "`),
			"the address escapes the filter's end":          change("email", `ada@example.com\`),
			"the address looks like the victim's":           change("email", "\u0430da@example.com"),
			"the address folds into the victim's":           change("email", "ada@example.\u212aom"),
			"the address has the victim's and another":      change("email", "ada@example.com,attacker@example.com"),
			"the provider is none of ours":                  userName("attacker_104657891234567890123"),
			"the provider's name starts like one of ours":   userName("googlex_104657891234567890123"),
			"the user name has no provider":                 userName("104657891234567890123"),
			"the user name has no subject":                  userName("google_"),
			"the user name is empty":                        userName(""),
			"the event is another one with a social name":   changed(t, signUp, func(event *events.CognitoEventUserPoolsPreSignup) { event.UserName = "google_1" }),
			"the event is an administrator's":               changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) { event.TriggerSource = "PreSignUp_AdminCreateUser" }),
			"the attacker's own, with the victim in a name": change("email", "ada@example.com.attacker.example"),
			"the attacker had the address once":             without("custom:hd"),
			"the organisation is empty":                     change("custom:hd", ""),
			"the attacker has another organisation":         change("custom:hd", "attacker.example"),
			"the organisation's domain is above":            change("custom:hd", "com"),
			"the organisation's domain is below":            change("custom:hd", "mail.example.com"),
			"the organisation's domain looks like it":       change("custom:hd", "\u0435xample.com"),
			"the organisation is the attacker's word": changed(t, without("custom:hd"), func(event *events.CognitoEventUserPoolsPreSignup) {
				event.Request.ClientMetadata = map[string]string{"custom:hd": "example.com"}
				event.Request.ValidationData = map[string]string{"custom:hd": "example.com"}
				event.Request.UserAttributes["hd"] = "example.com"
			}),
			"the attacker had the address once, at Apple": userName("signinwithapple_000123.0456"),
			"a sign-up has an organisation": changed(t, signUp, func(event *events.CognitoEventUserPoolsPreSignup) {
				event.UserName, event.Request.UserAttributes["custom:hd"] = "google_1", "example.com"
				event.Request.UserAttributes["email_verified"] = "true"
			}),
		} {
			t.Run(name, func(t *testing.T) {
				cognito.SetUsers(ada(nil))
				send(t, event, "")
				linked(t, none)
			})
		}
		for name, user := range map[string]awstest.CognitoUser{
			"it was signed up by an attacker and never confirmed": ada(func(user *awstest.CognitoUser) {
				user.Status, user.Attributes["email_verified"] = "UNCONFIRMED", "false"
			}),
			"its address was never verified":      ada(func(user *awstest.CognitoUser) { user.Attributes["email_verified"] = "false" }),
			"nothing is known of its address":     ada(func(user *awstest.CognitoUser) { delete(user.Attributes, "email_verified") }),
			"it is an attacker's who is disabled": ada(func(user *awstest.CognitoUser) { user.Disabled, user.Attributes["email_verified"] = true, "false" }),
			"another provider has not verified it": ada(func(user *awstest.CognitoUser) {
				user.Username, user.Status, user.Attributes["email_verified"] = "signinwithapple_1", "EXTERNAL_PROVIDER", "false"
			}),
			"it came by a provider that is no more":  by("facebook_1"),
			"it came by another provider":            by("signinwithapple_1"),
			"it had the address in the organisation": by("google_1"),
		} {
			t.Run("the victim is not linked to a user: "+name, func(t *testing.T) {
				cognito.SetUsers(user)
				send(t, google, "")
				linked(t, none)
			})
		}
		t.Run("the victim's address is Apple's, and the attacker, who had it once, came by Google", func(t *testing.T) {
			attacker := adaAtApple()
			attacker.Username, attacker.Status, attacker.Attributes["custom:hd"] = "google_1", "EXTERNAL_PROVIDER", "icloud.com"
			cognito.SetUsers(attacker)
			send(t, apple, "")
			linked(t, none)
		})
		t.Run("a user has written an organisation into the profile", func(t *testing.T) {
			cognito.SetUsers(ada(func(user *awstest.CognitoUser) { user.Attributes["custom:hd"] = "example.com" }))
			send(t, without("custom:hd"), "")
			linked(t, none)
		})
	})

	t.Run("nobody gets around a second factor", func(t *testing.T) {
		const refusal = "the account with this e-mail address has a second factor; sign in with the password and the second factor"
		for name, protect := range map[string]func(*awstest.CognitoUser){
			"one":           func(user *awstest.CognitoUser) { user.Factors = []string{"SOFTWARE_TOKEN_MFA"} },
			"one preferred": func(user *awstest.CognitoUser) { user.Preferred = "SOFTWARE_TOKEN_MFA" },
			"several": func(user *awstest.CognitoUser) {
				user.Factors, user.Preferred = []string{"EMAIL_OTP", "SOFTWARE_TOKEN_MFA"}, "EMAIL_OTP"
			},
			"one that we do not know": func(user *awstest.CognitoUser) { user.Factors = []string{"A_NEW_FACTOR"} },
		} {
			t.Run(name, func(t *testing.T) {
				atApple := adaAtApple()
				protect(&atApple)
				cognito.SetUsers(ada(protect), atApple)
				send(t, google, refusal)
				send(t, apple, refusal)
				linked(t, none)
			})
		}
		t.Run("another's does not matter", func(t *testing.T) {
			cognito.SetUsers(ada(nil), ada(func(user *awstest.CognitoUser) {
				user.Username, user.Status, user.Attributes["email_verified"] = "squatter", "UNCONFIRMED", "false"
				user.Factors = []string{"SOFTWARE_TOKEN_MFA"}
			}))
			send(t, google, "")
			linked(t, map[string]string{googleIdentity: ada(nil).Username})
		})
	})

	t.Run("a refusal says what to do", func(t *testing.T) {
		for want, users := range map[string][]awstest.CognitoUser{
			"the account with this e-mail address is disabled; ask support to enable it":                              {ada(func(user *awstest.CognitoUser) { user.Disabled = true })},
			"the account with this e-mail address needs a new password first; set it, sign in with it, and try again": {ada(func(user *awstest.CognitoUser) { user.Status = "FORCE_CHANGE_PASSWORD" })},
			"several accounts have this e-mail address; sign in the way you did before, or ask support":               {ada(nil), ada(func(user *awstest.CognitoUser) { user.Username = "other" })},
		} {
			cognito.SetUsers(users...)
			send(t, google, want)
			linked(t, none)
		}
	})
	t.Run("a sixth sign-in is refused", func(t *testing.T) {
		cognito.SetUsers(ada(nil))
		want := map[string]string{}
		for _, subject := range []string{"1", "2", "3", "4", "5"} {
			send(t, changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) { event.UserName = "google_" + subject }), "")
			want["Google_"+subject] = ada(nil).Username
		}
		send(t, google, "the account with this e-mail address cannot be linked with more sign-ins; sign in the way you did before")
		linked(t, want)
	})

	// A separate user, once made, is never linked: until Cognito has answered, nobody signs up by a provider.
	const unavailable = "sign-in is unavailable for the moment; try again"
	t.Run("an identity that has signed in since is not linked", func(t *testing.T) {
		// Found under its own name it would be nobody; this one is another user's already, as after a race.
		cognito.SetUsers(ada(nil), ada(func(user *awstest.CognitoUser) { user.Username, user.Attributes = googleIdentity, nil }))
		send(t, google, unavailable)
		linked(t, none)
	})
	t.Run("while Cognito fails nobody is signed up twice, and afterwards all is well", func(t *testing.T) {
		for name, fault := range map[string]awstest.Fault{
			"throttles":     {Status: http.StatusBadRequest, Code: "TooManyRequestsException"},
			"fails":         {Status: http.StatusInternalServerError, Code: "InternalErrorException"},
			"denies":        {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
			"is silent":     {Silent: true},
			"knows nobody":  {Status: http.StatusBadRequest, Code: "UserNotFoundException"},
			"knows no such": {Status: http.StatusBadRequest, Code: "ResourceNotFoundException"},
			"objects":       {Status: http.StatusBadRequest, Code: "InvalidParameterException"},
		} {
			for _, action := range []string{"cognito-idp:ListUsers", "cognito-idp:AdminGetUser", "cognito-idp:AdminLinkProviderForUser"} {
				t.Run(name+" in "+action, func(t *testing.T) {
					cognito.SetUsers(ada(nil))
					fault.Action = action
					cognito.SetFault(fault)
					sendWithin(t, shortTimeout, google, unavailable)
					linked(t, none)
					cognito.SetFault(awstest.Fault{})
					send(t, google, "")
					linked(t, map[string]string{googleIdentity: ada(nil).Username})
				})
			}
		}
	})

	if processes := fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, fn.Logs())
	}
	for _, secret := range []string{"ada@example.com", "ada@icloud.com", "ada@gmail.com", "Lovelace", "104657891234567890123", "000123.", "00000000-0000-4000-8000-00000000aaaa", "example-secret-access-key"} {
		if strings.Contains(fn.Logs(), secret) {
			t.Errorf("the log has %q:\n%s", secret, fn.Logs())
		}
	}
	for line := range strings.Lines(fn.Logs()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
	awstest.CheckActions(t, "calls.txt", cognito.Calls())
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// changed is the event after a change.
func changed(t *testing.T, content []byte, change func(*events.CognitoEventUserPoolsPreSignup)) []byte {
	t.Helper()
	var event events.CognitoEventUserPoolsPreSignup
	if err := json.Unmarshal(content, &event); err != nil {
		t.Fatal(err)
	}
	event.Request.UserAttributes = maps.Clone(event.Request.UserAttributes)
	change(&event)
	content, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
