package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ashlar-cdk/ashlar/environments"
)

// outputs is what amplify_outputs.json says of a deployment: Amplify's schema, as far as there is something to say.
// Its versions from 1.4 on differ in what we have not.
type outputs struct {
	Version string             `json:"version"`
	Auth    auth               `json:"auth"`
	Storage storage            `json:"storage"`
	RESTAPI map[string]restAPI `json:"rest_api"` // by name; not in the schema, but where Amplify for Flutter looks
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
	IdentityProviders  []string `json:"identity_providers"` // besides the user pool itself
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

// A restAPI is how Amplify for Flutter is told of a REST API.
type restAPI struct {
	Region            string `json:"aws_region"`
	URL               string `json:"url"`
	AuthorizationType string `json:"authorization_type"`
}

// custom holds what an app hands to Amplify for JavaScript itself: API: { REST: outputs.custom.API }.
type custom struct {
	API map[string]customAPI `json:"API"` // by name
}

type customAPI struct {
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	APIName  string `json:"apiName"`
}

// apiName is what the API is called in a client's code.
const apiName = "Ashlar"

// identityProviders are those that the environment has, besides the user pool itself.
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

// A client is one of the two that sign users in.
type client struct {
	idParameter              string
	callbackURLs, logoutURLs []string
}

func clientOf(environment environments.Environment, kind string) (client, error) {
	switch kind {
	case "web":
		return client{idParameter: "WebClientId", callbackURLs: environment.WebCallbackURLs, logoutURLs: environment.WebLogoutURLs}, nil
	case "mobile":
		return client{idParameter: "MobileClientId", callbackURLs: environment.MobileCallbackURLs, logoutURLs: environment.MobileLogoutURLs}, nil
	default:
		return client{}, fmt.Errorf("client %q, want web or mobile", kind)
	}
}

// newOutputs tells client of the deployment that left parameters in region. What is no parameter is the same in every
// environment, and test/outputs_test.go holds it against the templates.
func newOutputs(region string, environment environments.Environment, client client, parameters map[string]string) (outputs, error) {
	var missing []error
	parameter := func(name string) string {
		value, ok := parameters[name]
		if !ok {
			missing = append(missing, fmt.Errorf("there is no parameter %s/%s: what is deployed is older than this code; make deploy ENV=%s",
				environments.ParameterPath(environment.Name), name, environment.Name))
		}
		return value
	}
	// Both libraries put a path that begins with a slash behind it.
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
			UnauthenticatedIdentitiesEnabled: false, // said, because Flutter takes true for granted
			MFAConfiguration:                 "OPTIONAL",
			MFAMethods:                       []string{"TOTP"},
			PasswordPolicy:                   passwordPolicy{MinLength: 12},
		},
		Storage: storage{Region: region, BucketName: parameter("MediaBucket")},
		// With any other type, Amplify would send the access token, and refuse what may be called without one. The API
		// wants the ID token, which the app puts into the header itself.
		RESTAPI: map[string]restAPI{apiName: {Region: region, URL: endpoint, AuthorizationType: "NONE"}},
		Custom:  custom{API: map[string]customAPI{apiName: {Endpoint: endpoint, Region: region, APIName: apiName}}},
	}
	return result, errors.Join(missing...)
}
