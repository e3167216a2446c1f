package test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func TestEveryOutputIsAParameterOfTheSameValue(t *testing.T) {
	for _, environment := range environments.All() {
		stacks := map[string]string{} // by parameter: names are unique across stacks
		for name, stack := range platforms[environment.Name] {
			declared := map[string]any{}
			for _, parameter := range stack.Template.OfType("AWS::SSM::Parameter") {
				want(t, parameter, "String", "Type")
				full, _ := parameter.At("Name").(string)
				if other, ok := stacks[full]; ok {
					t.Errorf("%s and %s both declare %s", other, name, full)
				}
				stacks[full] = name
				if path.Dir(full) == environments.DeadLetterQueuesPath(environment.Name) {
					continue // only for make redrive
				}
				if path.Dir(full) != "/ashlar/"+environment.Name {
					t.Errorf("%s/%s: %s, want a parameter of /ashlar/%s", environment.Name, name,
						full, environment.Name)
				}
				declared[path.Base(full)] = []any{
					parameter.At("Value"), parameter.At("Description"),
				}
			}
			shown := map[string]any{}
			for id, output := range stack.Template.Outputs {
				if output["Export"] == nil { // exports are internal to the stacks
					shown[id] = []any{output["Value"], output["Description"]}
				}
			}
			if diff := cmp.Diff(shown, declared); diff != "" {
				t.Errorf("%s/%s: -outputs +parameters:\n%s", environment.Name, name, diff)
			}
		}
	}
}

// deployed contains the values of the parameters after a deployment.
var deployed = map[string]string{
	"APIEndpoint":     "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1/",
	"AthenaWorkGroup": "ashlar-dev",
	"IdentityPoolId":  "eu-central-1:00000000-0000-4000-8000-000000000001",
	"IngestionBucket": "telemetry-ingestion",
	"MailDNSRecord1":  "abc._domainkey.example.com CNAME abc.dkim.amazonses.com",
	"MailDNSRecord2":  "def._domainkey.example.com CNAME def.dkim.amazonses.com",
	"MailDNSRecord3":  "ghi._domainkey.example.com CNAME ghi.dkim.amazonses.com",
	"MediaBucket":     "media-originals",
	"MediaURL":        "https://d111111abcdef8.cloudfront.net",
	"MobileClientId":  "mobileclient",
	"TelemetryStream": "telemetry-stream",
	"ReadingsTopic":   "ashlar/dev/{thing}/readings",
	"ReportsBucket":   "telemetry-reports",
	"SignInURL":       "https://ashlar.auth.eu-central-1.amazoncognito.com",
	"ThingPolicy":     "telemetry-thing-policy",
	"ThingType":       "telemetry-thing-type",
	"UserPoolId":      "eu-central-1_AbCdEfGhI",
	"WebClientId":     "webclient",
	"WebsiteDomain":   "d111111abcdef8.cloudfront.net",
	"WebsiteURL":      "https://app.example.com",
}

// deploy returns an emulator of Parameter Store with the parameters of every environment's
// templates.
func deploy(t *testing.T) *awstest.SSM {
	t.Helper()
	store := awstest.StartSSM(t)
	forEachStack(t, func(_ *testing.T, stack assembly.Stack) {
		for _, parameter := range stack.Template.OfType("AWS::SSM::Parameter") {
			name := parameter.At("Name").(string)
			store.PutParameter(name, deployed[path.Base(name)])
		}
	})
	return store
}

// outputs builds the command and returns its path.
func outputs(t *testing.T) string {
	t.Helper()
	// The command go test caches a result until a file that the test itself read changes. It does
	// not track the files that the compiler reads.
	sources, err := filepath.Glob("../cmd/outputs/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("%d source files (%v)", len(sources), err)
	}
	for _, source := range append(sources, "../cmd/internal/deployment/deployment.go") {
		if _, err := os.ReadFile(source); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "outputs")
	command := exec.Command("go", "build", "-buildvcs=false", "-o", name,
		"github.com/ashlar-cdk/ashlar/cmd/outputs")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return name
}

// shellVariables returns environment variables that direct AWS calls to the emulator only.
func shellVariables(t *testing.T, store *awstest.SSM) map[string]string {
	t.Helper()
	return map[string]string{
		"HOME":                      t.TempDir(),
		"AWS_ENDPOINT_URL_SSM":      store.URL,
		"AWS_REGION":                "eu-central-1",
		"AWS_ACCESS_KEY_ID":         "ASIAEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":     "example-secret-access-key",
		"AWS_EC2_METADATA_DISABLED": "true",
	}
}

// run runs a command in a folder and returns its output and exit code.
func run(
	t *testing.T, dir string, variables map[string]string, name string, arguments ...string,
) (output string, code int) {
	t.Helper()
	command := exec.Command(name, arguments...)
	command.Dir = dir
	command.Env = []string{}
	for name, value := range variables {
		command.Env = append(command.Env, name+"="+value)
	}
	combined, err := command.CombinedOutput()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(combined), failed.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(combined), 0
}

// TestAmplifyOutputsMatchTheTemplates runs the command with the parameters of the templates.
func TestAmplifyOutputsMatchTheTemplates(t *testing.T) {
	command, store := outputs(t), deploy(t)
	forEachEnvironment(t, "Identity",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			for kind, id := range map[string]string{
				"web": "WebClientId", "mobile": "MobileClientId",
			} {
				t.Run(kind, func(t *testing.T) {
					dir, variables := t.TempDir(), shellVariables(t, store)
					region := environment.Region
					if variables["AWS_REGION"] = "eu-west-1"; region == "" {
						region = "eu-west-1" // overrides the shell's region
					}
					output, code := run(t, dir, variables, command, "-client", kind,
						environment.Name)
					if code != 0 {
						t.Fatalf("exit code %d\n%s", code, output)
					}
					content, err := os.ReadFile(filepath.Join(dir, "amplify_outputs.json"))
					if err != nil {
						t.Fatal(err)
					}
					var got any
					if err := json.Unmarshal(content, &got); err != nil {
						t.Fatal(err)
					}
					// Without a slash: paths begin with one.
					const endpoint = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1"
					want := map[string]any{
						"version": "1.4",
						"auth":    amplifyAuth(t, stack, region, id),
						"storage": map[string]any{
							"aws_region": region, "bucket_name": deployed["MediaBucket"],
						},
						"rest_api": map[string]any{"Ashlar": map[string]any{
							"aws_region": region, "url": endpoint, "authorization_type": "NONE",
						}},
						"custom": map[string]any{"API": map[string]any{"Ashlar": map[string]any{
							"apiName": "Ashlar", "endpoint": endpoint, "region": region,
						}}},
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("-templates +amplify_outputs.json:\n%s", diff)
					}
				})
			}
		})
	for _, call := range store.Calls() {
		if call.Action != "ssm:GetParametersByPath" {
			t.Errorf("the command called %s, which its usage does not list", call.Action)
		}
	}
}

// amplifyAuth returns the sign-in settings of the templates in Amplify's terms. id is the output
// that names the client.
func amplifyAuth(t *testing.T, stack assembly.Stack, region, id string) map[string]any {
	t.Helper()
	pool := only(t, stack, "AWS::Cognito::UserPool", "")
	client := stack.Template.Resources[assembly.Refers(stack.Template.Outputs[id]["Value"])]
	translated := func(values any, words map[any]string) []any {
		found := []any{}
		for _, value := range oneOrMore(values) {
			if provider, ok := stack.Template.Resources[assembly.Refers(value)]; ok {
				value = provider.At("ProviderName")
			}
			word, ok := words[value]
			if !ok {
				t.Errorf("%s has no translation to Amplify's terms", text(value))
			}
			if word != "" {
				found = append(found, word)
			}
		}
		return found
	}
	required := []any{}
	for _, attribute := range oneOrMore(pool.At("Schema")) {
		if assembly.At(attribute, "Required") == true {
			required = append(required, assembly.At(attribute, "Name"))
		}
	}
	password := func(property string) any { return pool.At("Policies", "PasswordPolicy", property) }
	return map[string]any{
		"aws_region":          region,
		"user_pool_id":        deployed["UserPoolId"],
		"user_pool_client_id": deployed[id],
		"identity_pool_id":    deployed["IdentityPoolId"],
		"oauth": map[string]any{
			"identity_providers": translated(client.At("SupportedIdentityProviders"),
				map[any]string{
					"COGNITO": "", "Google": "GOOGLE", "SignInWithApple": "SIGN_IN_WITH_APPLE",
				}),
			"domain":                strings.TrimPrefix(deployed["SignInURL"], "https://"),
			"scopes":                client.At("AllowedOAuthScopes"),
			"redirect_sign_in_uri":  client.At("CallbackURLs"),
			"redirect_sign_out_uri": client.At("LogoutURLs"),
			"response_type":         client.At("AllowedOAuthFlows", 0),
		},
		"username_attributes":          pool.At("UsernameAttributes"),
		"standard_required_attributes": required,
		"user_verification_types":      pool.At("AutoVerifiedAttributes"),
		"unauthenticated_identities_enabled": slices.ContainsFunc(
			stack.Template.OfType("AWS::Cognito::IdentityPool"),
			func(pool assembly.Resource) bool {
				return pool.At("AllowUnauthenticatedIdentities") != false
			}),
		"mfa_configuration": map[any]string{
			"OFF": "NONE", "OPTIONAL": "OPTIONAL", "ON": "REQUIRED",
		}[pool.At("MfaConfiguration")],
		"mfa_methods": translated(pool.At("EnabledMfas"),
			map[any]string{"SOFTWARE_TOKEN_MFA": "TOTP", "SMS_MFA": "SMS", "EMAIL_OTP": "EMAIL"}),
		"password_policy": map[string]any{
			"min_length":        password("MinimumLength"),
			"require_numbers":   password("RequireNumbers"),
			"require_lowercase": password("RequireLowercase"),
			"require_uppercase": password("RequireUppercase"),
			"require_symbols":   password("RequireSymbols"),
		},
	}
}

// TestTheConfigurationIsReplacedAtomically: a reader that has the old file open, here by a second
// name, never sees a part of the new one.
func TestTheConfigurationIsReplacedAtomically(t *testing.T) {
	dir, old := t.TempDir(), []byte(`{"version": "1"}`)
	file, opened := filepath.Join(dir, "amplify_outputs.json"), filepath.Join(dir, "opened")
	if err := errors.Join(os.WriteFile(file, old, 0o600), os.Link(file, opened)); err != nil {
		t.Fatal(err)
	}
	if output, code := run(t, dir, shellVariables(t, deploy(t)), outputs(t), "Dev"); code != 0 ||
		output != "wrote amplify_outputs.json for Dev's web client\n" {
		t.Errorf("exit code %d\n%s", code, output)
	}
	if content, err := os.ReadFile(opened); err != nil || string(content) != string(old) {
		t.Errorf("the old file is now %s (%v)", content, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("the folder contains %v (%v), want only the configuration", left, err)
	}
}

func TestAFailureLeavesTheOldConfiguration(t *testing.T) {
	command := outputs(t)
	for name, test := range map[string]struct {
		prepare   func(store *awstest.SSM, variables map[string]string)
		arguments []string
		code      int
		says      []string
	}{
		"no environment": {
			arguments: []string{}, code: 2,
			says: []string{`environment "", want one of Dev, Staging, Prod`},
		},
		"an unknown environment": {
			arguments: []string{"Test"}, code: 2,
			says: []string{`environment "Test", want one of Dev, Staging, Prod`},
		},
		"two environments": {
			arguments: []string{"Dev", "Prod"}, code: 2,
			says: []string{`environment "Dev Prod", want one of`},
		},
		"an unknown client": {
			arguments: []string{"-client", "tv", "Dev"}, code: 2,
			says: []string{`client "tv", want web or mobile`},
		},
		"an unknown flag": {
			arguments: []string{"-region", "eu-west-1", "Dev"}, code: 2,
			says: []string{"flag provided but not defined: -region", "usage: outputs"},
		},
		"help": {
			arguments: []string{"--help"}, code: 0,
			says: []string{"usage: outputs [-client web|mobile] ENVIRONMENT"},
		},
		"not deployed": {
			prepare: func(store *awstest.SSM, _ map[string]string) {
				for name := range deployed {
					store.DeleteParameter("/ashlar/Dev/" + name)
				}
			},
			arguments: []string{"Dev"}, code: 1,
			says: []string{
				"there are no parameters /ashlar/Dev/* in your account in eu-central-1: Dev is " +
					"not deployed there; run make deploy ENV=Dev",
			},
		},
		"not deployed in its account": {
			prepare: func(store *awstest.SSM, _ map[string]string) {
				for name := range deployed {
					store.DeleteParameter("/ashlar/Staging/" + name)
				}
			},
			arguments: []string{"Staging"}, code: 1,
			says: []string{
				"eu-central-1, which should be account 111111111111: Staging is not deployed " +
					"there; run make deploy ENV=Staging",
			},
		},
		"missing parameters": {
			prepare: func(store *awstest.SSM, _ map[string]string) {
				store.DeleteParameter("/ashlar/Dev/MediaBucket")
				store.DeleteParameter("/ashlar/Dev/UserPoolId")
			},
			arguments: []string{"Dev"}, code: 1,
			says: []string{
				"there is no parameter /ashlar/Dev/UserPoolId: the deployment is older than " +
					"this code; run make deploy ENV=Dev\n",
				"there is no parameter /ashlar/Dev/MediaBucket: the deployment is older than " +
					"this code; run make deploy ENV=Dev\n",
			},
		},
		"no region": {
			prepare: func(_ *awstest.SSM, variables map[string]string) {
				delete(variables, "AWS_REGION")
			},
			arguments: []string{"Dev"}, code: 1,
			says: []string{
				"Dev has no fixed region, and this shell has none; export AWS_REGION",
			},
		},
		"no credentials": {
			prepare: func(_ *awstest.SSM, variables map[string]string) {
				delete(variables, "AWS_ACCESS_KEY_ID")
			},
			arguments: []string{"Dev"}, code: 1,
			says: []string{
				"no AWS credentials in this shell; sign in, for example with aws sso login",
			},
		},
		"credentials without permission": {
			prepare: func(store *awstest.SSM, _ map[string]string) {
				store.SetFault(
					awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"})
			},
			arguments: []string{"Dev"}, code: 1,
			says: []string{"reading the parameters /ashlar/Dev/*", "AccessDeniedException"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, store := t.TempDir(), deploy(t)
			variables := shellVariables(t, store)
			if test.prepare != nil {
				test.prepare(store, variables)
			}
			const old = `{"version": "1"}`
			file := filepath.Join(dir, "amplify_outputs.json")
			if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
				t.Fatal(err)
			}
			output, code := run(t, dir, variables, command, test.arguments...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, says := range test.says {
				if !strings.Contains(output, says) {
					t.Errorf("the output is\n%s\nwant %s", output, says)
				}
			}
			if content, err := os.ReadFile(file); err != nil || string(content) != old {
				t.Errorf("the file is now %s (%v)", content, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("the folder contains %v (%v), want only the configuration", left, err)
			}
		})
	}
}
