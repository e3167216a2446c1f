// Command redrive lists the dead-letter queues of an environment, and moves the messages of one back to the queue that they
// were given up from. Their consumers take each message as often as it comes, so that moving them twice does no harm.
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

Lists the dead-letter queues of the environment, with the number of their messages. With -queue, moves the messages of one
back to the queue that they were given up from, and waits until that is done. Look into the log of the queue's consumer
first: what was wrong has to be right by now, or they come back.

It needs AWS credentials that may call ssm:GetParametersByPath and sqs:GetQueueAttributes; to move messages also
sqs:ListDeadLetterSourceQueues, sqs:ListMessageMoveTasks, sqs:StartMessageMoveTask, and sqs:ReceiveMessage,
sqs:DeleteMessage and sqs:SendMessage, which SQS does in your name. It finds them where the AWS CLI does.
`

// interval is how often progress is asked for.
const interval = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, interval)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 when it was asked for what there is not, 1 when it could not be done.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer, interval time.Duration) int {
	flags := deployment.NewFlags("redrive", usage, stderr)
	name := flags.String("queue", "", "the queue whose messages are moved back; without it, all are listed")
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
			fmt.Fprintf(stderr, "redrive: queue %q, want one of %s\n", *name, strings.Join(slices.Sorted(maps.Keys(queues)), ", "))
			return 2
		}
		task := &moveTask{client: client, name: *name, environment: environment.Name, out: stdout, interval: interval}
		err = task.run(ctx, url)
	}
	if err != nil {
		fmt.Fprintf(stderr, "redrive: %v\n", err)
		return 1
	}
	return 0
}

// deadLetterQueues finds the addresses of the environment's dead-letter queues, by name.
func deadLetterQueues(ctx context.Context, environment environments.Environment) (map[string]string, *sqs.Client, error) {
	settings, err := deployment.Config(ctx, environment)
	if err != nil {
		return nil, nil, err
	}
	queues, err := deployment.Parameters(ctx, settings, environment, environments.DeadLetterQueuesPath(environment.Name))
	if err != nil {
		return nil, nil, err
	}
	return queues, sqs.NewFromConfig(settings), nil
}

// list says how many messages each queue has.
func list(ctx context.Context, client *sqs.Client, queues map[string]string, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tDEAD LETTERS")
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		queue, err := attributes(ctx, client, queues[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(table, "%s\t%d\n", name, queue.messages+queue.inFlight)
	}
	return table.Flush()
}
