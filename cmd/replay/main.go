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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/cmd/internal/deployment"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/adapters/kinesisstream"
)

const usage = `usage: replay -day YYYY-MM-DD [-dry-run] ENVIRONMENT
       replay -day YYYY-MM-DD [-dry-run] -bucket BUCKET -stream STREAM

Puts the records that arrived on a UTC day into the stream again: the raw copies that Firehose
stores, and the messages that IoT Core could not put into the stream. With -bucket and -stream, it
works for any construct of the package telemetry, in the region of this shell: pass the names of its
Ingestion and its Stream. The current transform
converts records again that it rejected or that were lost on their way to the table, so fix the
cause first. Records that are already in the table do no harm: queries count each record once.

Firehose stores a copy under the day of its oldest record. Records of the first minutes of a day, up
to the delivery stream's buffering interval (15 minutes by default), may be under the day before.

Messages that the transform requeued, and messages that were replayed before, are skipped: their
originals are among the copies.

Needs AWS credentials that allow s3:ListBucket and s3:GetObject on the ingestion bucket,
kinesis:PutRecords on the stream, kms:Decrypt and kms:GenerateDataKey with the key of both, and with
ENVIRONMENT ssm:GetParametersByPath. It looks for them where the AWS CLI does.
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
	var from telemetryNames
	flags.StringVar(&from.bucket, "bucket", "", "`name` of the bucket, instead of ENVIRONMENT")
	flags.StringVar(&from.stream, "stream", "", "`name` of the stream, instead of ENVIRONMENT")
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
	environment := environments.Environment{Name: "the telemetry"} // in the region of this shell
	if from == (telemetryNames{}) {
		var err error
		if environment, err = deployment.Named(flags.Args()); err != nil {
			fmt.Fprintf(stderr, "replay: %v\n", err)
			return 2
		}
	} else if from.bucket == "" || from.stream == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "replay: pass both -bucket and -stream, or an environment alone")
		return 2
	}
	r := &replay{day: *day, dryRun: *dryRun, stdout: stdout, stderr: stderr}
	err := r.open(ctx, environment, from)
	if err == nil {
		err = r.run(ctx)
	}
	if err != nil {
		fmt.Fprintf(stderr, "replay: %v\n", err)
		return 1
	}
	return 0
}

// telemetryNames are the physical names of the bucket and the stream of a telemetry.
type telemetryNames struct{ bucket, stream string }

// open makes the clients. Without names, it finds those of the environment.
func (r *replay) open(
	ctx context.Context, environment environments.Environment, names telemetryNames,
) error {
	settings, err := deployment.Config(ctx, environment)
	if err != nil {
		return err
	}
	if names == (telemetryNames{}) {
		if names, err = namesOf(ctx, settings, environment); err != nil {
			return err
		}
	}
	r.bucket = names.bucket
	r.objects = s3.NewFromConfig(settings)
	r.stream = &kinesisstream.Stream{Name: names.stream, API: kinesisstream.NewClient(settings)}
	return nil
}

// namesOf returns the names of an environment's telemetry.
func namesOf(
	ctx context.Context, settings aws.Config, environment environments.Environment,
) (names telemetryNames, err error) {
	path := environments.ParameterPath(environment.Name)
	parameters, err := deployment.Parameters(ctx, settings, environment, path)
	if err != nil {
		return names, err
	}
	for name, into := range map[string]*string{
		"IngestionBucket": &names.bucket, "TelemetryStream": &names.stream,
	} {
		if *into = parameters[name]; *into == "" {
			return names,
				fmt.Errorf("parameter %s/%s not found: %s has no telemetry; make deploy ENV=%s",
					path, name, environment.Name, environment.Name)
		}
	}
	return names, nil
}
