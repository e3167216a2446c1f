package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
	"github.com/ashlar-cdk/ashlar/internal/testing/apitest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	accountsfn "github.com/ashlar-cdk/ashlar/lambdas/accounts/contract"
	postsfn "github.com/ashlar-cdk/ashlar/lambdas/posts/contract"
	subscriptionsfn "github.com/ashlar-cdk/ashlar/lambdas/subscriptions/contract"
	uploadsfn "github.com/ashlar-cdk/ashlar/lambdas/uploads/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func TestClient_types_match_the_API_document(t *testing.T) {
	npm(t, "run", "generate", "--", "--check") // make golden generates them
}

func TestClient_compiles(t *testing.T) {
	npm(t, "run", "check")
}

func TestClient_calls_the_API(t *testing.T) {
	npm(t, "test")
}

// TestClient_calls_the_functions runs the client against the built functions over HTTP.
func TestClient_calls_the_functions(t *testing.T) {
	account := apitest.NewAccount(t, mysqltest.Start(t))
	account.AddMailingList(t)
	gateway := apitest.NewGateway()
	accounts := account.Start(t, lambdatest.Build(t, accountsfn.Package),
		func(of apitest.Settings) any {
			return accountsfn.Settings{
				API: of.API, TokenKeyARN: of.TokenKeyARN, UserPoolID: of.UserPoolID,
				OriginalsBucket: of.OriginalsBucket, MediaURL: of.MediaURL, Database: of.Database,
			}
		})
	gateway.Handle(t, accounts, accountsapi.Routes.Operations())
	posts := account.Start(t, lambdatest.Build(t, postsfn.Package),
		func(of apitest.Settings) any {
			return postsfn.Settings{
				API: of.API, TokenKeyARN: of.TokenKeyARN, OriginalsBucket: of.OriginalsBucket,
				MediaURL: of.MediaURL, TopicARN: of.TopicARN, Database: of.Database,
			}
		})
	gateway.Handle(t, posts, postsapi.Routes.Operations())
	uploads := account.Start(t, lambdatest.Build(t, uploadsfn.Package),
		func(of apitest.Settings) any {
			return uploadsfn.Settings{
				API: of.API, OriginalsBucket: of.OriginalsBucket, MediaURL: of.MediaURL,
				UploadLifetime: of.UploadLifetime,
			}
		})
	gateway.Handle(t, uploads, uploadsapi.Routes.Operations())
	subscriptions := account.Start(t, lambdatest.Build(t, subscriptionsfn.Package),
		func(of apitest.Settings) any {
			return subscriptionsfn.Settings{
				API: of.API, TokenKeyARN: of.TokenKeyARN, Table: of.Table,
				Endpoint: apitest.Endpoint,
			}
		})
	gateway.Handle(t, subscriptions, subscriptionsapi.Routes.Operations())
	t.Setenv("ENDPOINT", gateway.Serve(t))
	npm(t, "run", "e2e")
}

func npm(t *testing.T, arguments ...string) {
	t.Helper()
	if _, err := os.Stat("node_modules"); err != nil {
		t.Fatalf("%v; run make web/node_modules to install the web client's packages", err)
	}
	// go test caches a result until a file that the test itself reads changes. It does not see the
	// files that npm reads.
	for _, pattern := range []string{"*.json", "src/*/*.ts", "../docs/openapi.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files (%v)", pattern, len(files), err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	if output, err := exec.Command("npm", arguments...).CombinedOutput(); err != nil {
		t.Errorf("npm %q: %v\n%s", arguments, err, output)
	}
}
