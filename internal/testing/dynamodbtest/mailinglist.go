package dynamodbtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// MailingList is the table that constructs/mailinglist declares: keys, index and stream.
var MailingList = dynamodb.CreateTableInput{
	BillingMode: types.BillingModePayPerRequest,
	AttributeDefinitions: []types.AttributeDefinition{
		{AttributeName: aws.String("Address"), AttributeType: types.ScalarAttributeTypeS},
		{AttributeName: aws.String("Kind"), AttributeType: types.ScalarAttributeTypeS},
		{AttributeName: aws.String("Unsent"), AttributeType: types.ScalarAttributeTypeS},
		{AttributeName: aws.String("CreatedAt"), AttributeType: types.ScalarAttributeTypeS},
	},
	KeySchema: []types.KeySchemaElement{
		{AttributeName: aws.String("Address"), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String("Kind"), KeyType: types.KeyTypeRange},
	},
	GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
		IndexName: aws.String("Unsent"),
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("Unsent"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("CreatedAt"), KeyType: types.KeyTypeRange},
		},
		Projection: &types.Projection{
			ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"ID"},
		},
	}},
	StreamSpecification: &types.StreamSpecification{
		StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
	},
}

// MailingListTTL is the TTL attribute: an item may be deleted after this time.
const MailingListTTL = "ExpiresAt"

// NewMailingList creates an empty table that is deleted when t ends, and returns its name. DynamoDB
// Local deletes expired items within seconds, where DynamoDB takes days: a test that needs an item
// to stay sets an expiry in the future, by the test's clock and by the real one.
func (s *Server) NewMailingList(t testing.TB) string {
	t.Helper()
	input := MailingList
	input.TableName = aws.String("MailingList-" + rand.Text())
	if _, err := s.Client.CreateTable(t.Context(), &input); err != nil {
		t.Fatalf("dynamodbtest: %v", err)
	}
	t.Cleanup(func() { // other processes may use the server
		table := &dynamodb.DeleteTableInput{TableName: input.TableName}
		if _, err := s.Client.DeleteTable(context.Background(), table); err != nil {
			t.Errorf("dynamodbtest: %v", err)
		}
	})
	if _, err := s.Client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: input.TableName,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String(MailingListTTL), Enabled: aws.Bool(true),
		},
	}); err != nil {
		t.Fatalf("dynamodbtest: %v", err)
	}
	return *input.TableName
}

// StreamEvent returns all records in the stream of a table, oldest first, as the event of a
// function with the stream as its source. The source's filter is not applied.
func (s *Server) StreamEvent(t testing.TB, table string) []byte {
	t.Helper()
	event := events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{}}
	described, err := s.Client.DescribeTable(t.Context(),
		&dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatalf("dynamodbtest: %v", err)
	}
	arn := described.Table.LatestStreamArn
	stream, err := s.streams.DescribeStream(t.Context(),
		&dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		t.Fatalf("dynamodbtest: %v", err)
	}
	for _, shard := range stream.StreamDescription.Shards {
		input := &dynamodbstreams.GetShardIteratorInput{
			StreamArn: arn, ShardId: shard.ShardId,
			ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
		}
		first, err := s.streams.GetShardIterator(t.Context(), input)
		if err != nil {
			t.Fatalf("dynamodbtest: %v", err)
		}
		for iterator := first.ShardIterator; iterator != nil; {
			page, err := s.streams.GetRecords(t.Context(),
				&dynamodbstreams.GetRecordsInput{ShardIterator: iterator})
			if err != nil {
				t.Fatalf("dynamodbtest: %v", err)
			}
			if len(page.Records) == 0 {
				break // an open shard has no end
			}
			for _, record := range page.Records {
				event.Records = append(event.Records, eventRecord(t, *arn, record))
			}
			iterator = page.NextShardIterator
		}
	}
	encoded, err := json.Marshal(event)
	if err != nil {
		t.Fatalf("dynamodbtest: %v", err)
	}
	return encoded
}

func eventRecord(t testing.TB, stream string, record streams.Record) events.DynamoDBEventRecord {
	t.Helper()
	change := record.Dynamodb
	converted := events.DynamoDBEventRecord{
		AWSRegion:      aws.ToString(record.AwsRegion),
		EventID:        aws.ToString(record.EventID),
		EventName:      string(record.EventName),
		EventSource:    aws.ToString(record.EventSource),
		EventVersion:   aws.ToString(record.EventVersion),
		EventSourceArn: stream,
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{
				Time: aws.ToTime(change.ApproximateCreationDateTime),
			},
			Keys:           image(t, change.Keys),
			NewImage:       image(t, change.NewImage),
			OldImage:       image(t, change.OldImage),
			SequenceNumber: aws.ToString(change.SequenceNumber),
			SizeBytes:      aws.ToInt64(change.SizeBytes),
			StreamViewType: string(change.StreamViewType),
		},
	}
	if record.UserIdentity != nil { // deleted by TTL
		converted.UserIdentity = &events.DynamoDBUserIdentity{
			Type:        aws.ToString(record.UserIdentity.Type),
			PrincipalID: aws.ToString(record.UserIdentity.PrincipalId),
		}
	}
	return converted
}

func image(
	t testing.TB, item map[string]streams.AttributeValue,
) map[string]events.DynamoDBAttributeValue {
	t.Helper()
	converted := map[string]events.DynamoDBAttributeValue{}
	for name, value := range item {
		switch value := value.(type) {
		case *streams.AttributeValueMemberS:
			converted[name] = events.NewStringAttribute(value.Value)
		case *streams.AttributeValueMemberN:
			converted[name] = events.NewNumberAttribute(value.Value)
		default:
			t.Fatalf("dynamodbtest: %s has type %T, not one of the mailing list's", name, value)
		}
	}
	return converted
}
