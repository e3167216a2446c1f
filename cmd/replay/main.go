// Command replay puts a day's readings into the stream again, so that they go through the transform of today: what it made
// wrong or refused then, and what a fault kept from the table. The table's queries count each reading once, and its newest row,
// so replaying a day twice does no harm.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/cmd/internal/deployment"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/adapters/kinesisstream"
)

const usage = `usage: replay -day YYYY-MM-DD [-dry-run] ENVIRONMENT

Puts into the environment's stream again what arrived on that day, in UTC: the raw copies that Firehose keeps, and what IoT
Core could not put into the stream. Whatever was refused or lost on its way to the table then is transformed anew, so mend
first what was wrong. Readings that are in the table already do no harm: queries count each once.

Firehose puts a copy under the day of the oldest record in it. So what arrived in the first minutes of a day, up to the
delivery stream's buffering interval (15 minutes by default), may be under the day before.

What the transform had put back, and what was replayed before, is left out: it is among the copies of what it was made of.

It needs AWS credentials that may call ssm:GetParametersByPath, s3:ListBucket and s3:GetObject on the ingestion bucket,
kinesis:PutRecords on the stream, and kms:Decrypt and kms:GenerateDataKey with the key of both. It finds them where the AWS
CLI does.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 when it was asked for what there is not, 1 when it could not be done.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	flags := deployment.NewFlags("replay", usage, stderr)
	day := flags.String("day", "", "the day on which the readings arrived, such as 2026-11-20")
	dryRun := flags.Bool("dry-run", false, "read and count, and put nothing into the stream")
	if code, done := deployment.Parse(flags, arguments); done {
		return code
	}
	if date, err := time.Parse(time.DateOnly, *day); err != nil || date.After(time.Now()) {
		fmt.Fprintf(stderr, "replay: -day %q, want a day that has begun, in UTC, such as -day %s\n", *day, time.Now().UTC().Format(time.DateOnly))
		return 2
	}
	environment, err := deployment.Named(flags.Args())
	if err != nil {
		fmt.Fprintf(stderr, "replay: %v\n", err)
		return 2
	}
	r := &replay{day: *day, dryRun: *dryRun, stdout: stdout, stderr: stderr}
	if err = r.open(ctx, environment); err == nil {
		err = r.run(ctx)
	}
	if err != nil {
		fmt.Fprintf(stderr, "replay: %v\n", err)
		return 1
	}
	return 0
}

// open finds the environment's bucket and stream.
func (r *replay) open(ctx context.Context, environment environments.Environment) error {
	settings, err := deployment.Config(ctx, environment)
	if err != nil {
		return err
	}
	parameters, err := deployment.Parameters(ctx, settings, environment, environments.ParameterPath(environment.Name))
	if err != nil {
		return err
	}
	stream := ""
	for name, into := range map[string]*string{"IngestionBucket": &r.bucket, "TelemetryStream": &stream} {
		if *into = parameters[name]; *into == "" {
			return fmt.Errorf("there is no parameter %s/%s: the deployment of %s has no telemetry; make deploy ENV=%s",
				environments.ParameterPath(environment.Name), name, environment.Name, environment.Name)
		}
	}
	r.objects = s3.NewFromConfig(settings)
	r.stream = &kinesisstream.Stream{Name: stream, API: kinesisstream.NewClient(settings)}
	return nil
}
