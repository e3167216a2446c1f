package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// originalsPermissions returns a function's permissions in the bucket of originals: each action
// with its prefix, or without one for the bucket itself.
func originalsPermissions(t *testing.T, stack assembly.Stack, function string) []string {
	t.Helper()
	role := assembly.Refers(only(t, stack, "AWS::Lambda::Function", function).At("Role"))
	var may []string
	for _, s := range statements(t, stack) {
		if s.effect != "Allow" ||
			assembly.Refers(stack.Template.Resources[s.resource].At("Roles", 0)) != role {
			continue
		}
		for _, action := range s.actions {
			if !strings.HasPrefix(action, "s3:") {
				continue
			}
			for _, on := range s.resources {
				arn := oneOrMore(assembly.At(on, "Fn::Join", 1))
				below := ""
				if len(arn) == 2 {
					below = fmt.Sprint(arn[1])
					on = arn[0]
				}
				if !strings.Contains(text(on), "MediaOriginals") {
					t.Errorf("%s may %s on %s", function, action, text(on))
				}
				may = append(may, strings.TrimSpace(action+" "+below))
			}
		}
	}
	slices.Sort(may)
	return may
}

func TestEachFunctionReachesItsPrefixesOfTheOriginals(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		for function, want := range map[string][]string{
			// A form that it signs has the same permissions.
			"Uploads": {"s3:DeleteObject /temp/*", "s3:PutObject /temp/*"},
			"Posts": {
				"s3:DeleteObject /permanent/*", "s3:GetObject /temp/*", "s3:ListBucket",
				"s3:PutObject /permanent/*",
			},
			"Accounts": {"s3:DeleteObject /permanent/*"},
		} {
			if diff := cmp.Diff(want, originalsPermissions(t, stack, function)); diff != "" {
				t.Errorf("%s (-want +allowed):\n%s", function, diff)
			}
		}
	})
}

func TestTheUploadsFunctionHasNoDatabaseAndNoVPC(t *testing.T) {
	forEachEnvironment(t, "API",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			function := only(t, stack, "AWS::Lambda::Function", "Uploads")
			want(t, function, nil, "VpcConfig")
			want(t, function, "5m0s", "Environment", "Variables", "UPLOAD_LIFETIME")
			// Omitted when it is off.
			accelerate := map[bool]any{true: "true"}[environment.TransferAcceleration]
			want(t, function, accelerate, "Environment", "Variables", "TRANSFER_ACCELERATION")
			variables := text(function.At("Environment", "Variables"))
			if strings.Contains(variables, "DATABASE") || strings.Contains(variables, "SECRET") ||
				strings.Contains(variables, "KEY") {
				t.Errorf("its settings are %s, want no database, secret or key", variables)
			}
		})
}

// TestCopyTimeIsTwiceTheTimeoutOfThePostsFunction: deletion relies on it. A function whose copy is
// abandoned has ended by then.
func TestCopyTimeIsTwiceTheTimeoutOfThePostsFunction(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		// In seconds.
		timeout, ok := only(t, stack, "AWS::Lambda::Function", "Posts").At("Timeout").(float64)
		if !ok || timeout*2 > pictures.CopyTime.Seconds() {
			t.Errorf(
				"the function times out after %v seconds and copies are abandoned after %s, want "+
					"at least twice the timeout",
				timeout, pictures.CopyTime)
		}
	})
}

func TestFunctionsHaveTheSameMediaURL(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		address := only(
			t, stack, "AWS::Lambda::Function", "Uploads").At("Environment", "Variables",
			"MEDIA_URL")
		for _, name := range []string{"Accounts", "Posts"} {
			want(t, only(t, stack, "AWS::Lambda::Function", name), address, "Environment",
				"Variables", "MEDIA_URL")
		}
		if written := text(address); !strings.Contains(written, "https://") ||
			!strings.Contains(written, "MediaDistribution") {
			t.Errorf("MEDIA_URL is %s, want the URL of the distribution", written)
		}
	})
}
