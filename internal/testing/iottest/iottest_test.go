package iottest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/iottest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// arn begins the ARN of an IoT resource, and thing is the policy variable of a thing's name.
const (
	arn   = "arn:aws:iot:eu-central-1:111111111111:"
	thing = "${iot:Connection.Thing.ThingName}"
)

const policy = `{"PolicyDocument": {"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": "iot:Connect",
		"Resource": "` + arn + `client/` + thing + `",
		"Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}},
	{"Effect": "Allow", "Action": "iot:Publish", "Resource": [
		"` + arn + `topic/ashlar/dev/` + thing + `/readings"]},
	{"Effect": "Deny", "Action": "iot:*",
		"Resource": "` + arn + `topic/*/kettle-9/*"}]}}`

const sql = `SELECT encode(*, 'base64') AS data, topic() AS topic, timestamp() AS received_at ` +
	`FROM 'ashlar/dev/+/readings'`

const rule = `{"RuleName": "readings", "TopicRulePayload": {"AwsIotSqlVersion": "2016-03-23",
	"Sql": "` + sql + `",
	"Actions": [{"Kinesis": {"StreamName": "readings", "PartitionKey": "${newuuid()}",
		"RoleArn": "arn:aws:iam::111111111111:role/rule"}}],
	"ErrorAction": {"S3": {
		"BucketName": "ingestion", "RoleArn": "arn:aws:iam::111111111111:role/rule",
		"Key": "errors/rule/day=${parse_time(\"yyyy-MM-dd\", timestamp())}/${newuuid()}.json"}}}}`

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var properties map[string]any
	if err := json.Unmarshal([]byte(text), &properties); err != nil {
		t.Fatal(err)
	}
	return properties
}

type core struct {
	*iottest.Broker
	stream  *awstest.Kinesis
	objects *s3test.Server
}

func start(t *testing.T) *core {
	t.Helper()
	c := &core{stream: awstest.StartKinesis(t, "readings", 1), objects: s3test.Start(t)}
	c.objects.Bucket(t, "ingestion")
	fakeCredentials := credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
		lambdatest.SecretAccessKey, lambdatest.SessionToken)
	c.Broker = iottest.Start(t, iottest.Settings{
		Policy: object(t, policy), Rule: object(t, rule),
		Kinesis: kinesis.New(kinesis.Options{
			BaseEndpoint: &c.stream.URL, Region: lambdatest.Region, Credentials: fakeCredentials,
		}),
		S3: s3.New(s3.Options{
			BaseEndpoint: &c.objects.URL, Region: lambdatest.Region, Credentials: fakeCredentials,
			UsePathStyle: true,
		}),
	})
	return c
}

func TestBroker_rule(t *testing.T) {
	c := start(t)
	device, err := c.Connect("kettle-1", "kettle-1")
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte("no JSON: \x00\xff")
	before := time.Now().UnixMilli()
	if err := device.Publish("ashlar/dev/kettle-1/readings", payload); err != nil {
		t.Fatal(err)
	}
	records := c.stream.Records()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	var message telemetryschema.Message
	if err := json.Unmarshal(records[0].Data, &message); err != nil {
		t.Fatal(err)
	}
	if message.ReceivedAt < before || message.ReceivedAt > time.Now().UnixMilli() {
		t.Errorf("received at %d", message.ReceivedAt)
	}
	want := telemetryschema.Message{
		Topic: "ashlar/dev/kettle-1/readings", ReceivedAt: message.ReceivedAt, Data: payload,
	}
	if diff := cmp.Diff(want, message); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := (iottest.Counts{Received: 1, Put: 1}); c.Counts() != want {
		t.Errorf("%+v, want %+v", c.Counts(), want)
	}
}

func TestBroker_policy(t *testing.T) {
	c := start(t)
	for name, test := range map[string]struct{ thing, client, topic string }{
		"another thing's topic":         {"kettle-1", "kettle-1", "ashlar/dev/kettle-2/readings"},
		"a topic without a thing":       {"kettle-1", "kettle-1", "ashlar/dev/readings"},
		"a subtopic of its own":         {"kettle-1", "kettle-1", "ashlar/dev/kettle-1/readings/a"},
		"another environment":           {"kettle-1", "kettle-1", "ashlar/prod/kettle-1/readings"},
		"an explicit deny":              {"kettle-9", "kettle-9", "ashlar/dev/kettle-9/readings"},
		"another client id":             {"kettle-1", "kettle-2", ""},
		"a certificate without a thing": {"", "kettle-1", ""},
		"a thing named as a pattern":    {"*", "kettle-1", ""},
	} {
		before := c.Counts().Denied
		device, err := c.Connect(test.thing, test.client)
		want := int64(1)
		if test.topic != "" {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			err, want = device.Publish(test.topic, []byte("a")), 2 // the device retries once
		}
		if !errors.Is(err, iottest.ErrDisconnected) {
			t.Errorf("%s: %v, want ErrDisconnected", name, err)
		}
		if denied := c.Counts().Denied - before; denied != want {
			t.Errorf("%s: denied %d times, want %d", name, denied, want)
		}
	}
	if records := c.stream.Records(); len(records) > 0 {
		t.Errorf("in the stream: %q", records)
	}
	device, err := c.Connect("kettle-1", "kettle-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := device.Subscribe("ashlar/dev/#"); !errors.Is(err, iottest.ErrDisconnected) {
		t.Errorf("subscribing to all topics: %v", err)
	}
}

func TestDevice_Publish_resends_without_acknowledgement(t *testing.T) {
	c := start(t)
	device, err := c.Connect("kettle-1", "kettle-1")
	if err != nil {
		t.Fatal(err)
	}
	lost := map[string]bool{}
	c.LosePubacks(func(payload []byte) bool {
		again := lost[string(payload)]
		lost[string(payload)] = true
		return !again && string(payload) != "b"
	})
	err = device.Publish("ashlar/dev/kettle-1/readings", []byte("a"), []byte("b"), []byte("c"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, record := range c.stream.Records() {
		var message telemetryschema.Message
		if err := json.Unmarshal(record.Data, &message); err != nil {
			t.Fatal(err)
		}
		count[string(message.Data)]++
	}
	if count["a"] < 2 || count["b"] < 1 || count["c"] < 2 {
		t.Errorf("in the stream %v, want a and c more than once", count)
	}
}

func TestBroker_error_action(t *testing.T) {
	c := start(t)
	device, err := c.Connect("kettle-1", "kettle-1")
	if err != nil {
		t.Fatal(err)
	}
	c.stream.SetFault(awstest.Fault{
		Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException",
	})
	if err := device.Publish("ashlar/dev/kettle-1/readings", []byte("a")); err != nil {
		t.Fatal(err)
	}
	keys := c.objects.Keys(t, "ingestion")
	prefix := "errors/rule/day=" + time.Now().UTC().Format(time.DateOnly) + "/"
	if len(keys) != 1 || !strings.HasPrefix(keys[0], prefix) ||
		!strings.HasSuffix(keys[0], ".json") {
		t.Fatalf("objects %v", keys)
	}
	found, err := c.objects.Client.GetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("ingestion"), Key: &keys[0]})
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(found.Body)
	if err != nil {
		t.Fatal(err)
	}
	document := object(t, string(content))
	if document["topic"] != "ashlar/dev/kettle-1/readings" ||
		document["base64OriginalPayload"] != "YQ==" || document["ruleName"] != "readings" {
		t.Errorf("the document is %s", content)
	}
	c.objects.SetFault(awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"})
	if err := device.Publish("ashlar/dev/kettle-1/readings", []byte("b")); err != nil {
		t.Fatal(err)
	}
	if want := (iottest.Counts{Received: 2, Failed: 1, Lost: 1}); c.Counts() != want {
		t.Errorf("%+v, want %+v", c.Counts(), want)
	}
}
