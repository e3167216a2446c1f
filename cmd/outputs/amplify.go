package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ashlar-cdk/ashlar/environments"
)

// outputs is the content of amplify_outputs.json, in Amplify's schema as far as it applies.
// Versions from 1.4 on differ only in features that we do not use.
type outputs struct {
	Version string             `json:"version"`
	Auth    auth               `json:"auth"`
	Storage storage            `json:"storage"`
	RESTAPI map[string]restAPI `json:"rest_api"` // by name; only Amplify for Flutter reads it
	Custom  custom             `json:"custom"`
}

type auth struct {
	Region                           string         `json:"aws_region"`
	UserPoolID                       string         `json:"user_pool_id"`
	UserPoolClientID                 string         `json:"user_pool_client_id"`
	IdentityPoolID                   string         `json:"identity_pool_id"`
	OAuth                            oauth          `json:"oauth"`
	UsernameAttributes               []string       `json:"username_attributes"`
	StandardRequiredAttributes       []string       `json:"standard_required_attributes"`
	UserVerificationTypes            []string       `json:"user_verification_types"`
	UnauthenticatedIdentitiesEnabled bool           `json:"unauthenticated_identities_enabled"`
	MFAConfiguration                 string         `json:"mfa_configuration"`
	MFAMethods                       []string       `json:"mfa_methods"`
	PasswordPolicy                   passwordPolicy `json:"password_policy"`
}

type oauth struct {
	IdentityProviders  []string `json:"identity_providers"` // besides the user pool
	Domain             string   `json:"domain"`
	Scopes             []string `json:"scopes"`
	RedirectSignInURI  []string `json:"redirect_sign_in_uri"`
	RedirectSignOutURI []string `json:"redirect_sign_out_uri"`
	ResponseType       string   `json:"response_type"`
}

type passwordPolicy struct {
	MinLength        int  `json:"min_length"`
	RequireNumbers   bool `json:"require_numbers"`
	RequireLowercase bool `json:"require_lowercase"`
	RequireUppercase bool `json:"require_uppercase"`
	RequireSymbols   bool `json:"require_symbols"`
}

type storage struct {
	Region     string `json:"aws_region"`
	BucketName string `json:"bucket_name"`
}

// A restAPI is a REST API in the form of Amplify for Flutter.
type restAPI struct {
	Region            string `json:"aws_region"`
	URL               string `json:"url"`
	AuthorizationType string `json:"authorization_type"`
}

// custom holds configuration that an app passes to Amplify for JavaScript itself: API: { REST:
// outputs.custom.API }.
type custom struct {
	API map[string]customAPI `json:"API"` // by name
}

type customAPI struct {
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	APIName  string `json:"apiName"`
}

// apiName is the API's name in the code of clients.
const apiName = "Ashlar"

// identityProviders returns the environment's identity providers, besides the user pool.
func identityProviders(environment environments.Environment) []string {
	providers := []string{}
	if environment.GoogleClientID != "" {
		providers = append(providers, "GOOGLE")
	}
	if environment.AppleServicesID != "" {
		providers = append(providers, "SIGN_IN_WITH_APPLE")
	}
	return providers
}

// A client is one of the two app clients of the user pool.
type client struct {
	idParameter              string
	callbackURLs, logoutURLs []string
}

func clientOf(environment environments.Environment, kind string) (client, error) {
	switch kind {
	case "web":
		return client{
			idParameter:  "WebClientId",
			callbackURLs: environment.WebCallbackURLs,
			logoutURLs:   environment.WebLogoutURLs,
		}, nil
	case "mobile":
		return client{
			idParameter:  "MobileClientId",
			callbackURLs: environment.MobileCallbackURLs,
			logoutURLs:   environment.MobileLogoutURLs,
		}, nil
	default:
		return client{}, fmt.Errorf("client %q, want web or mobile", kind)
	}
}

// newOutputs returns the outputs for client, from the parameters of a deployment in region. Values
// without a parameter are the same in every environment; test/outputs_test.go compares them with
// the templates.
func newOutputs(
	region string, environment environments.Environment,
	client client, parameters map[string]string,
) (outputs, error) {
	var missing []error
	parameter := func(name string) string {
		value, ok := parameters[name]
		if !ok {
			missing = append(missing, fmt.Errorf(
				"there is no parameter %s/%s: the deployment is older than this code; run make "+
					"deploy ENV=%s",
				environments.ParameterPath(environment.Name), name, environment.Name))
		}
		return value
	}
	// Both libraries append a path that begins with a slash.
	endpoint := strings.TrimSuffix(parameter("APIEndpoint"), "/")
	result := outputs{
		Version: "1.4",
		Auth: auth{
			Region:           region,
			UserPoolID:       parameter("UserPoolId"),
			UserPoolClientID: parameter(client.idParameter),
			IdentityPoolID:   parameter("IdentityPoolId"),
			OAuth: oauth{
				IdentityProviders:  identityProviders(environment),
				Domain:             strings.TrimPrefix(parameter("SignInURL"), "https://"),
				Scopes:             []string{"openid", "email", "profile"},
				RedirectSignInURI:  client.callbackURLs,
				RedirectSignOutURI: client.logoutURLs,
				ResponseType:       "code",
			},
			UsernameAttributes:               []string{"email"},
			StandardRequiredAttributes:       []string{"email"},
			UserVerificationTypes:            []string{"email"},
			UnauthenticatedIdentitiesEnabled: false, // explicit: Flutter's default is true
			MFAConfiguration:                 "OPTIONAL",
			MFAMethods:                       []string{"TOTP"},
			PasswordPolicy:                   passwordPolicy{MinLength: 12},
		},
		Storage: storage{Region: region, BucketName: parameter("MediaBucket")},
		// With any other type, Amplify would send the access token, and reject calls without one.
		// The API needs the ID token, which the app puts into the header itself.
		RESTAPI: map[string]restAPI{
			apiName: {Region: region, URL: endpoint, AuthorizationType: "NONE"},
		},
		Custom: custom{API: map[string]customAPI{
			apiName: {Endpoint: endpoint, Region: region, APIName: apiName},
		}},
	}
	return result, errors.Join(missing...)
}
