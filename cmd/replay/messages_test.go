package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// split returns the messages in raw and the number of bytes that are no message.
func split(t rapid.TB, raw io.Reader) (messages []telemetryschema.Message, invalid int64) {
	t.Helper()
	invalid, err := readMessages(raw, func(message telemetryschema.Message) error {
		messages = append(messages, message)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return messages, invalid
}

func encode(t rapid.TB, message telemetryschema.Message) []byte {
	t.Helper()
	encoded, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

var messages = rapid.Custom(func(t *rapid.T) telemetryschema.Message {
	return telemetryschema.Message{
		Topic: rapid.SampledFrom([]string{
			"", "ashlar/dev/kettle-1/readings", `ashlar/dev/{"/readings`, "ashlar/dev/\\/readings",
		}).Draw(t, "topic"),
		ReceivedAt: rapid.Int64Range(1, 1<<50).Draw(t, "received at"),
		Data:       rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "data"),
		Requeued:   rapid.IntRange(0, 5).Draw(t, "requeued"),
		Replayed:   rapid.Bool().Draw(t, "replayed"),
	}
})

// garbage generates bytes that can make a parser lose its position.
var garbage = rapid.OneOf(
	rapid.Just([]byte(nil)),
	rapid.SliceOf(rapid.Byte()),
	rapid.SliceOf(rapid.SampledFrom([]byte("{}[]\"\\:, \nu0"))),
	rapid.Custom(func(t *rapid.T) []byte { // the beginning of a message
		encoded := encode(t, messages.Draw(t, "of"))
		return encoded[:rapid.IntRange(0, len(encoded)-1).Draw(t, "cut")]
	}),
	rapid.Just([]byte(`{"topic":"an object","data":{"received_at":"1"}}`)),
)

func TestReadMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var raw []byte
		var want []telemetryschema.Message
		var between int64
		for range rapid.IntRange(0, 5).Draw(t, "messages") {
			noise := garbage.Draw(t, "garbage")
			message := messages.Draw(t, "message")
			raw = append(append(raw, noise...), encode(t, message)...)
			want = append(want, message)
			between += int64(len(noise))
		}
		noise := garbage.Draw(t, "garbage at the end")
		raw, between = append(raw, noise...), between+int64(len(noise))
		got, invalid := split(t, iotest.HalfReader(bytes.NewReader(raw)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in %q\n-want +got:\n%s", raw, diff)
		}
		if invalid != between {
			t.Errorf("%d invalid bytes, want %d", invalid, between)
		}
	})
}

func TestReadMessages_largest_message(t *testing.T) {
	const record = 1 << 20 // of Kinesis
	envelope := len(encode(t, telemetryschema.Message{ReceivedAt: 1, Data: []byte{}}))
	longest := encode(t,
		telemetryschema.Message{ReceivedAt: 1, Data: make([]byte, (record-envelope)/4*3)})
	if len(longest) < record-4 || len(longest) > record {
		t.Fatalf("%d bytes", len(longest))
	}
	endless := `{"topic":"` + strings.Repeat("{", 2*record)
	got, invalid := split(t, io.MultiReader(
		bytes.NewReader(longest), strings.NewReader(endless), bytes.NewReader(longest)))
	if len(got) != 2 || invalid != int64(len(endless)) {
		t.Errorf("%d messages and %d invalid bytes, want 2 and %d", len(got), invalid, len(endless))
	}
}

func TestReadMessages_truncated_copy(t *testing.T) {
	raw := io.MultiReader(bytes.NewReader(encode(t, telemetryschema.Message{ReceivedAt: 1})),
		iotest.ErrReader(io.ErrUnexpectedEOF))
	count := 0
	_, err := readMessages(raw, func(telemetryschema.Message) error { count++; return nil })
	if !errors.Is(err, io.ErrUnexpectedEOF) || count != 1 {
		t.Errorf("%d messages, %v", count, err)
	}
}

// FuzzReadMessages checks for any copy that readMessages ends, counts each byte once, and finds
// only messages that are there.
func FuzzReadMessages(f *testing.F) {
	f.Add([]byte(`{"received_at":1,"data":"YQ=="}{"topic":"a","received_at":2,"data":""}`))
	f.Add([]byte(`{"topic":"a{"{"received_at":1}{{}}}"{"`))
	f.Add([]byte(`{"received_at":1,"topic":"\"}{"} {"received_at":1e400}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, invalid := split(t, bytes.NewReader(raw))
		again, _ := split(t, iotest.OneByteReader(bytes.NewReader(raw)))
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("the result depends on the size of reads:\n%s", diff)
		}
		if invalid < 0 || invalid > int64(len(raw)) || len(got) == 0 && invalid != int64(len(raw)) {
			t.Errorf("%d messages and %d invalid bytes of %d", len(got), invalid, len(raw))
		}
		// One more message at the end is found, wherever the copy ends.
		message := telemetryschema.Message{
			Topic: "ashlar/dev/kettle-1/readings", ReceivedAt: 1, Data: []byte("a"),
		}
		more, _ := split(t, bytes.NewReader(append(raw, encode(t, message)...)))
		if diff := cmp.Diff(append(got, message), more); diff != "" {
			t.Errorf("with one more message:\n%s", diff)
		}
	})
}
