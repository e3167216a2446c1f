// Command outputs writes amplify_outputs.json, the configuration of a client of an environment for
// Amplify's libraries for JavaScript and Flutter: sign-in, API and storage. Endpoints and ids come
// from Parameter Store, where the deployment put them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/ashlar-cdk/ashlar/cmd/internal/deployment"
	"github.com/ashlar-cdk/ashlar/environments"
)

const usage = `usage: outputs [-client web|mobile] ENVIRONMENT

Writes amplify_outputs.json for a client of the environment to the current folder.

It uses the AWS credentials of the AWS CLI, which must allow ssm:GetParametersByPath.
`

// outputsFile is the file name that Amplify's libraries and documentation use.
const outputsFile = "amplify_outputs.json"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 for invalid arguments, 1 for any other error.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	flags := deployment.NewFlags("outputs", usage, stderr)
	kind := flags.String("client", "web", "web or mobile; each has its own client id and URLs")
	if code, done := deployment.Parse(flags, arguments); done {
		return code
	}
	environment, err := deployment.Named(flags.Args())
	if err != nil {
		fmt.Fprintf(stderr, "outputs: %v\n", err)
		return 2
	}
	client, err := clientOf(environment, *kind)
	if err != nil {
		fmt.Fprintf(stderr, "outputs: %v\n", err)
		return 2
	}
	if err := write(ctx, environment, client); err != nil {
		fmt.Fprintf(stderr, "outputs: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "wrote %s for %s's %s client\n", outputsFile, environment.Name, *kind)
	return 0
}

// write writes the file, or leaves an existing one unchanged on an error.
func write(ctx context.Context, environment environments.Environment, client client) error {
	settings, err := deployment.Config(ctx, environment)
	if err != nil {
		return err
	}
	parameters, err := deployment.Parameters(ctx, settings, environment,
		environments.ParameterPath(environment.Name))
	if err != nil {
		return err
	}
	outputs, err := newOutputs(settings.Region, environment, client, parameters)
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(outputs, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomically(outputsFile, append(content, '\n'))
}

// writeAtomically replaces the file atomically: readers never see half of it.
func writeAtomically(name string, content []byte) (err error) {
	file, err := os.CreateTemp(".", name+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the first error is returned
		}
	}()
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(0o644), file.Close()) // it contains no secret
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
