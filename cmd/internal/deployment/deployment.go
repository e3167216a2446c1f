// Package deployment provides what commands need to work with a deployed environment: its settings
// by name, an AWS configuration, and its parameters in Parameter Store.
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

// NewFlags returns a flag set for a command's flags. Its help, on stderr, is usage, which ends with
// a newline, and the flags.
func NewFlags(command, usage string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "%s\n", usage)
		flags.PrintDefaults()
	}
	return flags
}

// Parse parses a command's arguments. If done, the command exits with code, because the arguments
// ask for help or are invalid.
func Parse(flags *flag.FlagSet, arguments []string) (code int, done bool) {
	switch err := flags.Parse(arguments); {
	case err == nil:
		return 0, false
	case errors.Is(err, flag.ErrHelp):
		return 0, true
	default: // flags has printed the error
		return 2, true
	}
}

// Named returns the environment that a command's arguments name.
func Named(arguments []string) (environments.Environment, error) {
	var names []string
	for _, environment := range environments.All() {
		if slices.Equal(arguments, []string{environment.Name}) {
			return environment, nil
		}
		names = append(names, environment.Name)
	}
	return environments.Environment{}, fmt.Errorf("environment %q, want one of %s",
		strings.Join(arguments, " "), strings.Join(names, ", "))
}

// Config returns the AWS configuration of this shell for the environment: in the environment's
// region or, if it has none, in the shell's.
func Config(ctx context.Context, environment environments.Environment) (aws.Config, error) {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(environment.Region))
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration of this shell: %w", err)
	}
	if settings.Region == "" {
		return aws.Config{}, fmt.Errorf("%s has no fixed region, and this shell has none; "+
			"export AWS_REGION as for its deployment", environment.Name)
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, fmt.Errorf("no AWS credentials in this shell; "+
			"sign in, for example with aws sso login: %w", err)
	}
	return settings, nil
}

// Parameters returns the environment's parameters directly below path, by name. It returns an error
// when there are none.
func Parameters(
	ctx context.Context, settings aws.Config, environment environments.Environment, path string,
) (map[string]string, error) {
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
		return nil, fmt.Errorf("there are no parameters %s/* in your account in %s: "+
			"%s is not deployed there; run make deploy ENV=%s",
			path, where, environment.Name, environment.Name)
	}
	return parameters, nil
}
