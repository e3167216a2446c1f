// Package deployment finds what was deployed, for the commands that people run: an environment by its name, the credentials
// that reach it, and what its deployment left in Parameter Store.
package deployment

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/ashlar-cdk/ashlar/environments"
)

// NewFlags returns the flags of a command, for it to define. Its help, on stderr, is usage, which ends with a line's end, and the
// flags.
func NewFlags(command, usage string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "%s\n", usage)
		flags.PrintDefaults()
	}
	return flags
}

// Parse reads a command's arguments. If done, the command ends with the code: it was asked for help, or for what there is not.
func Parse(flags *flag.FlagSet, arguments []string) (code int, done bool) {
	switch err := flags.Parse(arguments); {
	case err == nil:
		return 0, false
	case errors.Is(err, flag.ErrHelp):
		return 0, true
	default: // flags has said what it is
		return 2, true
	}
}

// Named is the one environment that a command's arguments name.
func Named(arguments []string) (environments.Environment, error) {
	var names []string
	for _, environment := range environments.All() {
		if slices.Equal(arguments, []string{environment.Name}) {
			return environment, nil
		}
		names = append(names, environment.Name)
	}
	return environments.Environment{}, fmt.Errorf("environment %q, want one of %s", strings.Join(arguments, " "), strings.Join(names, ", "))
}

// Config is how this shell reaches the environment: in its region or, if it has none of its own, wherever the credentials
// point.
func Config(ctx context.Context, environment environments.Environment) (aws.Config, error) {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(environment.Region))
	if err != nil {
		return aws.Config{}, fmt.Errorf("the AWS configuration of this shell: %w", err)
	}
	if settings.Region == "" {
		return aws.Config{}, fmt.Errorf("%s is in no region of its own, and this shell names none; export AWS_REGION as when you deployed it", environment.Name)
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, fmt.Errorf("no AWS credentials in this shell; sign in, by aws sso login or any other way: %w", err)
	}
	return settings, nil
}

// Parameters reads all that the environment's deployments left right below path, by name. It is an error when there is
// nothing.
func Parameters(ctx context.Context, settings aws.Config, environment environments.Environment, path string) (map[string]string, error) {
	client := ssm.NewFromConfig(settings)
	parameters := map[string]string{}
	pages := ssm.NewGetParametersByPathPaginator(client, &ssm.GetParametersByPathInput{Path: &path})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the parameters %s/*: %w", path, err)
		}
		for _, parameter := range page.Parameters {
			parameters[strings.TrimPrefix(*parameter.Name, path+"/")] = *parameter.Value
		}
	}
	if len(parameters) == 0 {
		where := settings.Region
		if environment.Account != "" {
			where += ", which should be account " + environment.Account
		}
		return nil, fmt.Errorf("there are no parameters %s/* in your account in %s: %s is not deployed there; make deploy ENV=%s", path, where, environment.Name, environment.Name)
	}
	return parameters, nil
}
