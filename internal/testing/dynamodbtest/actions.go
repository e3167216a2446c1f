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

// actions returns the IAM actions that a policy must allow for the request: "Actions, resources,
// and condition keys for Amazon DynamoDB" in the Service Authorization Reference. A transaction
// needs those of its items.
func actions(r *http.Request) []awstest.Call {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has disconnected
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var request struct {
		target
		TransactItems []map[string]target // Put, Update, Delete or ConditionCheck
	}
	_ = json.Unmarshal(body, &request) // DynamoDB rejects a request that is not JSON
	if len(request.TransactItems) == 0 {
		return []awstest.Call{{Action: "dynamodb:" + operation, Resource: request.String()}}
	}
	var calls []awstest.Call
	for _, item := range request.TransactItems {
		for kind, target := range item {
			action := "dynamodb:" + kind + "Item"
			calls = append(calls, awstest.Call{Action: action, Resource: target.String()})
		}
	}
	return calls
}

// writeError writes an error as DynamoDB does: "Error handling with DynamoDB" in the Amazon
// DynamoDB Developer Guide.
func writeError(w http.ResponseWriter, fault awstest.Fault) {
	kind := "com.amazonaws.dynamodb.v20120810#" + fault.Code
	body := []byte(`{"__type":"` + kind + `","message":"on purpose"}`)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	addChecksum(w.Header(), body)
	w.WriteHeader(fault.Status)
	_, _ = w.Write(body) // fails when the client has disconnected
}

// addChecksum adds the header that DynamoDB sends with every response, errors too. DynamoDB Local
// leaves it out of errors, and the SDK would then log that the checksum does not match.
func addChecksum(header http.Header, body []byte) {
	header.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
}
