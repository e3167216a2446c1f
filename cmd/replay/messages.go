package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
)

// maxMessage is how many bytes a record of the stream has at most: "PutRecords" in the Kinesis Data Streams API Reference.
const maxMessage = 1 << 20

// readMessages calls take with each message in raw, a raw copy: records one after the other, with nothing between them. A
// record may be anything, so what is no message is stepped over, a byte at a time if need be, and its bytes are counted.
func readMessages(raw io.Reader, take func(telemetry.Message) error) (invalidBytes int64, err error) {
	var message telemetry.Message
	scanner := bufio.NewScanner(raw)
	scanner.Buffer(make([]byte, 64<<10), 2*maxMessage) // so that it is never full of one message
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
func decodeMessage(record []byte) (telemetry.Message, bool) {
	var message telemetry.Message
	if err := json.Unmarshal(record, &message); err != nil || message.ReceivedAt == 0 {
		return telemetry.Message{}, false // nobody has put it there as a message
	}
	return message, true
}

// What measure finds.
type state int

const (
	invalid    state = iota // no message begins here, whatever follows
	incomplete              // one may, if more follows
	complete
)

// objectEnd finds the end of the object at the beginning of data. A message has no objects in it, so that another brace outside its
// strings is the beginning of something else, and says that this one has no end. Whether what has an end is JSON is not looked at.
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
