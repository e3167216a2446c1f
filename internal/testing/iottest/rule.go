package iottest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
)

// A rule is an AWS::IoT::TopicRule.
type rule struct {
	RuleName         string
	TopicRulePayload struct {
		Description, AwsIotSqlVersion, Sql string
		RuleDisabled                       bool
		Actions                            []struct{ Kinesis kinesisAction }
		ErrorAction                        struct{ S3 s3Action }
	}
	Tags any

	query        query
	errorKey     template // the key of the error action's object
	partitionKey template
}

type kinesisAction struct{ RoleArn, StreamName, PartitionKey string }

type s3Action struct{ RoleArn, BucketName, Key string }

// parse parses the rule's SQL statement and substitution templates.
func (r *rule) parse() error {
	payload := r.TopicRulePayload
	if payload.RuleDisabled || payload.AwsIotSqlVersion != "2016-03-23" ||
		len(payload.Actions) != 1 {
		return fmt.Errorf(
			"disabled %t, SQL version %q, %d actions; "+
				"want an enabled rule, SQL version 2016-03-23, one action",
			payload.RuleDisabled, payload.AwsIotSqlVersion, len(payload.Actions))
	}
	if payload.Actions[0].Kinesis.StreamName == "" || payload.ErrorAction.S3.BucketName == "" {
		return errors.New(
			"the rule needs a Kinesis action with a stream and an S3 error action with a bucket")
	}
	var err error
	if r.query, err = parseQuery(payload.Sql); err != nil {
		return err
	}
	if r.errorKey, err = parseTemplate(payload.ErrorAction.S3.Key); err != nil {
		return err
	}
	r.partitionKey, err = parseTemplate(payload.Actions[0].Kinesis.PartitionKey)
	return err
}

// A publication is the input of a rule's expressions.
type publication struct {
	topic   string
	payload []byte
	client  string
	at      time.Time // when the rule is applied
}

// applyRule applies the rule to a publication.
func (b *Broker) applyRule(ctx context.Context, p publication) {
	if !matchesFilter(b.rule.query.filter, p.topic) {
		b.lost.Add(1)
		return
	}
	p.at = time.Now()
	record, err := b.rule.query.evaluate(p)
	if err == nil {
		var key string
		if key, err = b.rule.partitionKey.evaluate(p); err == nil {
			stream := b.rule.TopicRulePayload.Actions[0].Kinesis.StreamName
			_, err = b.settings.Kinesis.PutRecord(ctx,
				&kinesis.PutRecordInput{StreamName: &stream, Data: record, PartitionKey: &key},
				func(o *kinesis.Options) { o.RetryMaxAttempts = 1 })
		}
	}
	if err == nil {
		b.put.Add(1)
		return
	}
	if b.applyErrorAction(ctx, p, err) != nil {
		b.lost.Add(1)
		return
	}
	b.failed.Add(1)
}

// applyErrorAction writes the error action's object: "Error handling (error action)" in the AWS IoT
// Core Developer Guide.
func (b *Broker) applyErrorAction(ctx context.Context, p publication, reason error) error {
	document, err := json.Marshal(map[string]any{
		"ruleName":              b.rule.RuleName,
		"topic":                 p.topic,
		"cloudwatchTraceId":     uuid.NewString(),
		"clientId":              p.client,
		"base64OriginalPayload": p.payload,
		"failures": []any{map[string]string{
			"failedAction":   "KinesisAction",
			"failedResource": b.rule.TopicRulePayload.Actions[0].Kinesis.StreamName,
			"errorMessage":   reason.Error(),
		}},
	})
	if err != nil {
		return err
	}
	key, err := b.rule.errorKey.evaluate(p)
	if err != nil {
		return err
	}
	bucket := b.rule.TopicRulePayload.ErrorAction.S3.BucketName
	_, err = b.settings.S3.PutObject(ctx,
		&s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(document)},
		func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	return err
}

// matchesFilter reports whether an MQTT topic filter matches the topic.
func matchesFilter(filter, topic string) bool {
	levels, names := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range levels {
		switch {
		case level == "#":
			return true
		case i >= len(names) || level != "+" && level != names[i]:
			return false
		}
	}
	return len(levels) == len(names)
}
