package dynamodbtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func start(t *testing.T) (server *dynamodbtest.Server, client *dynamodb.Client, table string) {
	t.Helper()
	server = dynamodbtest.Start(t)
	client = dynamodb.New(dynamodb.Options{
		BaseEndpoint: &server.URL,
		Region:       lambdatest.Region,
		Credentials: credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
			lambdatest.SecretAccessKey, lambdatest.SessionToken),
		RetryMaxAttempts: 1,
	})
	return server, client, server.NewMailingList(t)
}

// item returns an item of the mailing list.
func item(address string, more map[string]types.AttributeValue) map[string]types.AttributeValue {
	complete := map[string]types.AttributeValue{"Address": text(address), "Kind": text("pending")}
	for name, value := range more {
		complete[name] = value
	}
	return complete
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func TestServer_records_actions(t *testing.T) {
	server, client, table := start(t)
	ctx := t.Context()
	_, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: item("a", nil)})
	if err != nil {
		t.Fatal(err)
	}
	added := item("b", map[string]types.AttributeValue{
		"Unsent": text("yes"), "CreatedAt": text("2026"), "ID": text("7"),
	})
	_, err = client.TransactWriteItems(ctx,
		&dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Delete: &types.Delete{TableName: &table, Key: item("a", nil)}},
			{Put: &types.Put{TableName: &table, Item: added}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.Query(ctx, &dynamodb.QueryInput{
		TableName: &table, IndexName: aws.String("Unsent"),
		KeyConditionExpression:    aws.String("Unsent = :yes"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":yes": text("yes")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]types.AttributeValue{added}
	diff := cmp.Diff(want, found.Items, cmp.AllowUnexported(types.AttributeValueMemberS{}))
	if diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	calls := []awstest.Call{
		{Action: "dynamodb:PutItem", Resource: table},
		{Action: "dynamodb:DeleteItem", Resource: table},
		{Action: "dynamodb:PutItem", Resource: table},
		{Action: "dynamodb:Query", Resource: table + "/index/Unsent"},
	}
	if diff := cmp.Diff(calls, server.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestServer_SetFault(t *testing.T) {
	server, client, table := start(t)
	exists := func() bool {
		found, err := server.Client.GetItem(t.Context(),
			&dynamodb.GetItemInput{TableName: &table, Key: item("a", nil)})
		if err != nil {
			t.Fatal(err)
		}
		return found.Item != nil
	}
	for _, test := range []struct {
		name  string
		fault awstest.Fault
		code  string // of the error response; empty for none
		done  bool
	}{
		{"rejected", awstest.Fault{
			Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException",
			Action: "dynamodb:PutItem",
		}, "ProvisionedThroughputExceededException", false},
		{"reset", awstest.Fault{Reset: true}, "", false},
		{"silent", awstest.Fault{NoResponse: true}, "", false},
		{"lost", awstest.Fault{TruncateResponse: true}, "", true},
	} {
		server.SetFault(test.fault)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := client.PutItem(ctx,
			&dynamodb.PutItemInput{TableName: &table, Item: item("a", nil)})
		cancel()
		if err == nil || !awsclient.Is(err, test.code) && test.code != "" {
			t.Errorf("%s: got %v, want %s", test.name, err, test.code)
		}
		if done := exists(); done != test.done {
			t.Errorf("%s: done is %t, want %t", test.name, done, test.done)
		}
	}
	server.SetFault(awstest.Fault{
		Status: http.StatusInternalServerError, Code: "InternalServerError", Times: 1,
	})
	for _, want := range []string{"InternalServerError", ""} {
		_, err := client.GetItem(t.Context(),
			&dynamodb.GetItemInput{TableName: &table, Key: item("a", nil)})
		if (err == nil) != (want == "") || err != nil && !awsclient.Is(err, want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestServer_StreamEvent_is_the_functions_event reads a table's records as Lambda's event, as
// documented in "Using AWS Lambda with Amazon DynamoDB": names and numbers are JSON's.
func TestServer_StreamEvent_is_the_functions_event(t *testing.T) {
	server, client, table := start(t)
	for _, id := range []string{"1", "2"} {
		changed := item("a", map[string]types.AttributeValue{
			"ID": text(id), "ExpiresAt": &types.AttributeValueMemberN{Value: "4102444800"},
		})
		_, err := client.PutItem(t.Context(),
			&dynamodb.PutItemInput{TableName: &table, Item: changed})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.DeleteItem(t.Context(),
		&dynamodb.DeleteItemInput{TableName: &table, Key: item("a", nil)})
	if err != nil {
		t.Fatal(err)
	}
	var event struct{ Records []map[string]json.RawMessage }
	content := server.StreamEvent(t, table)
	if err := json.Unmarshal(content, &event); err != nil {
		t.Fatal(err)
	}
	const head, tail = `{"Address":{"S":"a"},"ExpiresAt":{"N":"4102444800"},"ID":{"S":"`,
		`"},"Kind":{"S":"pending"}}`
	first, second := head+"1"+tail, head+"2"+tail
	want := []struct{ name, before, after string }{
		{"INSERT", "", first}, {"MODIFY", first, second}, {"REMOVE", second, ""},
	}
	if len(event.Records) != len(want) {
		t.Fatalf("%d records, want %d:\n%s", len(event.Records), len(want), content)
	}
	last := ""
	for i, record := range event.Records {
		var change struct {
			ApproximateCreationDateTime    float64
			Keys, NewImage, OldImage       json.RawMessage
			SequenceNumber, StreamViewType string
			SizeBytes                      int
		}
		if err := json.Unmarshal(record["dynamodb"], &change); err != nil {
			t.Fatal(err)
		}
		created := time.Unix(int64(change.ApproximateCreationDateTime), 0)
		if time.Since(created) > time.Hour || time.Until(created) > time.Hour {
			t.Errorf("created %s", created)
		}
		if string(record["eventName"]) != `"`+want[i].name+`"` ||
			string(change.OldImage) != want[i].before || string(change.NewImage) != want[i].after ||
			string(change.Keys) != `{"Address":{"S":"a"},"Kind":{"S":"pending"}}` ||
			change.StreamViewType != "NEW_AND_OLD_IMAGES" || change.SizeBytes == 0 ||
			string(record["eventSource"]) != `"aws:dynamodb"` ||
			!strings.Contains(string(record["eventSourceARN"]), ":table/"+table+"/stream/") {
			t.Errorf("record %d is not the %s:\n%s", i, want[i].name, content)
		}
		if change.SequenceNumber <= last {
			t.Errorf("%s comes after %s", change.SequenceNumber, last)
		}
		last = change.SequenceNumber
	}
	if err := json.Unmarshal(content, &events.DynamoDBEvent{}); err != nil {
		t.Error(err)
	}
}

func TestServer_tables_belong_to_an_access_key(t *testing.T) {
	server, _, table := start(t)
	_, err := dynamodb.New(dynamodb.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("another", "secret", ""),
	}).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: item("a", nil)})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("got %v, want ResourceNotFoundException", err)
	}
}
