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

// A queue is what SQS says of one.
type queue struct {
	arn      string
	messages int // that can be received; SQS counts roughly
	inFlight int // that somebody has received, and that nobody else can for a while: thirty seconds of a dead-letter queue
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
		return queue{}, fmt.Errorf("asking for the number of its messages: %w", err)
	}
	q := queue{arn: output.Attributes[string(arn)]}
	for name, count := range map[types.QueueAttributeName]*int{messages: &q.messages, inFlight: &q.inFlight} {
		if *count, err = strconv.Atoi(output.Attributes[string(name)]); err != nil {
			return queue{}, fmt.Errorf("the number of its messages: %w", err)
		}
	}
	return q, nil
}

// A moveTask takes the messages of one dead-letter queue back.
type moveTask struct {
	client            *sqs.Client
	name, environment string
	out               io.Writer
	interval          time.Duration
}

// run moves what is in the dead-letter queue at url, or follows whoever does it already: SQS has one task a queue.
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
		fmt.Fprintf(t.out, "%s: somebody has begun to move its dead letters back already\n", t.name)
		return t.follow(ctx, dlq.arn, last.StartedTimestamp-1)
	}
	if dlq.messages == 0 && dlq.inFlight > 0 {
		return fmt.Errorf("%s: somebody is looking at its dead letters, %d of them; SQS moves them when it shows them again: try in half a minute", t.name, dlq.inFlight)
	}
	if dlq.messages == 0 {
		fmt.Fprintf(t.out, "%s has no dead letters\n", t.name)
		return nil
	}
	source, err := t.source(ctx, url)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	// Without a destination, SQS refuses what it has not put into the dead-letter queue itself.
	_, err = t.client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &dlq.arn, DestinationArn: &source.arn})
	if err != nil {
		return fmt.Errorf("%s: moving its dead letters: %w", t.name, err)
	}
	return t.follow(ctx, dlq.arn, last.StartedTimestamp)
}

// source is the queue whose messages are given up into the one at url.
func (t *moveTask) source(ctx context.Context, url string) (queue, error) {
	output, err := t.client.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &url})
	if err != nil {
		return queue{}, fmt.Errorf("asking whose dead letters these are: %w", err)
	}
	if len(output.QueueUrls) != 1 {
		return queue{}, fmt.Errorf("its dead letters are those of %d queues, want 1: [%s]", len(output.QueueUrls), strings.Join(output.QueueUrls, ", "))
	}
	return attributes(ctx, t.client, output.QueueUrls[0])
}

// lastTask is the one that was begun last to move messages out of the queue; the zero task, if none ever was.
func (t *moveTask) lastTask(ctx context.Context, arn string) (types.ListMessageMoveTasksResultEntry, error) {
	var last types.ListMessageMoveTasksResultEntry
	output, err := t.client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn, MaxResults: aws.Int32(1)})
	if err != nil {
		return last, fmt.Errorf("%s: asking how far its dead letters are: %w", t.name, err)
	}
	if len(output.Results) > 0 {
		last = output.Results[0]
	}
	return last, nil
}

// follow says how far the task is that was begun after that time, until it has ended.
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
		if task.StartedTimestamp > after { // or it is not in the list yet
			handle = aws.ToString(task.TaskHandle)
			// How many there are to move, SQS knows only when it has begun.
			if all := task.ApproximateNumberOfMessagesToMove; all != nil && task.ApproximateNumberOfMessagesMoved != moved {
				moved = task.ApproximateNumberOfMessagesMoved
				fmt.Fprintf(t.out, "%s: %d of %d moved back\n", t.name, moved, *all)
			}
			switch status := aws.ToString(task.Status); status {
			case "RUNNING", "CANCELLING":
			case "COMPLETED":
				return nil
			default:
				return fmt.Errorf("%s: %s after %d were moved back: %s", t.name, strings.ToLower(status), task.ApproximateNumberOfMessagesMoved, aws.ToString(task.FailureReason))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(t.interval):
		}
	}
}

// interrupted says what SQS does now, and how to have it stop: what comes back at once would else be moved for nothing.
func (t *moveTask) interrupted(handle string) error {
	text := fmt.Sprintf("%s: SQS goes on without you; make redrive ENV=%s QUEUE=%s says how far it is", t.name, t.environment, t.name)
	if handle != "" {
		text += fmt.Sprintf(", and this stops it:\naws sqs cancel-message-move-task --region %s --task-handle '%s'", t.client.Options().Region, handle)
	}
	return errors.New(text)
}
