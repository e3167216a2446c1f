package dynamodbtest

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

// A target is a table or, when it has an IndexName, an index of it.
type target struct{ TableName, IndexName string }

func (t target) String() string {
	if t.IndexName != "" {
		return t.TableName + "/index/" + t.IndexName
	}
	return t.TableName
}

// actions are what a policy has to allow for the request: "Actions, resources, and condition keys for Amazon DynamoDB" in
// the Service Authorization Reference. A transaction needs those of what it holds.
func actions(r *http.Request) []awstest.Call {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var request struct {
		target
		TransactItems []map[string]target // Put, Update, Delete or ConditionCheck
	}
	_ = json.Unmarshal(body, &request) // what is no JSON, DynamoDB refuses
	if len(request.TransactItems) == 0 {
		return []awstest.Call{{Action: "dynamodb:" + operation, Resource: request.String()}}
	}
	var calls []awstest.Call
	for _, item := range request.TransactItems {
		for kind, target := range item {
			calls = append(calls, awstest.Call{Action: "dynamodb:" + kind + "Item", Resource: target.String()})
		}
	}
	return calls
}

// writeError answers as DynamoDB does: "Error handling with DynamoDB" in the Amazon DynamoDB Developer Guide.
func writeError(w http.ResponseWriter, fault awstest.Fault) {
	body := []byte(`{"__type":"com.amazonaws.dynamodb.v20120810#` + fault.Code + `","message":"on purpose"}`)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	addChecksum(w.Header(), body)
	w.WriteHeader(fault.Status)
	_, _ = w.Write(body) // a client that is gone has its own say
}

// addChecksum adds the header that DynamoDB sends with every answer, errors too. DynamoDB Local leaves it out of errors,
// and then the SDK writes to its log that the body is another one.
func addChecksum(header http.Header, body []byte) {
	header.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
}
