package handler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/uuid"
	fastjson "github.com/segmentio/encoding/json"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

// An event is a batch of a DynamoDB stream or of an SQS queue. It has only the fields that the
// function reads; the structs of aws-lambda-go have all others too, which is most of them.
type event struct {
	Records []record
}

type record struct {
	EventSource string `json:"eventSource"`

	// Fields of a stream's record.
	EventName string `json:"eventName"`
	DynamoDB  struct {
		SequenceNumber string
		Keys           struct{ Address, Kind attribute }
		NewImage       struct{ ID attribute }
	} `json:"dynamodb"`

	// Fields of a queue's message.
	MessageID string `json:"messageId"`
	Body      string `json:"body"`

	decodeError error
}

type attribute struct{ S string }

// fromQueue reports whether the record is a queue's message. A queue redelivers only the failed
// messages, a stream also all records after the first failed one.
func (r *record) fromQueue() bool { return r.EventSource == "aws:sqs" }

// id returns the record's identifier in a partial batch response.
func (r *record) id() string {
	if r.fromQueue() {
		return r.MessageID
	}
	return r.DynamoDB.SequenceNumber
}

// decode decodes an event. An invalid record does not affect the others.
func decode(payload []byte) (event, error) {
	var e event
	// fastjson takes a fifth of the time of encoding/json, or less; decoding is most of a batch's
	// time. It does not match names in another case, which Lambda does not send.
	rest, err := fastjson.Parse(payload, &e, fastjson.DontMatchCaseInsensitiveStructFields)
	if err == nil && len(bytes.TrimSpace(rest)) == 0 {
		return e, nil
	}
	raw, err := rawRecords(payload)
	if err != nil {
		return event{}, err
	}
	e.Records = make([]record, len(raw))
	for i := range raw {
		// encoding/json continues after a value of the wrong type, so that the record may still
		// have its id.
		e.Records[i].decodeError = json.Unmarshal(raw[i], &e.Records[i])
	}
	return e, nil
}

// rawRecords returns the records of an event unchanged.
func rawRecords(payload []byte) ([]json.RawMessage, error) {
	var e struct{ Records []json.RawMessage }
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("the event is not a batch: %w", err)
	}
	return e.Records, nil
}

// A message is the body of a message in the dead-letter queue: a subscription whose mail needs an
// operator. After a redrive, the function sends the mail.
type message struct {
	Address string           `json:"address"`
	Kind    mailinglist.Kind `json:"kind"`
	ID      string           `json:"id"`
}

func encodeMessage(key mailinglist.Key) string {
	body, err := json.Marshal(message{key.Address, key.Kind, key.ID.String()})
	if err != nil {
		panic(err) // unreachable: all fields are strings
	}
	return string(body)
}

// subscription returns the key of the message's subscription, or the reason why it is invalid.
func (m message) subscription() (key mailinglist.Key, reason string) {
	if m.Address == "" {
		return mailinglist.Key{}, "not a subscription: no address"
	}
	if m.Kind != mailinglist.Pending && m.Kind != mailinglist.Subscribed {
		return mailinglist.Key{}, fmt.Sprintf("not a subscription: unknown kind %q", m.Kind)
	}
	id, err := uuid.Parse(m.ID)
	if err != nil {
		return mailinglist.Key{}, "not a subscription: invalid id: " + err.Error()
	}
	return mailinglist.Key{Address: m.Address, Kind: m.Kind, ID: id}, ""
}

// maxBody is the longest part of a record in a message to the dead-letter queue, in bytes: well
// below SQS's limit of 1 MiB.
const maxBody = 128 << 10

// sanitize returns a record for an operator to read, in characters that SQS accepts.
func sanitize(raw []byte) string {
	cut := raw[:min(len(raw), maxBody)]
	text := strings.ToValidUTF8(string(cut), "") // may end within a character
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || r == '\uFFFE' || r == '\uFFFF' {
			return '?'
		}
		return r
	}, text)
}
