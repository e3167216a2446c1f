package awstest

import (
	"crypto/md5" //nolint:gosec // what SQS answers with
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// SQS stands in for one queue of Amazon SQS: AWS_ENDPOINT_URL_SQS.
type SQS struct {
	service
	URL string

	queueURL string
	messages []SQSMessage // held by service.mu
}

// An SQSMessage is one that was sent.
type SQSMessage struct {
	Body       string
	Attributes map[string]string // all of the type String
}

// maxMessage is what a message may have, its attributes included: "Amazon SQS message quotas" in the Amazon SQS Developer
// Guide, 1 MiB.
const maxMessage = 1 << 20

// StartSQS returns a stand-in for a queue without messages that runs until the test ends.
func StartSQS(t testing.TB, queueURL string) *SQS {
	s := &SQS{queueURL: queueURL}
	s.URL = start(t, s.serve)
	return s
}

// Messages returns those that were sent so far, the oldest first.
func (s *SQS) Messages() []SQSMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

func (s *SQS) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if !signed(r, "sqs") {
		jsonError(w, http.StatusBadRequest, "com.amazon.coral.service#MissingAuthenticationTokenException", "Missing Authentication Token")
		return
	}
	if r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" {
		jsonError(w, http.StatusBadRequest, "com.amazon.coral.service#UnknownOperationException", "")
		return
	}
	var request struct {
		QueueUrl          string
		MessageBody       string
		MessageAttributes map[string]struct{ DataType, StringValue string }
	}
	body, err := io.ReadAll(r.Body) // while there is any left, the server does not notice a caller who gives up
	if err != nil || json.Unmarshal(body, &request) != nil {
		jsonError(w, http.StatusBadRequest, "com.amazon.coral.service#SerializationException", "")
		return
	}
	fault := s.take(r, Call{Action: "sqs:SendMessage", Resource: request.QueueUrl})
	switch {
	case fault.Silent:
		return // what was asked for is not done either
	case fault.Status != 0:
		jsonError(w, fault.Status, "com.amazonaws.sqs#"+fault.Code, "")
		return
	case request.QueueUrl != s.queueURL:
		w.Header().Set("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
		return
	}
	message := SQSMessage{Body: request.MessageBody, Attributes: map[string]string{}}
	size := len(message.Body)
	if message.Body == "" || strings.ContainsFunc(message.Body, notAllowed) {
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidMessageContents", "")
		return
	}
	for name, attribute := range request.MessageAttributes {
		if attribute.DataType != "String" || attribute.StringValue == "" || strings.ContainsFunc(attribute.StringValue, notAllowed) {
			jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidParameterValue", "The message attribute '"+name+"' is not valid.")
			return
		}
		message.Attributes[name] = attribute.StringValue
		size += len(name) + len(attribute.DataType) + len(attribute.StringValue)
	}
	if size > maxMessage {
		jsonError(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidParameterValue", "The message is too long.")
		return
	}
	s.mu.Lock()
	s.messages = append(s.messages, message)
	s.mu.Unlock()
	digest := md5.Sum([]byte(message.Body)) //nolint:gosec // what SQS answers with
	writeJSON(w, http.StatusOK, map[string]string{
		"MessageId":        requestID,
		"MD5OfMessageBody": hex.EncodeToString(digest[:]),
	})
}

// notAllowed tells whether SQS and SNS refuse a character: "SendMessage" in the Amazon SQS API Reference.
func notAllowed(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\uFFFE' || r == '\uFFFF'
}
