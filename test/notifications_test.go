package test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// TestNotificationsAreDelayedByTheWindow: the queue's delay equals the function's setting WINDOW.
func TestNotificationsAreDelayedByTheWindow(t *testing.T) {
	forEachEnvironment(t, "Notifications", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		queue := only(t, stack, "AWS::SQS::Queue", "CommentNotificationsQueue")
		dlq := only(t, stack, "AWS::SQS::Queue", "CommentNotificationsDeadLetterQueue")
		function := only(t, stack, "AWS::Lambda::Function", "Notifications")
		commentEvents := importOf(t, environment.Name, "API",
			only(t, platforms[environment.Name]["API"], "AWS::SNS::Topic", "CommentEvents"), "")
		wantProperties(t, queue, map[string]any{
			"DelaySeconds": 300, "MessageRetentionPeriod": 4 * 24 * 60 * 60,
			"SqsManagedSseEnabled": true,
			"VisibilityTimeout":    6 * 120, // six times the function's
			"RedrivePolicy": map[string]any{
				"deadLetterTargetArn": arn(dlq), "maxReceiveCount": 5,
			},
		})
		want(t, function, "5m0s", "Environment", "Variables", "WINDOW")
		wantProperties(t, only(t, stack, "AWS::SNS::Subscription", ""), map[string]any{
			"TopicArn": commentEvents, "Protocol": "sqs", "Endpoint": arn(queue),
			"RawMessageDelivery": true,
			"FilterPolicy":       map[string]any{"event": []string{"comment.created"}},
			"RedrivePolicy":      map[string]any{"deadLetterTargetArn": arn(dlq)},
		})
		wantProperties(t, only(t, stack, "AWS::Lambda::EventSourceMapping", ""), map[string]any{
			"FunctionName": ref(function), "EventSourceArn": arn(queue), "BatchSize": 10,
			"FunctionResponseTypes": []string{"ReportBatchItemFailures"},
			"ScalingConfig":         map[string]any{"MaximumConcurrency": 2},
		})
		for name, value := range (notifications.Message{}).Attributes() {
			filter := text(map[string]any{name: []string{value}})
			if filter != `{"event":["comment.created"]}` {
				t.Errorf("messages have the attributes %s, which the filter rejects", filter)
			}
		}
	})
}

func TestOverdueNotificationsAreSentEveryQuarterOfAnHour(t *testing.T) {
	forEachEnvironment(t, "Notifications", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		queue := only(t, stack, "AWS::SQS::Queue", "CommentNotificationsQueue")
		rule := only(t, stack, "AWS::Events::Rule", "")
		wantProperties(t, rule, map[string]any{
			"ScheduleExpression": "rate(15 minutes)",
			"Targets": []any{
				map[string]any{"Id": "Queue", "Arn": arn(queue), "Input": `{"overdue":true}`},
			},
		})
		var message notifications.Message
		err := json.Unmarshal([]byte(fmt.Sprint(rule.At("Targets", 0, "Input"))), &message)
		if err != nil || message != (notifications.Message{Overdue: true}) {
			t.Errorf("the function reads %+v (%v)", message, err)
		}
		commentEvents := importOf(t, environment.Name, "API",
			only(t, platforms[environment.Name]["API"], "AWS::SNS::Topic", "CommentEvents"), "")
		sends := func(service string, source any) any {
			return map[string]any{
				"Effect": "Allow", "Action": "sqs:SendMessage",
				"Principal": map[string]any{"Service": service}, "Resource": arn(queue),
				"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": source}},
			}
		}
		allowed := allowStatements(t, stack, "AWS::SQS::QueuePolicy", "Queues", queue)
		want := []any{
			sends("sns.amazonaws.com", commentEvents), sends("events.amazonaws.com", arn(rule)),
		}
		if text(allowed) != text(want) {
			t.Errorf("the queue's policy allows %s, want %s", text(allowed), text(want))
		}
	})
}

func TestTheNotificationsFunctionHasItsPermissions(t *testing.T) {
	forEachEnvironment(t, "Notifications", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		of := func(name, resourceType, prefix, attribute string) any {
			return importOf(t, environment.Name, name,
				only(t, platforms[environment.Name][name], resourceType, prefix), attribute)
		}
		queue := arn(only(t, stack, "AWS::SQS::Queue", "CommentNotificationsQueue"))
		wantPermissions(t, stack, "Notifications", map[string]any{
			"cognito-idp:ListUsers": of("Identity", "AWS::Cognito::UserPool", "", "Arn"),
			"dynamodb:GetItem":      of("MailingList", "AWS::DynamoDB::Table", "", "Arn"),
			"ses:SendEmail": sendEmailPermission(environment, stack,
				of("MailingList", "AWS::SES::ConfigurationSet", "", "")),
			"secretsmanager:GetSecretValue": []any{
				of("API", "AWS::SecretsManager::Secret", "TokenKey", ""),
				of("Data", "AWS::SecretsManager::SecretTargetAttachment", "DatabaseAppSecret", ""),
			},
			"sqs:ReceiveMessage": queue, "sqs:DeleteMessage": queue,
			"sqs:GetQueueAttributes": queue,
		})
		function := only(t, stack, "AWS::Lambda::Function", "Notifications")
		if function.At("VpcConfig") == nil {
			t.Error("it is not in the VPC, and cannot reach the database")
		}
		want(t, function, of("MailingList", "AWS::DynamoDB::Table", "", ""), "Environment",
			"Variables", "MAILING_LIST_TABLE")
		want(t, function, of("Identity", "AWS::Cognito::UserPool", "", ""), "Environment",
			"Variables", "USER_POOL_ID")
		want(t, function, fnJoin(ownOrigins(t, environment)[0]...), "Environment", "Variables",
			"WEBSITE_URL")
	})
}

// TestOnlyThePostsFunctionPublishesCommentEvents: all subscribers of the topic read its messages.
func TestOnlyThePostsFunctionPublishesCommentEvents(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		topic := only(t, stack, "AWS::SNS::Topic", "CommentEvents")
		for _, s := range statements(t, stack) {
			for _, on := range s.resources {
				if assembly.Refers(on) != topic.ID || s.effect != "Allow" {
					continue
				}
				role := assembly.Refers(only(t, stack, "AWS::Lambda::Function", "Posts").At("Role"))
				if assembly.Refers(stack.Template.Resources[s.resource].At("Roles", 0)) != role ||
					text(s.document["Action"]) != `"sns:Publish"` {
					t.Errorf("%s: %s", s.resource, text(s.document))
				}
			}
		}
		want(t, only(t, stack, "AWS::Lambda::Function", "Posts"), ref(topic), "Environment",
			"Variables", "TOPIC_ARN")
	})
}
