package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzDecode compares the fast decoder with encoding/json: it decodes the same records, and fails
// where encoding/json fails. The only difference is names in another case.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"Records":[{"eventSource":"aws:dynamodb","eventName":"INSERT","dynamodb":` +
			`{"SequenceNumber":"1","Keys":{"Address":{"S":"a@b"},"Kind":{"S":"pending"}},` +
			`"NewImage":{"ID":{"S":"0199"}}}}]}`,
		`{"Records":[{"messageId":"1","body":"{\"address\":\"가\\u0000\"}",` +
			`"eventSource":"aws:sqs","attributes":{"a":[1,-2.5e+3,true,false,null,{}]}}]}`,
		`{"Records":[null,{"dynamodb":null},{"body":"\ud83d\ude00\ud83d\u00e9\/"}]}`,
		`{"Records":[1,"a",[],{"dynamodb":[]},{"dynamodb":{"Keys":{"Address":{"S":1}}}}]}`,
		` { "Records" : [ { "body" : "a" , "body" : "b" } ] } `,
		"{\"Records\":[{\"body\":\"\xff\"}]}",
		`{"Records":[]}`, `{}`, `null`, `[]`, `{"Records":[]}x`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if inAnotherCase(payload) {
			return
		}
		var want event
		wantErr := json.Unmarshal(payload, &want)
		got, err := decode(payload)
		if !json.Valid(payload) {
			return // Lambda sends none; the fast decoder does not validate skipped values
		}
		if _, mistyped := errors.AsType[*json.UnmarshalTypeError](wantErr); mistyped {
			if raw, _ := rawRecords(payload); err == nil && len(got.Records) != len(raw) {
				t.Errorf("%d records of %d", len(got.Records), len(raw))
			}
			return
		}
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("decoded %+v, %v; want %+v, %v", got, err, want, wantErr)
		}
	})
}

// inAnotherCase reports whether payload has text that encoding/json would match with a field's
// name.
func inAnotherCase(payload []byte) bool {
	names := []string{
		"Records", "eventSource", "eventName", "dynamodb", "SequenceNumber", "Keys", "Address",
		"Kind", "NewImage", "ID", "S", "messageId", "body",
	}
	tokens := json.NewDecoder(bytes.NewReader(payload))
	for {
		token, err := tokens.Token()
		if err != nil {
			return false
		}
		for _, name := range names {
			if text, ok := token.(string); ok && text != name && strings.EqualFold(text, name) {
				return true
			}
		}
	}
}
