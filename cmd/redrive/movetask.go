package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A queue has the attributes of an SQS queue.
type queue struct {
	arn      string
	messages int // visible messages, approximately
	inFlight int // received messages, invisible for 30 s in a dead-letter queue
}

func attributes(ctx context.Context, client *sqs.Client, url string) (queue, error) {
	const (
		arn      = types.QueueAttributeNameQueueArn
		messages = types.QueueAttributeNameApproximateNumberOfMessages
		inFlight = types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	)
	output, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{arn, messages, inFlight},
	})
	if err != nil {
		return queue{}, fmt.Errorf("reading the number of messages: %w", err)
	}
	q := queue{arn: output.Attributes[string(arn)]}
	for name, count := range map[types.QueueAttributeName]*int{
		messages: &q.messages, inFlight: &q.inFlight,
	} {
		if *count, err = strconv.Atoi(output.Attributes[string(name)]); err != nil {
			return queue{}, fmt.Errorf("parsing the number of messages: %w", err)
		}
	}
	return q, nil
}

// A moveTask redrives the messages of one dead-letter queue.
type moveTask struct {
	client            *sqs.Client
	name, environment string
	out               io.Writer
	interval          time.Duration
}

// run redrives the dead-letter queue at url, or follows a running task: SQS allows one task per
// queue.
func (t *moveTask) run(ctx context.Context, url string) error {
	dlq, err := attributes(ctx, t.client, url)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	last, err := t.lastTask(ctx, dlq.arn)
	if err != nil {
		return err
	}
	if aws.ToString(last.Status) == "RUNNING" {
		fmt.Fprintf(t.out, "%s: a redrive is already running\n", t.name)
		return t.follow(ctx, dlq.arn, last.StartedTimestamp-1)
	}
	if dlq.messages == 0 && dlq.inFlight > 0 {
		return fmt.Errorf("%s: all %d messages are in flight, and SQS moves visible messages "+
			"only; "+
			"try again in 30 seconds", t.name, dlq.inFlight)
	}
	if dlq.messages == 0 {
		fmt.Fprintf(t.out, "%s: no messages to redrive\n", t.name)
		return nil
	}
	source, err := t.source(ctx, url)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	// Without a destination, SQS rejects messages that it has not moved to the dead-letter queue
	// itself.
	_, err = t.client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{
		SourceArn: &dlq.arn, DestinationArn: &source.arn,
	})
	if err != nil {
		return fmt.Errorf("%s: starting the redrive: %w", t.name, err)
	}
	return t.follow(ctx, dlq.arn, last.StartedTimestamp)
}

// source returns the source queue of the dead-letter queue at url.
func (t *moveTask) source(ctx context.Context, url string) (queue, error) {
	output, err := t.client.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{
		QueueUrl: &url,
	})
	if err != nil {
		return queue{}, fmt.Errorf("listing the source queues: %w", err)
	}
	if len(output.QueueUrls) != 1 {
		return queue{}, fmt.Errorf("it has %d source queues, want 1: [%s]",
			len(output.QueueUrls), strings.Join(output.QueueUrls, ", "))
	}
	return attributes(ctx, t.client, output.QueueUrls[0])
}

// lastTask returns the latest task of the queue, or the zero task if there is none.
func (t *moveTask) lastTask(
	ctx context.Context, arn string,
) (types.ListMessageMoveTasksResultEntry, error) {
	var last types.ListMessageMoveTasksResultEntry
	output, err := t.client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{
		SourceArn: &arn, MaxResults: aws.Int32(1),
	})
	if err != nil {
		return last, fmt.Errorf("%s: reading the progress: %w", t.name, err)
	}
	if len(output.Results) > 0 {
		last = output.Results[0]
	}
	return last, nil
}

// follow prints the progress of the task that started after that time, until it ends.
func (t *moveTask) follow(ctx context.Context, arn string, after int64) error {
	moved, handle := int64(-1), ""
	for {
		task, err := t.lastTask(ctx, arn)
		if ctx.Err() != nil {
			return t.interrupted(handle)
		}
		if err != nil {
			return err
		}
		if task.StartedTimestamp > after { // otherwise it is not listed yet
			handle = aws.ToString(task.TaskHandle)
			// The number of messages to move is unknown until SQS has started.
			current := task.ApproximateNumberOfMessagesMoved
			if all := task.ApproximateNumberOfMessagesToMove; all != nil && current != moved {
				moved = current
				fmt.Fprintf(t.out, "%s: %d of %d messages moved\n", t.name, moved, *all)
			}
			switch status := aws.ToString(task.Status); status {
			case "RUNNING", "CANCELLING":
			case "COMPLETED":
				return nil
			default:
				return fmt.Errorf("%s: %s after %d messages: %s",
					t.name, strings.ToLower(status), current, aws.ToString(task.FailureReason))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(t.interval):
		}
	}
}

// interrupted returns an error that states that SQS continues, and how to cancel the task: if the
// cause is not fixed, the redrive is useless.
func (t *moveTask) interrupted(handle string) error {
	text := fmt.Sprintf("%s: interrupted; SQS continues the redrive. "+
		"To follow it, run make redrive ENV=%s QUEUE=%s", t.name, t.environment, t.name)
	if handle != "" {
		text += fmt.Sprintf(". To cancel it, run\n"+
			"aws sqs cancel-message-move-task --region %s --task-handle '%s'",
			t.client.Options().Region, handle)
	}
	return errors.New(text)
}
