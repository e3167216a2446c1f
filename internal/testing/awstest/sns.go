package awstest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// SNS is a fake topic of Amazon SNS: AWS_ENDPOINT_URL_SNS.
type SNS struct {
	service
	URL string

	topicARN string
	messages []SNSMessage // guarded by service.mu
}

// An SNSMessage is a message that was published.
type SNSMessage struct {
	Message    string
	Attributes map[string]string // all of the type String
}

// StartSNS returns a fake topic without messages that runs until the test ends.
func StartSNS(t testing.TB, topicARN string) *SNS {
	s := &SNS{topicARN: topicARN}
	s.URL = start(t, s.serve)
	return s
}

// Messages returns the published messages, the oldest first.
func (s *SNS) Messages() []SNSMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

func (s *SNS) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "sns") {
		snsError(w, http.StatusForbidden, "MissingAuthenticationToken",
			"Request is missing Authentication Token")
		return
	}
	if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "Publish" ||
		r.PostForm.Get("Version") != "2010-03-31" {
		snsError(w, http.StatusBadRequest, "InvalidAction",
			"The action or operation requested is invalid.")
		return
	}
	fault := s.record(r, Call{Action: "sns:Publish", Resource: r.PostForm.Get("TopicArn")})
	switch {
	case fault.NoResponse:
		return // the operation is not executed either
	case fault.Status != 0:
		snsError(w, fault.Status, fault.Code, "")
		return
	case r.PostForm.Get("TopicArn") != s.topicARN:
		snsError(w, http.StatusNotFound, "NotFound", "Topic does not exist")
		return
	}
	message := SNSMessage{Message: r.PostForm.Get("Message"), Attributes: map[string]string{}}
	if message.Message == "" || len(message.Message) > 256<<10 {
		snsError(w, http.StatusBadRequest, "InvalidParameter", "Invalid parameter: Message")
		return
	}
	for i := 1; ; i++ {
		entry := fmt.Sprintf("MessageAttributes.entry.%d.", i)
		name, value := r.PostForm.Get(entry+"Name"), r.PostForm.Get(entry+"Value.StringValue")
		if name == "" {
			break
		}
		if r.PostForm.Get(entry+"Value.DataType") != "String" || value == "" ||
			strings.ContainsFunc(value, isInvalidCharacter) {
			snsError(w, http.StatusBadRequest, "ParameterValueInvalid",
				"The message attribute '"+name+"' is not valid.")
			return
		}
		message.Attributes[name] = value
	}
	s.mu.Lock()
	s.messages = append(s.messages, message)
	s.mu.Unlock()
	writeXML(w, http.StatusOK, struct {
		XMLName   xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ PublishResponse"`
		MessageID string   `xml:"PublishResult>MessageId"`
		RequestID string   `xml:"ResponseMetadata>RequestId"`
	}{MessageID: requestID, RequestID: requestID})
}

func snsError(w http.ResponseWriter, status int, code, message string) {
	kind := "Sender"
	if status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	writeXML(w, status, struct {
		XMLName   xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}{Type: kind, Code: code, Message: message, RequestID: requestID})
}
