// Command replay puts a day's telemetry records into the stream again, so that the current
// transform converts them: those that it converted wrongly or rejected that day, and those that a
// fault kept out of the table. The table's queries count only the newest row of each record, so
// replaying a day twice does no harm.
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

Puts the records that arrived on a UTC day into the environment's stream again: the raw copies that
Firehose stores, and the messages that IoT Core could not put into the stream. The current transform
converts records again that it rejected or that were lost on their way to the table, so fix the
cause first. Records that are already in the table do no harm: queries count each record once.

Firehose stores a copy under the day of its oldest record. Records of the first minutes of a day, up
to the delivery stream's buffering interval (15 minutes by default), may be under the day before.

Messages that the transform requeued, and messages that were replayed before, are skipped: their
originals are among the copies.

Needs AWS credentials that allow ssm:GetParametersByPath, s3:ListBucket and s3:GetObject on the
ingestion bucket, kinesis:PutRecords on the stream, and kms:Decrypt and kms:GenerateDataKey with the
key of both. It looks for them where the AWS CLI does.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 for invalid arguments, 1 for a failure.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	flags := deployment.NewFlags("replay", usage, stderr)
	day := flags.String("day", "", "UTC `day` on which the records arrived, such as 2026-11-20")
	dryRun := flags.Bool("dry-run", false,
		"read and count the messages, but put none into the stream")
	if code, done := deployment.Parse(flags, arguments); done {
		return code
	}
	if date, err := time.Parse(time.DateOnly, *day); err != nil || date.After(time.Now()) {
		today := time.Now().UTC().Format(time.DateOnly)
		fmt.Fprintf(stderr,
			"replay: invalid -day %q: use today (UTC) or an earlier day, such as -day %s\n",
			*day, today)
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

// open finds the environment's bucket and stream, and makes the clients.
func (r *replay) open(ctx context.Context, environment environments.Environment) error {
	settings, err := deployment.Config(ctx, environment)
	if err != nil {
		return err
	}
	path := environments.ParameterPath(environment.Name)
	parameters, err := deployment.Parameters(ctx, settings, environment, path)
	if err != nil {
		return err
	}
	stream := ""
	for name, into := range map[string]*string{
		"IngestionBucket": &r.bucket, "TelemetryStream": &stream,
	} {
		if *into = parameters[name]; *into == "" {
			return fmt.Errorf("parameter %s/%s not found: %s has no telemetry; make deploy ENV=%s",
				path, name, environment.Name, environment.Name)
		}
	}
	r.objects = s3.NewFromConfig(settings)
	r.stream = &kinesisstream.Stream{Name: stream, API: kinesisstream.NewClient(settings)}
	return nil
}
