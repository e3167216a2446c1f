package awstest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A moveTask is a message move task: it moves the messages of one queue to another.
type moveTask struct {
	source, destination *sqsQueue
	status              string
	reason              string // why the task failed
	started             int64  // in milliseconds since 1970
	moved, toMove       int
	// listed counts the lists since the start. The first list does not include the task yet, the
	// second does not include the number of messages to move.
	listed int
}

// Receive makes all messages of the queue at the URL in flight until the test ends.
func (s *SQS) Receive(queueURL string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.queueByURL(queueURL)
	queue.inFlight = len(queue.messages)
}

// FailMoveTasks makes message move tasks fail for the reason.
func (s *SQS) FailMoveTasks(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moveFailure = reason
}

// StartMoveTask starts to move the messages of one queue to another, in place of another caller.
func (s *SQS) StartMoveTask(sourceURL, destinationURL string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startMoveTask(s.queueByURL(sourceURL), s.queueByURL(destinationURL)).listed = 1
}

// startMoveTask starts a task. The caller holds s.mu.
func (s *SQS) startMoveTask(source, destination *sqsQueue) *moveTask {
	task := &moveTask{
		source: source, destination: destination, status: "RUNNING", toMove: len(source.messages),
	}
	task.started = 1793491200000 + int64(len(s.tasks)) // later than all earlier tasks
	s.tasks = append(s.tasks, task)
	return task
}

// step moves one message, if there is one. Tasks progress when they are listed, so that no test
// waits for a clock.
func (t *moveTask) step(failure string) {
	switch {
	case t.status != "RUNNING":
	case failure != "":
		t.status, t.reason = "FAILED", failure
	case t.moved < t.toMove:
		t.destination.messages = append(t.destination.messages, t.source.messages[0])
		t.source.messages = t.source.messages[1:]
		t.moved++
	default:
		t.status = "COMPLETED"
	}
}

// arn returns the queue's ARN. The URL ends with the account and the name.
func (q *sqsQueue) arn() string {
	parts := strings.Split(q.url, "/")
	return "arn:aws:sqs:eu-central-1:" + strings.Join(parts[len(parts)-2:], ":")
}

// queueByARN returns the queue with the ARN, or nil. The caller holds s.mu.
func (s *SQS) queueByARN(arn string) *sqsQueue {
	for _, queue := range s.queues {
		if queue.arn() == arn {
			return queue
		}
	}
	return nil
}

// sources returns the source queues of a dead-letter queue. The caller holds s.mu.
func (s *SQS) sources(queue *sqsQueue) []string {
	urls := []string{}
	for _, source := range s.queues {
		if source.deadLetterQueueURL == queue.url {
			urls = append(urls, source.url)
		}
	}
	return urls
}

func (s *SQS) getQueueAttributes(w http.ResponseWriter, request sqsRequest, queue *sqsQueue) {
	attributes := map[string]string{}
	for name, value := range map[string]string{
		"QueueArn":                              queue.arn(),
		"ApproximateNumberOfMessages":           strconv.Itoa(len(queue.messages) - queue.inFlight),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(queue.inFlight),
	} {
		if slices.Contains(request.AttributeNames, name) ||
			slices.Contains(request.AttributeNames, "All") {
			attributes[name] = value
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"Attributes": attributes})
}

func (s *SQS) listDeadLetterSourceQueues(w http.ResponseWriter, _ sqsRequest, queue *sqsQueue) {
	writeJSON(w, http.StatusOK, map[string]any{"queueUrls": s.sources(queue)})
}

func (s *SQS) startMessageMoveTask(w http.ResponseWriter, request sqsRequest, queue *sqsQueue) {
	destination := s.queueByARN(request.DestinationArn)
	running := slices.ContainsFunc(s.tasks, func(task *moveTask) bool {
		return task.source == queue && task.status == "RUNNING"
	})
	switch {
	case destination == nil:
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#ResourceNotFoundException",
			"The resource that you specified for the DestinationArn parameter doesn't exist.")
	case len(s.sources(queue)) == 0:
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidParameterValue",
			"Source queue must be configured as a Dead Letter Queue.")
	case running:
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#UnsupportedOperation",
			"There is already a task running. "+
				"Only one active task is allowed for a source queue arn at a given time.")
	default:
		writeJSON(w, http.StatusOK, map[string]any{
			"TaskHandle": strconv.FormatInt(s.startMoveTask(queue, destination).started, 10),
		})
	}
}

func (s *SQS) listMessageMoveTasks(w http.ResponseWriter, request sqsRequest, queue *sqsQueue) {
	results := []any{}
	for _, task := range slices.Backward(s.tasks) {
		if task.source != queue || len(results) == max(request.MaxResults, 1) {
			continue
		}
		task.listed++
		if task.listed == 1 {
			continue
		}
		result := map[string]any{
			"SourceArn": task.source.arn(), "DestinationArn": task.destination.arn(),
			"StartedTimestamp": task.started,
		}
		if task.listed > 2 {
			task.step(s.moveFailure)
			result["ApproximateNumberOfMessagesToMove"] = task.toMove
		}
		result["Status"], result["ApproximateNumberOfMessagesMoved"] = task.status, task.moved
		if task.status == "RUNNING" {
			result["TaskHandle"] = strconv.FormatInt(task.started, 10)
		}
		if task.reason != "" {
			result["FailureReason"] = task.reason
		}
		results = append(results, result)
	}
	writeJSON(w, http.StatusOK, map[string]any{"Results": results})
}
