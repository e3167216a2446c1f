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

// An event is what Lambda calls the function with, a batch of a DynamoDB stream or of an SQS queue, in what the function
// reads of it. The structs of aws-lambda-go have the rest too, which is most of it.
type event struct {
	Records []record
}

type record struct {
	EventSource string `json:"eventSource"`

	// Of a stream.
	EventName string `json:"eventName"`
	DynamoDB  struct {
		SequenceNumber string
		Keys           struct{ Address, Kind attribute }
		NewImage       struct{ ID attribute }
	} `json:"dynamodb"`

	// Of a queue.
	MessageID string `json:"messageId"`
	Body      string `json:"body"`

	undecodable error // nil when the record is one
}

type attribute struct{ S string }

// fromQueue tells whether a record is of a queue: only that one comes again, and not all after it.
func (r *record) fromQueue() bool { return r.EventSource == "aws:sqs" }

// id is what Lambda wants to be told of a record that has to come again.
func (r *record) id() string {
	if r.fromQueue() {
		return r.MessageID
	}
	return r.DynamoDB.SequenceNumber
}

// decode reads an event. One record that cannot be read is its own matter.
func decode(payload []byte) (event, error) {
	var e event
	// A fifth of the time that encoding/json takes, or less; most of a batch is this. It does not look for names in another
	// case, which Lambda does not send.
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
		// It reads on after what has the wrong type, so that the record may have its id at least.
		e.Records[i].undecodable = json.Unmarshal(raw[i], &e.Records[i])
	}
	return e, nil
}

// rawRecords are an event's records as they came.
func rawRecords(payload []byte) ([]json.RawMessage, error) {
	var e struct{ Records []json.RawMessage }
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("the event is no batch: %w", err)
	}
	return e.Records, nil
}

// A message is the body of a message in the dead-letter queue: a subscription whose mail needs a person. Redriven, it is
// sent again.
type message struct {
	Address string           `json:"address"`
	Kind    mailinglist.Kind `json:"kind"`
	ID      string           `json:"id"`
}

func encodeMessage(key mailinglist.Key) string {
	written, err := json.Marshal(message{key.Address, key.Kind, key.ID.String()})
	if err != nil {
		panic(err) // strings have an encoding
	}
	return string(written)
}

// subscription returns the subscription that a message is about, or what keeps it from being one.
func (m message) subscription() (mailinglist.Key, string) {
	if m.Address == "" {
		return mailinglist.Key{}, "not a subscription: no address"
	}
	if m.Kind != mailinglist.Pending && m.Kind != mailinglist.Subscribed {
		return mailinglist.Key{}, fmt.Sprintf("not a subscription: the kind %q", m.Kind)
	}
	id, err := uuid.Parse(m.ID)
	if err != nil {
		return mailinglist.Key{}, "not a subscription: the id: " + err.Error()
	}
	return mailinglist.Key{Address: m.Address, Kind: m.Kind, ID: id}, ""
}

// maxBody is how much of a record goes into a dead letter, in bytes: some way below what a message may have, 1 MiB.
const maxBody = 128 << 10

// sanitize is a record for a person to look at, in characters that SQS takes.
func sanitize(raw []byte) string {
	text := strings.ToValidUTF8(string(raw[:min(len(raw), maxBody)]), "") // nor half a character
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || r == '\uFFFE' || r == '\uFFFF' {
			return '?'
		}
		return r
	}, text)
}
