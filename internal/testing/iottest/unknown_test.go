package iottest

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestRule_parse changes a valid rule: a setting that iottest does not emulate must be an error.
func TestRule_parse(t *testing.T) {
	const known = `{"TopicRulePayload": {
		"AwsIotSqlVersion": "2016-03-23", "Sql": "SELECT topic() AS topic FROM 'a'",
		"Actions": [{"Kinesis": {"StreamName": "s", "PartitionKey": "k"}}],
		"ErrorAction": {"S3": {"BucketName": "b", "Key": "k"}}}}`
	for change, says := range map[string]string{
		"":                                          "",
		"2016-03-23 2015-10-08":                     "SQL version",
		`"Kinesis" "Lambda"`:                        `unknown field "Lambda"`,
		`"ErrorAction" "BatchMode"`:                 `unknown field "BatchMode"`,
		`"S3" "Sqs"`:                                `unknown field "Sqs"`,
		`topic()#AS#topic *`:                        "want AS",
		`topic()#AS#topic temperature#AS#t`:         "want a function",
		`topic() topic(3)`:                          "does not emulate topic",
		`topic() encode(*,#'base32')`:               "does not emulate encode",
		`topic() sin(timestamp())`:                  "does not emulate sin",
		`FROM#'a' FROM#'a'#WHERE#true`:              "nothing after it",
		`"Key":#"k" "Key":#"${timestamp("`:          "want a function",
		`"Key":#"k" "Key":#"${timestamp()"`:         "want }",
		`"BucketName":#"b", "CannedAcl":#"public",`: `unknown field "CannedAcl"`,
	} {
		text := known
		if from, to, ok := strings.Cut(change, " "); ok {
			text = strings.ReplaceAll(known, strings.ReplaceAll(from, "#", " "),
				strings.ReplaceAll(to, "#", " "))
		}
		var properties map[string]any
		if err := json.Unmarshal([]byte(text), &properties); err != nil {
			t.Fatalf("%s: %v", change, err)
		}
		var r rule
		err := decode(properties, &r)
		if err == nil {
			err = r.parse()
		}
		if says == "" && err != nil ||
			says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", change, err, says)
		}
	}
}

func TestPolicy_check(t *testing.T) {
	const document = `{"PolicyDocument": {"Statement": [
		{"Effect": "Allow", "Condition": {"StringEquals": {"aws:SourceIp": "10.0.0.1"}}}]}}`
	var p policy
	if err := json.Unmarshal([]byte(document), &p); err != nil {
		t.Fatal(err)
	}
	if p.check() == nil {
		t.Error("no error for a condition that iottest does not emulate")
	}
}

func TestMatchesFilter(t *testing.T) {
	for pair, want := range map[string]bool{
		"a/+/c a/b/c": true, "a/+/c a//c": true, "a/+ a/b/c": false, "a/+/c a/b": false,
		"a/# a/b/c": true, "a/b a/b/c": false, "a/b/c a/b": false, "+ a": true,
	} {
		filter, topic, _ := strings.Cut(pair, " ")
		if got := matchesFilter(filter, topic); got != want {
			t.Errorf("%s and %s: %t", filter, topic, got)
		}
	}
}

func TestPolicy_allows_variables(t *testing.T) {
	p := policy{}
	p.PolicyDocument.Statement = []statement{{
		Effect: "Allow", Action: oneOrMore{"iot:Publish"},
		Resource: oneOrMore{
			"arn:aws:iot:eu-central-1:111111111111:topic/a/${iot:Connection.Thing.ThingName}",
		},
	}}
	if !p.allows(connection{thing: "kettle-1"}, "iot:Publish", "topic", "a/kettle-1") {
		t.Error("a thing is not allowed to publish to its topic")
	}
	if p.allows(connection{thing: ".*"}, "iot:Publish", "topic", "a/kettle-1") {
		t.Error("a thing whose name is a pattern is allowed to publish to all topics")
	}
	if p.allows(connection{}, "iot:Publish", "topic", "a/") {
		t.Error("a certificate without a thing is allowed to publish to the topic of an empty name")
	}
}
