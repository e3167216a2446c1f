// Command redrive lists the dead-letter queues of an environment, and redrives the messages of one
// to its source queue. Consumers are idempotent, so redriving a message twice is safe.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ashlar-cdk/ashlar/cmd/internal/deployment"
	"github.com/ashlar-cdk/ashlar/environments"
)

const usage = `usage: redrive [-queue NAME] ENVIRONMENT

Lists the dead-letter queues (DLQ) of the environment, with the number of their messages. With
-queue, redrives the messages of one to its source queue, and waits until all are moved. Fix the
cause first (see the log of the queue's consumer); otherwise the messages return to the DLQ.

It uses the AWS credentials of the AWS CLI, which must allow ssm:GetParametersByPath and
sqs:GetQueueAttributes. To redrive, they must also allow sqs:ListDeadLetterSourceQueues,
sqs:ListMessageMoveTasks, sqs:StartMessageMoveTask, and sqs:ReceiveMessage, sqs:DeleteMessage and
sqs:SendMessage, which SQS calls with your permissions.
`

// interval is the polling interval of progress.
const interval = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, interval)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 for invalid arguments, 1 for any other error.
func run(
	ctx context.Context, arguments []string, stdout, stderr io.Writer, interval time.Duration,
) int {
	flags := deployment.NewFlags("redrive", usage, stderr)
	name := flags.String("queue", "", "the queue to redrive; without it, all queues are listed")
	if code, done := deployment.Parse(flags, arguments); done {
		return code
	}
	environment, err := deployment.Named(flags.Args())
	if err != nil {
		fmt.Fprintf(stderr, "redrive: %v\n", err)
		return 2
	}
	queues, client, err := deadLetterQueues(ctx, environment)
	if err != nil {
		fmt.Fprintf(stderr, "redrive: %v\n", err)
		return 1
	}
	if *name == "" {
		err = list(ctx, client, queues, stdout)
	} else {
		url, ok := queues[*name]
		if !ok {
			names := strings.Join(slices.Sorted(maps.Keys(queues)), ", ")
			fmt.Fprintf(stderr, "redrive: queue %q, want one of %s\n", *name, names)
			return 2
		}
		task := &moveTask{
			client: client, name: *name, environment: environment.Name, out: stdout,
			interval: interval,
		}
		err = task.run(ctx, url)
	}
	if err != nil {
		fmt.Fprintf(stderr, "redrive: %v\n", err)
		return 1
	}
	return 0
}

// deadLetterQueues returns the URLs of the environment's dead-letter queues, by name.
func deadLetterQueues(
	ctx context.Context, environment environments.Environment,
) (map[string]string, *sqs.Client, error) {
	settings, err := deployment.Config(ctx, environment)
	if err != nil {
		return nil, nil, err
	}
	path := environments.DeadLetterQueuesPath(environment.Name)
	queues, err := deployment.Parameters(ctx, settings, environment, path)
	if err != nil {
		return nil, nil, err
	}
	return queues, sqs.NewFromConfig(settings), nil
}

// list prints the number of messages of each queue.
func list(ctx context.Context, client *sqs.Client, queues map[string]string, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tMESSAGES")
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		queue, err := attributes(ctx, client, queues[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(table, "%s\t%d\n", name, queue.messages+queue.inFlight)
	}
	return table.Flush()
}
