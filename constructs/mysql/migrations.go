package mysql

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/internal/check"
	migratefn "github.com/ashlar-cdk/ashlar/lambdas/resources/migrate/contract"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// AddMigrations migrates the schema when the stack of scope is deployed: before anything that
// depends on the returned resource, a function applies the files that the database does not have
// yet. They are SQL files at the root of files, in goose's format, applied in the order of the
// numbers that their names begin with:
//
//	0001_orders.sql
//	  -- +goose Up
//	  CREATE TABLE IF NOT EXISTS orders (id BIGINT PRIMARY KEY);
//
// A file that fails, or that was changed after it was applied, fails the deployment, which is
// rolled back; the files before it stay applied, and a rollback reverts none: migrations only move
// forward. MySQL cannot revert a statement that changes the schema, so a file should have one.
//
// The functions of the previous deployment run until they are replaced, so their queries must work
// with the new schema. A function that needs it depends on the resource:
//
//	fn.Construct.Node().AddDependency(database.AddMigrations(stack, "Migrations", files))
//
// The function also creates the user app, whose password is rotated from then on. It runs for 15
// minutes at most; for longer migrations see AddMigration.
func (d *Database) AddMigrations(
	scope constructs.Construct, id string, files fs.FS,
) awscdk.CustomResource {
	problems := append(d.checkMigrations(scope, id), checkFiles(files)...)
	check.Call("mysql", *d.Construct.Node().Path(), "AddMigrations", problems...)
	construct := node.New(scope, id)
	fn := gofunction.New(construct, "Function", gofunction.Props{
		Package:     migratefn.Package,
		Settings:    migratefn.Settings{},
		Files:       files,
		Description: "Migrates the database's schema during a deployment",
		VPC:         d.vpc,
		VPCSubnets:  d.functionSubnets,
		Timeout:     15 * time.Minute, // a change of a large table takes long
	})
	return d.addMigration(construct, fn, checksum(files))
}

// AddMigration is AddMigrations with a function of one's own, which runs when the stack of scope is
// deployed: once for every new version. When fn returns an error, the deployment fails and is
// rolled back.
//
// fn must be in the VPC and have [mysqlconn.Settings] and [mysqlconn.AppUser] among its settings.
// It connects as admin, directly to the instance, changes the schema, and creates the user app with
// [mysqlconn.EnsureAppUser]; the password of app is rotated from then on. It handles
// CloudFormation's custom resource events. A rollback calls fn with the previous version; fn must
// treat that as success, because migrations only move forward.
func (d *Database) AddMigration(
	scope constructs.Construct, id string, fn *gofunction.Function, version string,
) awscdk.CustomResource {
	problems := append(d.checkMigrations(scope, id),
		check.NotNil("fn", fn, "pass the function that migrates, or call AddMigrations"),
		check.Required("version", version != "",
			"pass a text that changes with the schema, such as a checksum of its files"))
	if fn != nil {
		problems = append(problems, d.sameVPC("fn", fn))
	}
	check.Call("mysql", *d.Construct.Node().Path(), "AddMigration", problems...)
	return d.addMigration(node.New(scope, id), fn, version)
}

func (d *Database) addMigration(
	construct constructs.Construct, fn *gofunction.Function, version string,
) awscdk.CustomResource {
	d.migrations = *construct.Node().Path()
	rules := d.allow(fn)
	grantRead(fn, d.AdminSecret)
	grantRead(fn, d.AppSecret)
	settings := d.connection
	settings.ReaderHosts = nil
	settings.SecretARN = *d.AdminSecret.SecretArn()
	fn.AddSettings(settings)
	fn.AddSettings(mysqlconn.AppUser{SecretARN: *d.AppSecret.SecretArn()})

	migration := awscdk.NewCustomResource(construct, jsii.String("Resource"),
		&awscdk.CustomResourceProps{
			ResourceType: jsii.String("Custom::Migration"),
			ServiceToken: fn.Function.FunctionArn(),
			Properties:   &map[string]any{"Version": version},
			// CloudFormation's default is an hour, which it would wait for a function that can no
			// longer respond.
			ServiceTimeout: awscdk.Duration_Seconds(
				jsii.Number(*fn.Function.Timeout().ToSeconds(nil) + 60)),
		})
	// The permission and the network path are separate resources, which must exist first.
	migration.Node().AddDependency(fn.Construct)
	migration.Node().AddDependency(rules...)
	// The function responds to CloudFormation through S3, also when the stack is deleted: the VPC's
	// endpoints must still exist then.
	for _, child := range *d.vpc.Node().Children() {
		if endpoint, ok := child.(awsec2.GatewayVpcEndpoint); ok {
			migration.Node().AddDependency(endpoint)
		}
	}
	if d.rotation == nil {
		return migration
	}
	// Secrets Manager rotates the secret immediately after the rotation is declared, and the user
	// does not exist before the migration. Therefore the rotation is declared here, on a reference
	// to the secret, and not next to admin's.
	rotateApp := *d.rotation
	rotateApp.Secret = awssecretsmanager.Secret_FromSecretCompleteArn(
		construct, jsii.String("AppSecret"), d.AppSecret.SecretArn())
	awssecretsmanager.NewSecretRotation(construct, jsii.String("AppRotation"), &rotateApp)
	rotateApp.Secret.Node().AddDependency(migration)
	return migration
}

// checkMigrations returns the problems of the arguments that both kinds of migrations have.
func (d *Database) checkMigrations(scope constructs.Construct, id string) []error {
	problems := []error{
		check.NotNil("scope", scope, "pass a stack, or a construct in a stack"),
		check.Required("id", id != "", "pass an id that is unique in its scope"),
	}
	if d.migrations != "" {
		problems = append(problems, fmt.Errorf("the database has the migrations %s already; put "+
			"all files into one set", d.migrations))
	}
	if d.AdminSecret == nil {
		problems = append(problems,
			errors.New("Attributes.AdminSecret is required; pass the secret "+
				"of a user who may change the schema and create users"))
	}
	return problems
}

// upAnnotation is the line that begins a migration: "SQL migrations" in goose's README.
var upAnnotation = regexp.MustCompile(`(?im)^--\s*\+goose\s+Up\s*$`)

// checkFiles returns a problem for each file that goose refuses or ignores.
func checkFiles(files fs.FS) []error {
	if files == nil {
		return []error{errors.New("files is required; pass SQL files, for example an embed.FS")}
	}
	names := sqlFiles(files)
	if len(names) == 0 {
		folder := "migrations"
		if below, _ := fs.Glob(files, "*/*.sql"); len(below) > 0 {
			folder = path.Dir(below[0])
		}
		return []error{fmt.Errorf("files: no *.sql at the root; pass the folder that has them, "+
			"for "+
			"example with fs.Sub(files, %q)", folder)}
	}
	var problems []error
	numbers := map[int64]string{}
	for _, name := range names {
		prefix, _, separated := strings.Cut(name, "_")
		number, err := strconv.ParseInt(prefix, 10, 64)
		if !separated || err != nil || number < 1 {
			problems = append(problems, fmt.Errorf(
				"files: %s, want a name with a number above 0, such as 0001_orders.sql", name))
			continue
		}
		if other, taken := numbers[number]; taken {
			problems = append(problems, fmt.Errorf(
				"files: %s has the same number as %s; want the next number", name, other))
		}
		numbers[number] = name
		content, err := fs.ReadFile(files, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("files: %w", err))
		} else if !upAnnotation.Match(content) {
			problems = append(problems, fmt.Errorf(
				"files: %s has no line %q; write it above the statement", name, "-- +goose Up"))
		}
	}
	return problems
}

// sqlFiles returns the names of the files that goose reads, sorted.
func sqlFiles(files fs.FS) []string {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		panic(err) // only for a malformed pattern
	}
	return names
}

// checksum identifies the migrations: it changes when, and only when, one of the files does.
func checksum(files fs.FS) string {
	hash := sha256.New()
	for _, name := range sqlFiles(files) {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err) // checkFiles has read it
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
