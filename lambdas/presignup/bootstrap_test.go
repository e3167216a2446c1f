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
	"github.com/ashlar-cdk/ashlar/lambdas/presignup/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const (
	pool = "eu-central-1_AbCdEfGhI" // of the events

	// timeout is the function's timeout when deployed, and how long Cognito waits.
	timeout = 5 * time.Second

	// shortTimeout replaces it where the test has to wait for it.
	shortTimeout = 2 * time.Second

	googleIdentity = "Google_104657891234567890123"
	appleIdentity  = "SignInWithApple_000123.0123456789abcdef0123456789abcdef.0456"
)

// ada returns a user who has signed up and confirmed her address, changed by the test.
func ada(change func(*awstest.CognitoUser)) awstest.CognitoUser {
	const name = "00000000-0000-4000-8000-00000000aaaa"
	user := awstest.CognitoUser{Username: name, Status: "CONFIRMED"}
	user.Attributes = map[string]string{
		"sub": name, "email": "ada@example.com", "email_verified": "true",
	}
	if change != nil {
		change(&user)
	}
	return user
}

// adaAtApple returns another user, who has her address from Apple.
func adaAtApple() awstest.CognitoUser {
	return ada(func(user *awstest.CognitoUser) {
		user.Username = "00000000-0000-4000-8000-00000000bbbb"
		user.Attributes["sub"], user.Attributes["email"] = user.Username, "ada@icloud.com"
	})
}

// by returns a user of a provider that has verified her address.
func by(name string) awstest.CognitoUser {
	return ada(func(user *awstest.CognitoUser) {
		user.Username, user.Status = name, "EXTERNAL_PROVIDER"
	})
}

// TestBootstrap invokes the built function with Cognito's events, against a fake user pool.
func TestBootstrap(t *testing.T) {
	cognito := awstest.StartCognito(t, pool)
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package),
		map[string]string{"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": cognito.URL})
	google, apple, signUp := read(t, "google.json"), read(t, "apple.json"), read(t, "signup.json")

	// sendWithin checks that the function returns its event unchanged or, with a refusal, this
	// error.
	sendWithin := func(t *testing.T, timeout time.Duration, event []byte, refusal string) {
		t.Helper()
		response, err := fn.Invoke(t.Context(), event, timeout)
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
		err = errors.Join(json.Unmarshal(event, &sent), json.Unmarshal(response, &got))
		if err != nil {
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

	t.Run("a new user is not linked", func(t *testing.T) {
		cognito.SetUsers()
		send(t, google, "")
		linked(t, none)
	})
	t.Run("a sign-up with a password makes no calls", func(t *testing.T) {
		cognito.SetUsers(ada(nil))
		calls := len(cognito.Calls())
		send(t, signUp, "")
		linked(t, none)
		if now := len(cognito.Calls()); now != calls {
			t.Errorf("%d calls, want none", now-calls)
		}
	})
	t.Run("a user with a verified address is linked once per provider", func(t *testing.T) {
		cognito.SetUsers(ada(nil), adaAtApple())
		want := map[string]string{
			googleIdentity: ada(nil).Username, appleIdentity: adaAtApple().Username,
		}
		for range 2 { // Cognito retries when the response is late
			send(t, google, "")
			send(t, apple, "")
			linked(t, want)
		}
	})
	t.Run("a Gmail address is linked without an organization", func(t *testing.T) {
		cognito.SetUsers(
			ada(func(user *awstest.CognitoUser) { user.Attributes["email"] = "ada@gmail.com" }))
		send(t, changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) {
			event.Request.UserAttributes["email"] = "ada@gmail.com"
			delete(event.Request.UserAttributes, "custom:hd")
		}), "")
		linked(t, map[string]string{googleIdentity: ada(nil).Username})
	})
	t.Run("the user is found on a later page, ignoring case", func(t *testing.T) {
		cognito.SetUsers(
			ada(func(user *awstest.CognitoUser) {
				user.Username, user.Status = "squatter", "UNCONFIRMED"
				user.Attributes["email_verified"] = "false"
			}),
			ada(func(user *awstest.CognitoUser) {
				user.Username, user.Status = "facebook_1", "EXTERNAL_PROVIDER"
				user.Attributes["email_verified"] = "true"
			}),
			ada(func(user *awstest.CognitoUser) {
				user.Username, user.Attributes["email"] = "victim", "Ada@Example.com"
			}),
		)
		send(t, google, "")
		linked(t, map[string]string{googleIdentity: "victim"})
	})

	t.Run("an attacker is not linked to the victim", func(t *testing.T) {
		change := func(attribute, value string) []byte {
			return changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) {
				event.Request.UserAttributes[attribute] = value
			})
		}
		userName := func(name string) []byte {
			return changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) {
				event.UserName = name
			})
		}
		without := func(attribute string) []byte {
			return changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) {
				delete(event.Request.UserAttributes, attribute)
			})
		}
		for name, event := range map[string][]byte{
			"the provider has not verified the address": change("email_verified", "false"),
			"the provider has no email_verified":        without("email_verified"),
			"email_verified is not true":                change("email_verified", "yes"),
			"email_verified is in the metadata": changed(t, without("email_verified"),
				func(event *events.CognitoEventUserPoolsPreSignup) {
					event.Request.ClientMetadata = map[string]string{"email_verified": "true"}
				}),
			"there is no address":  without("email"),
			"the address is empty": change("email", ""),
			"the address ends the filter": change("email",
				`ada@example.com" or sub ^= "`),
			"the address escapes the filter's end": change("email", `ada@example.com\`),
			"the address looks like the victim's": change("email",
				"\u0430da@example.com"),
			"the address folds into the victim's": change("email",
				"ada@example.\u212aom"),
			"the address is the victim's and another": change("email",
				"ada@example.com,attacker@example.com"),
			"the provider is unknown": userName(
				"attacker_104657891234567890123"),
			"the provider's name has a known prefix": userName(
				"googlex_104657891234567890123"),
			"the user name has no provider": userName("104657891234567890123"),
			"the user name has no subject":  userName("google_"),
			"the user name is empty":        userName(""),
			"the event is a sign-up with a social user name": changed(t, signUp,
				func(event *events.CognitoEventUserPoolsPreSignup) { event.UserName = "google_1" }),
			"the event is an administrator's": changed(t, google,
				func(event *events.CognitoEventUserPoolsPreSignup) {
					event.TriggerSource = "PreSignUp_AdminCreateUser"
				}),
			"the address has the victim's as a prefix": change("email",
				"ada@example.com.attacker.example"),
			"the attacker formerly had the address":    without("custom:hd"),
			"the organization is empty":                change("custom:hd", ""),
			"the attacker has another organization":    change("custom:hd", "attacker.example"),
			"the organization's domain is a parent":    change("custom:hd", "com"),
			"the organization's domain is a subdomain": change("custom:hd", "mail.example.com"),
			"the organization's domain is a homoglyph": change("custom:hd", "\u0435xample.com"),
			"the organization is in the metadata": changed(t, without("custom:hd"),
				func(event *events.CognitoEventUserPoolsPreSignup) {
					event.Request.ClientMetadata = map[string]string{"custom:hd": "example.com"}
					event.Request.ValidationData = map[string]string{"custom:hd": "example.com"}
					event.Request.UserAttributes["hd"] = "example.com"
				}),
			"the attacker formerly had the address, at Apple": userName(
				"signinwithapple_000123.0456"),
			"a sign-up has an organization": changed(t, signUp,
				func(event *events.CognitoEventUserPoolsPreSignup) {
					event.UserName = "google_1"
					event.Request.UserAttributes["custom:hd"] = "example.com"
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
			"signed up by an attacker and never confirmed": ada(func(user *awstest.CognitoUser) {
				user.Status, user.Attributes["email_verified"] = "UNCONFIRMED", "false"
			}),
			"with an unverified address": ada(func(user *awstest.CognitoUser) {
				user.Attributes["email_verified"] = "false"
			}),
			"without email_verified": ada(func(user *awstest.CognitoUser) {
				delete(user.Attributes, "email_verified")
			}),
			"of a disabled attacker": ada(func(user *awstest.CognitoUser) {
				user.Disabled, user.Attributes["email_verified"] = true, "false"
			}),
			"with an address that another provider has not verified": ada(
				func(user *awstest.CognitoUser) {
					user.Username, user.Status = "signinwithapple_1", "EXTERNAL_PROVIDER"
					user.Attributes["email_verified"] = "false"
				}),
			"of a removed provider":                            by("facebook_1"),
			"of another provider":                              by("signinwithapple_1"),
			"who formerly had the address in the organization": by("google_1"),
		} {
			t.Run("the victim is not linked to a user: "+name, func(t *testing.T) {
				cognito.SetUsers(user)
				send(t, google, "")
				linked(t, none)
			})
		}
		t.Run("the victim has an Apple address that a Google user formerly had",
			func(t *testing.T) {
				attacker := adaAtApple()
				attacker.Username, attacker.Status = "google_1", "EXTERNAL_PROVIDER"
				attacker.Attributes["custom:hd"] = "icloud.com"
				cognito.SetUsers(attacker)
				send(t, apple, "")
				linked(t, none)
			})
		t.Run("a user has written an organization into the profile", func(t *testing.T) {
			cognito.SetUsers(ada(func(user *awstest.CognitoUser) {
				user.Attributes["custom:hd"] = "example.com"
			}))
			send(t, without("custom:hd"), "")
			linked(t, none)
		})
	})

	t.Run("a second factor cannot be bypassed", func(t *testing.T) {
		const refusal = "the account with this e-mail address has a second factor; sign in with " +
			"the password and the second factor"
		for name, protect := range map[string]func(*awstest.CognitoUser){
			"one": func(user *awstest.CognitoUser) {
				user.Factors = []string{"SOFTWARE_TOKEN_MFA"}
			},
			"one preferred": func(user *awstest.CognitoUser) {
				user.Preferred = "SOFTWARE_TOKEN_MFA"
			},
			"several": func(user *awstest.CognitoUser) {
				user.Factors = []string{"EMAIL_OTP", "SOFTWARE_TOKEN_MFA"}
				user.Preferred = "EMAIL_OTP"
			},
			"an unknown one": func(user *awstest.CognitoUser) {
				user.Factors = []string{"A_NEW_FACTOR"}
			},
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
		t.Run("another user's second factor is ignored", func(t *testing.T) {
			cognito.SetUsers(ada(nil), ada(func(user *awstest.CognitoUser) {
				user.Username, user.Status = "squatter", "UNCONFIRMED"
				user.Attributes["email_verified"] = "false"
				user.Factors = []string{"SOFTWARE_TOKEN_MFA"}
			}))
			send(t, google, "")
			linked(t, map[string]string{googleIdentity: ada(nil).Username})
		})
	})

	t.Run("a refusal has a remedy", func(t *testing.T) {
		for want, users := range map[string][]awstest.CognitoUser{
			"the account with this e-mail address is disabled; ask support to enable it": {
				ada(func(user *awstest.CognitoUser) { user.Disabled = true }),
			},
			"the account with this e-mail address needs a new password first; set it, sign in " +
				"with it, and try again": {
				ada(func(user *awstest.CognitoUser) { user.Status = "FORCE_CHANGE_PASSWORD" }),
			},
			"several accounts have this e-mail address; sign in the way you did before, or ask " +
				"support": {
				ada(nil), ada(func(user *awstest.CognitoUser) { user.Username = "other" }),
			},
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
			send(t, changed(t, google, func(event *events.CognitoEventUserPoolsPreSignup) {
				event.UserName = "google_" + subject
			}), "")
			want["Google_"+subject] = ada(nil).Username
		}
		send(t, google,
			"the account with this e-mail address cannot be linked with more sign-in methods; "+
				"sign in the way you did before")
		linked(t, want)
	})

	// A separate user is never linked later: while Cognito is unavailable, sign-up by a provider
	// must fail.
	const unavailable = "sign-in is temporarily unavailable; try again"
	t.Run("an identity that has signed in meanwhile is not linked", func(t *testing.T) {
		// The search would not find the identity's own user; here the identity is already another
		// user's, as after a race.
		cognito.SetUsers(ada(nil), ada(func(user *awstest.CognitoUser) {
			user.Username, user.Attributes = googleIdentity, nil
		}))
		send(t, google, unavailable)
		linked(t, none)
	})
	t.Run("no user is created while Cognito fails, and a retry links", func(t *testing.T) {
		for name, fault := range map[string]awstest.Fault{
			"throttles":   {Status: http.StatusBadRequest, Code: "TooManyRequestsException"},
			"fails":       {Status: http.StatusInternalServerError, Code: "InternalErrorException"},
			"denies":      {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
			"is silent":   {NoResponse: true},
			"has no user": {Status: http.StatusBadRequest, Code: "UserNotFoundException"},
			"has no pool": {Status: http.StatusBadRequest, Code: "ResourceNotFoundException"},
			"rejects":     {Status: http.StatusBadRequest, Code: "InvalidParameterException"},
		} {
			for _, action := range []string{
				"cognito-idp:ListUsers", "cognito-idp:AdminGetUser",
				"cognito-idp:AdminLinkProviderForUser",
			} {
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
	for _, secret := range []string{
		"ada@example.com", "ada@icloud.com", "ada@gmail.com", "Lovelace", "104657891234567890123",
		"000123.", "00000000-0000-4000-8000-00000000aaaa", "example-secret-access-key",
	} {
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

// changed returns the event after a change.
func changed(
	t *testing.T, content []byte, change func(*events.CognitoEventUserPoolsPreSignup),
) []byte {
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
