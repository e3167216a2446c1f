package awstest

import (
	"cmp"
	"crypto/md5" //nolint:gosec // SQS responds with MD5
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// SQS is a fake Amazon SQS: AWS_ENDPOINT_URL_SQS.
type SQS struct {
	service
	URL string

	// The fields below are guarded by service.mu.
	queues      []*sqsQueue // in the order of their creation
	tasks       []*moveTask // the oldest first
	moveFailure string      // why move tasks fail
}

type sqsQueue struct {
	url                string
	deadLetterQueueURL string // empty if it has no dead-letter queue
	messages           []SQSMessage
	inFlight           int // number of messages that are in flight
}

// An SQSMessage is a message that was sent.
type SQSMessage struct {
	Body       string
	Attributes map[string]string // all of the type String
}

// maxMessage is the limit of a message with its attributes, 1 MiB: "Amazon SQS message quotas" in
// the Amazon SQS Developer Guide.
const maxMessage = 1 << 20

// StartSQS returns a fake with one empty queue that runs until the test ends.
func StartSQS(t testing.TB, queueURL string) *SQS {
	s := &SQS{}
	s.AddQueue(queueURL, "")
	s.URL = start(t, s.serve)
	return s
}

// AddQueue adds an empty queue with the dead-letter queue at deadLetterQueueURL. If that is empty,
// the queue has no dead-letter queue.
func (s *SQS) AddQueue(queueURL, deadLetterQueueURL string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues = append(s.queues, &sqsQueue{url: queueURL, deadLetterQueueURL: deadLetterQueueURL})
}

// Messages returns the messages of the first queue, the oldest first.
func (s *SQS) Messages() []SQSMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queues[0].messages)
}

// MessagesIn returns the messages of the queue at the URL, the oldest first.
func (s *SQS) MessagesIn(queueURL string) []SQSMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queueByURL(queueURL).messages)
}

// Put puts messages with these bodies into the queue at the URL.
func (s *SQS) Put(queueURL string, bodies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.queueByURL(queueURL)
	for _, body := range bodies {
		queue.messages = append(queue.messages, SQSMessage{Body: body})
	}
}

// queueByURL returns the queue at the URL, or nil. The caller holds s.mu.
func (s *SQS) queueByURL(queueURL string) *sqsQueue {
	for _, queue := range s.queues {
		if queue.url == queueURL {
			return queue
		}
	}
	return nil
}

// An sqsRequest has the parameters of all operations.
type sqsRequest struct {
	QueueUrl          string
	MessageBody       string
	MessageAttributes map[string]struct{ DataType, StringValue string }
	AttributeNames    []string

	SourceArn, DestinationArn string
	MaxResults                int
}

func (s *SQS) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if !signed(r, "sqs") {
		jsonError(w, http.StatusBadRequest,
			"com.amazon.coral.service#MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	operation, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	handle, ok := map[string]func(http.ResponseWriter, sqsRequest, *sqsQueue){
		"SendMessage":                s.sendMessage,
		"GetQueueAttributes":         s.getQueueAttributes,
		"ListDeadLetterSourceQueues": s.listDeadLetterSourceQueues,
		"StartMessageMoveTask":       s.startMessageMoveTask,
		"ListMessageMoveTasks":       s.listMessageMoveTasks,
	}[operation]
	if !ok {
		jsonError(w, http.StatusBadRequest, "com.amazon.coral.service#UnknownOperationException",
			"")
		return
	}
	var request sqsRequest
	// With an unread body, the server does not notice that a client disconnects.
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &request) != nil {
		jsonError(w, http.StatusBadRequest, "com.amazon.coral.service#SerializationException", "")
		return
	}
	named := cmp.Or(request.QueueUrl, request.SourceArn)
	fault := s.record(r, Call{Action: "sqs:" + operation, Resource: named})
	switch {
	case fault.NoResponse:
		return // the operation is not executed either
	case fault.Status != 0:
		jsonError(w, fault.Status, "com.amazonaws.sqs#"+fault.Code, "")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.queueByURL(request.QueueUrl)
	if request.SourceArn != "" {
		queue = s.queueByARN(request.SourceArn)
	}
	switch {
	case queue == nil && request.SourceArn != "":
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#ResourceNotFoundException",
			"The resource that you specified for the SourceArn parameter doesn't exist.")
	case queue == nil:
		w.Header().Set("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#QueueDoesNotExist",
			"The specified queue does not exist.")
	default:
		handle(w, request, queue)
	}
}

func (s *SQS) sendMessage(w http.ResponseWriter, request sqsRequest, queue *sqsQueue) {
	message := SQSMessage{Body: request.MessageBody, Attributes: map[string]string{}}
	size := len(message.Body)
	if message.Body == "" || strings.ContainsFunc(message.Body, isInvalidCharacter) {
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidMessageContents", "")
		return
	}
	for name, attribute := range request.MessageAttributes {
		if attribute.DataType != "String" || attribute.StringValue == "" ||
			strings.ContainsFunc(attribute.StringValue, isInvalidCharacter) {
			jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidParameterValue",
				"The message attribute '"+name+"' is not valid.")
			return
		}
		message.Attributes[name] = attribute.StringValue
		size += len(name) + len(attribute.DataType) + len(attribute.StringValue)
	}
	if size > maxMessage {
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidParameterValue",
			"The message is too long.")
		return
	}
	queue.messages = append(queue.messages, message)
	digest := md5.Sum([]byte(message.Body)) //nolint:gosec // SQS responds with MD5
	writeJSON(w, http.StatusOK, map[string]string{
		"MessageId":        requestID,
		"MD5OfMessageBody": hex.EncodeToString(digest[:]),
	})
}

// isInvalidCharacter reports whether SQS and SNS reject a character: "SendMessage" in the Amazon
// SQS API Reference.
func isInvalidCharacter(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\uFFFE' || r == '\uFFFF'
}
