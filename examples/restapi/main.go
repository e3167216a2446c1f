// Command stones is the CDK app of a REST API with MySQL.
package main

import (
	"embed"
	"io/fs"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"example.com/stones/stones"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
)

//go:embed migrations
var files embed.FS

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Stones"), nil)

	vpc := network.New(stack, "Network", network.Props{NATGateways: 1}).VPC
	database := mysql.New(stack, "Database", mysql.Props{VPC: vpc, Disposable: true})
	migrations, _ := fs.Sub(files, "migrations") // the folder is embedded
	migrated := database.AddMigrations(stack, "Migrations", migrations)

	users := identity.New(stack, "Users", identity.Props{
		DomainPrefix:    "example-stones",
		WebCallbackURLs: []string{"http://localhost:5173/"},
		WebLogoutURLs:   []string{"http://localhost:5173/"},
	})
	api := restapi.New(stack, "API", restapi.Props{
		UserPool:       users.UserPool,
		Clients:        []awscognito.IUserPoolClient{users.WebClient},
		AllowedOrigins: []string{"http://localhost:5173"},
	})
	fn := gofunction.New(stack, "Function", gofunction.Props{
		Package:  "example.com/stones/lambdas/stones",
		Settings: stones.Settings{},
		VPC:      vpc,
	})
	fn.Construct.Node().AddDependency(migrated)
	database.GrantConnect(fn)
	api.AddRoutes(fn, stones.Routes.Operations())

	awscdk.NewCfnOutput(stack, jsii.String("URL"), &awscdk.CfnOutputProps{
		Value: jsii.String(api.URL()),
	})
	app.Synth(nil)
}
