// Command outputs writes amplify_outputs.json, which tells a client of an environment where it signs in, calls and
// uploads: the file that Amplify's libraries for JavaScript and for Flutter read. Endpoints and ids come from Parameter
// Store, where the deployment left them.
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

Writes amplify_outputs.json for a client of the environment into the current folder. It needs AWS credentials that may
call ssm:GetParametersByPath, and finds them where the AWS CLI does.
`

// outputsFile is the name that Amplify's libraries and their documentation use.
const outputsFile = "amplify_outputs.json"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 when it was asked for what there is not, 1 when the file could not be made.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	flags := deployment.NewFlags("outputs", usage, stderr)
	kind := flags.String("client", "web", "web or mobile; each has an id and addresses of its own")
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

// write makes the file, or leaves the one that there is.
func write(ctx context.Context, environment environments.Environment, client client) error {
	settings, err := deployment.Config(ctx, environment)
	if err != nil {
		return err
	}
	parameters, err := deployment.Parameters(ctx, settings, environment, environments.ParameterPath(environment.Name))
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

// writeAtomically gives the file new content at once: nobody reads half of it.
func writeAtomically(name string, content []byte) (err error) {
	file, err := os.CreateTemp(".", name+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // what failed first is said
		}
	}()
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(0o644), file.Close()) // there is no secret in it
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
