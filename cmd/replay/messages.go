package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// maxMessage is the largest size of a record of the stream in bytes: "PutRecords" in the Kinesis
// Data Streams API Reference.
const maxMessage = 1 << 20

// readMessages calls take with each message in raw, a raw copy: records one after the other without
// separators. A record may be any bytes, so readMessages skips bytes that are no message, one at a
// time if needed, and returns their number.
func readMessages(
	raw io.Reader, take func(telemetryschema.Message) error,
) (invalidBytes int64, err error) {
	var message telemetryschema.Message
	scanner := bufio.NewScanner(raw)
	scanner.Buffer(make([]byte, 64<<10), 2*maxMessage) // never filled by one message
	scanner.Split(func(data []byte, atEOF bool) (advance int, token []byte, err error) {
		for {
			start := bytes.IndexByte(data[advance:], '{')
			if start < 0 {
				invalidBytes += int64(len(data) - advance)
				return len(data), nil, nil
			}
			invalidBytes += int64(start)
			advance += start
			object := data[advance:]
			length, state := objectEnd(object[:min(len(object), maxMessage)])
			if state == incomplete && len(object) < maxMessage && !atEOF {
				return advance, nil, nil
			}
			if state == complete {
				var ok bool
				if message, ok = decodeMessage(object[:length]); ok {
					return advance + length, object[:length], nil
				}
			}
			invalidBytes++
			advance++
		}
	})
	for scanner.Scan() {
		if err := take(message); err != nil {
			return invalidBytes, err
		}
	}
	return invalidBytes, scanner.Err()
}

// decodeMessage decodes a record.
func decodeMessage(record []byte) (telemetryschema.Message, bool) {
	var message telemetryschema.Message
	if err := json.Unmarshal(record, &message); err != nil || message.ReceivedAt == 0 {
		return telemetryschema.Message{}, false // the rule and the API set received_at
	}
	return message, true
}

// What objectEnd finds.
type state int

const (
	invalid    state = iota // no message begins here, regardless of later data
	incomplete              // a message may begin here; more data is needed
	complete
)

// objectEnd finds the end of the object at the start of data. A message contains no objects, so
// another brace outside its strings is the start of something else and this object is invalid.
// objectEnd does not check whether a complete object is valid JSON.
func objectEnd(data []byte) (length int, found state) {
	inString, escaped := false, false
	for i, c := range data {
		switch {
		case escaped:
			escaped = false
		case inString:
			inString, escaped = c != '"', c == '\\'
		case c == '"':
			inString = true
		case c == '}':
			return i + 1, complete
		case c == '{' && i > 0:
			return 0, invalid
		}
	}
	return 0, incomplete
}
