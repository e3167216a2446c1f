package test

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// TestVisibilityTimeoutsAreSixFunctionTimeoutsPlusTheBatchingWindow: Lambda's documentation
// recommends it. Mappings without partial batch responses would retry processed messages.
func TestVisibilityTimeoutsAreSixFunctionTimeoutsPlusTheBatchingWindow(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, mapping := range stack.Template.OfType("AWS::Lambda::EventSourceMapping") {
			want(t, mapping, []string{"ReportBatchItemFailures"}, "FunctionResponseTypes")
			queue := stack.Template.Resources[assembly.Refers(mapping.At("EventSourceArn"))]
			if queue.Type != "AWS::SQS::Queue" {
				continue
			}
			timeout, _ := stack.Template.Resources[assembly.Refers(
				mapping.At("FunctionName"))].At("Timeout").(float64)
			if timeout == 0 {
				t.Errorf("%s invokes a function without a timeout", mapping.ID)
			}
			window, _ := mapping.At("MaximumBatchingWindowInSeconds").(float64)
			want(t, queue, 6*timeout+window, "VisibilityTimeout")
		}
	})
}

// TestEveryDeadLetterQueueIsInParameterStore: make redrive reads it there, and can redrive its
// messages to exactly one source queue.
func TestEveryDeadLetterQueueIsInParameterStore(t *testing.T) {
	for _, environment := range environments.All() {
		named := map[string]string{} // queues, by name
		for _, stack := range platforms[environment.Name] {
			sources := map[string]int{} // how many queues have it as their DLQ, by logical id
			for _, queue := range stack.Template.OfType("AWS::SQS::Queue") {
				target := assembly.Refers(queue.At("RedrivePolicy", "deadLetterTargetArn"))
				if target != "" {
					sources[target]++
				}
			}
			for _, parameter := range stack.Template.OfType("AWS::SSM::Parameter") {
				full, _ := parameter.At("Name").(string)
				if path.Dir(full) != "/ashlar/"+environment.Name+"/dead-letter-queues" {
					continue
				}
				id := assembly.Refers(parameter.At("Value"))
				want(t, parameter, map[string]any{"Ref": id}, "Value") // a queue's Ref is its URL
				if sources[id] != 1 {
					t.Errorf("%s names %s, the dead-letter queue of %d queues, want 1", full, id,
						sources[id])
				}
				named[path.Base(full)] = id
				delete(sources, id)
			}
			for id := range sources {
				t.Errorf("%s/%s: %s is not in Parameter Store, so make redrive does not list it",
					environment.Name, stack.Name, id)
			}
		}
		for _, name := range []string{
			"CommentNotifications", "Feedback", "ThumbnailEvents", "Reports", "Thumbnails",
			"Welcome",
		} {
			if named[name] == "" {
				t.Errorf("%s has no dead-letter queue named %s", environment.Name, name)
			}
		}
	}
}

type deadLetterSettings struct {
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"`
}

func TestConsumerDefaults(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Function",
			gofunction.Props{Package: "example.com/fn", Settings: deadLetterSettings{}})
		c := consumer.New(stack, "Consumer", consumer.Props{Function: fn.Function})
		c.GrantSendToDLQ(fn)
	})
	queue := only(t, stack, "AWS::SQS::Queue", "ConsumerQueue")
	dlq := only(t, stack, "AWS::SQS::Queue", "ConsumerDeadLetterQueue")
	wantProperties(t, queue, map[string]any{
		"SqsManagedSseEnabled": true, "VisibilityTimeout": 60,
		"MessageRetentionPeriod": 4 * 24 * 60 * 60,
		"RedrivePolicy": map[string]any{
			"deadLetterTargetArn": arn(dlq), "maxReceiveCount": 5,
		},
	})
	wantProperties(t, dlq,
		map[string]any{"SqsManagedSseEnabled": true, "MessageRetentionPeriod": 14 * 24 * 60 * 60})
	wantProperties(t, only(t, stack, "AWS::Lambda::EventSourceMapping", ""), map[string]any{
		"FunctionName":   ref(only(t, stack, "AWS::Lambda::Function", "")),
		"EventSourceArn": arn(queue), "BatchSize": 10,
		"FunctionResponseTypes": []string{"ReportBatchItemFailures"},
		"ScalingConfig":         map[string]any{"MaximumConcurrency": 5},
	})
	if subscriptions := stack.Template.OfType("AWS::SNS::Subscription"); len(subscriptions) > 0 {
		t.Errorf("the queue is subscribed to %s, want no subscription",
			text(subscriptions[0].At("TopicArn")))
	}
}

func TestConsumerProps(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Function",
			gofunction.Props{Package: "example.com/fn", Timeout: time.Minute})
		c := consumer.New(stack, "Consumer", consumer.Props{
			Function: fn.Function, Topic: topic.New(stack, "Topic", topic.Props{}).Topic,
			Filter: map[string][]string{"event": {"a", "b"}},
			Delay:  15 * time.Minute, BatchSize: 1, MaxConcurrency: 1000,
		})
		c.AddSchedule("Hourly", time.Hour, `{"all":true}`)
	})
	queue := only(t, stack, "AWS::SQS::Queue", "ConsumerQueue")
	want(t, queue, 900, "DelaySeconds")
	want(t, queue, 360, "VisibilityTimeout")
	mapping := only(t, stack, "AWS::Lambda::EventSourceMapping", "")
	want(t, mapping, 1, "BatchSize")
	want(t, mapping, 1000, "ScalingConfig", "MaximumConcurrency")
	want(t, only(t, stack, "AWS::SNS::Subscription", ""),
		map[string]any{"event": []string{"a", "b"}}, "FilterPolicy")
	rule := only(t, stack, "AWS::Events::Rule", "")
	want(t, rule, "rate(60 minutes)", "ScheduleExpression")
	want(t, rule, `{"all":true}`, "Targets", 0, "Input")
}

func TestConsumerAcceptsLargeBatchesWithABatchingWindow(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Function",
			gofunction.Props{Package: "example.com/fn", Timeout: time.Minute})
		consumer.New(stack, "Consumer",
			consumer.Props{
				Function: fn.Function, BatchSize: 10000, BatchingWindow: 5 * time.Minute,
			})
	})
	want(t, only(t, stack, "AWS::SQS::Queue", "ConsumerQueue"), 6*60+300, "VisibilityTimeout")
	mapping := only(t, stack, "AWS::Lambda::EventSourceMapping", "")
	want(t, mapping, 10000, "BatchSize")
	want(t, mapping, 300, "MaximumBatchingWindowInSeconds")
}

func TestConsumerPropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) {
		consumer.New(stack, "Consumer", consumer.Props{
			Filter: map[string][]string{"event": {"a"}}, Delay: 16 * time.Minute, BatchSize: 11,
			MaxConcurrency: 1,
		})
	},
		"consumer: Consumer: Function is required; pass the function that consumes the messages",
		"consumer: Consumer: Filter: map[event:[a]], want none without a Topic",
		"consumer: Consumer: Delay: 16m0s, want whole seconds, at most 15m0s, and none "+
			"with Queue, which has its own",
		"consumer: Consumer: BatchSize: 11, want 1 to 10, or to 10000 with a BatchingWindow",
		"consumer: Consumer: MaxConcurrency: 1, want 2 to 1000",
	)
	for want, props := range map[string]consumer.Props{
		"consumer: Consumer: BatchSize: 10001, want 1 to 10000\n" +
			"consumer: Consumer: BatchingWindow: 5m1s, want whole seconds, at most 5m0s": {
			BatchSize: 10001, BatchingWindow: 301 * time.Second, VisibilityTimeout: time.Minute,
		},
		"consumer: Consumer: VisibilityTimeout is required; pass six times the timeout of the " +
			"imported Function": {},
	} {
		message := failure(t, false, func(stack awscdk.Stack) {
			props.Function = imported(stack)
			consumer.New(stack, "Consumer", props)
		})
		if message != want {
			t.Errorf("panics with\n%s\nwant\n%s", message, want)
		}
	}
	message := failure(t, false, func(stack awscdk.Stack) {
		c := consumer.New(stack, "Consumer",
			consumer.Props{Function: imported(stack), VisibilityTimeout: time.Minute})
		c.AddSchedule("Often", time.Minute, "every minute")
	})
	want := "consumer: Stack/Consumer.AddSchedule: every: 1m0s, want whole minutes, at " +
		"least 2m0s\n" +
		"consumer: Stack/Consumer.AddSchedule: message: \"every minute\", want JSON"
	if message != want {
		t.Errorf("panics with\n%s\nwant\n%s", message, want)
	}
}

// imported returns a function that another app has declared.
func imported(stack awscdk.Stack) awslambda.IFunction {
	const arn = "arn:aws:lambda:eu-central-1:111111111111:function:theirs"
	if found := stack.Node().TryFindChild(jsii.String("Theirs")); found != nil {
		return found.(awslambda.IFunction)
	}
	return awslambda.Function_FromFunctionArn(stack, jsii.String("Theirs"), jsii.String(arn))
}

func TestAConsumerOfAnExistingQueue(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Function",
			gofunction.Props{Package: "example.com/fn", Settings: deadLetterSettings{}})
		key := awskms.NewKey(stack, jsii.String("Key"), nil)
		queue := awssqs.NewQueue(stack, jsii.String("Theirs"),
			&awssqs.QueueProps{EncryptionMasterKey: key})
		c := consumer.New(stack, "Consumer", consumer.Props{
			Function: fn.Function, Queue: queue,
			DeadLetterQueue: awssqs.Queue_FromQueueArn(stack, jsii.String("DLQ"),
				jsii.String("arn:aws:sqs:eu-central-1:111111111111:dlq")),
		})
		c.GrantSendToDLQ(fn)
	})
	queue := only(t, stack, "AWS::SQS::Queue", "") // and no other
	want(t, only(t, stack, "AWS::Lambda::EventSourceMapping", ""), arn(queue), "EventSourceArn")
	policy := text(only(t, stack, "AWS::IAM::Policy", "").Properties)
	for _, action := range []string{"sqs:ReceiveMessage", "kms:Decrypt", "sqs:SendMessage"} {
		if !strings.Contains(policy, action) {
			t.Errorf("the function's policy lacks %s: %s", action, policy)
		}
	}
}

// TestAConsumersFunctionMayBeInAnotherStack: only the function's stack depends on the queue's.
func TestAConsumersFunctionMayBeInAnotherStack(t *testing.T) {
	app := newApp()
	stage := awscdk.NewStage(app, jsii.String("Test"), nil)
	code := awscdk.NewStack(stage, jsii.String("Code"), nil)
	fn := gofunction.New(code, "Function",
		gofunction.Props{Package: "example.com/fn", Settings: deadLetterSettings{}})
	data := awscdk.NewStack(stage, jsii.String("Data"), nil)
	for _, id := range []string{"One", "Two"} {
		c := consumer.New(data, id, consumer.Props{Function: fn.Function})
		if id == "One" {
			c.GrantSendToDLQ(fn)
		}
	}
	for _, stack := range synth(app) {
		mappings := len(stack.Template.OfType("AWS::Lambda::EventSourceMapping"))
		queues := len(stack.Template.OfType("AWS::SQS::Queue"))
		if stack.Name == "Code" && (mappings != 2 || queues != 0) ||
			stack.Name == "Data" && (mappings != 0 || queues != 4) {
			t.Errorf("%s has %d mappings and %d queues", stack.Name, mappings, queues)
		}
	}
}

// TestAConsumersQueueMayBeInAnotherStack: its policy refers to the rule that sends to it.
func TestAConsumersQueueMayBeInAnotherStack(t *testing.T) {
	app := newApp()
	stage := awscdk.NewStage(app, jsii.String("Test"), nil)
	data := awscdk.NewStack(stage, jsii.String("Data"), nil)
	queue := awssqs.NewQueue(data, jsii.String("Queue"), nil)
	code := awscdk.NewStack(stage, jsii.String("Code"), nil)
	fn := gofunction.New(code, "Function", gofunction.Props{Package: "example.com/fn"})
	for _, id := range []string{"One", "Two"} {
		c := consumer.New(code, id, consumer.Props{Function: fn.Function, Queue: queue})
		c.AddSchedule("Hourly", time.Hour, "{}")
		c.AddSchedule("Daily", 24*time.Hour, "{}")
	}
	for _, stack := range synth(app) {
		rules, want := len(stack.Template.OfType("AWS::Events::Rule")), 0
		if stack.Name == "Data" {
			want = 4
		}
		if rules != want {
			t.Errorf("%s has %d rules, want %d", stack.Name, rules, want)
		}
	}
}

// TestAConsumerOfAnImportedFunction: Lambda rejects a mapping before the role may receive.
func TestAConsumerOfAnImportedFunction(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		fn := awslambda.Function_FromFunctionAttributes(stack, jsii.String("Theirs"),
			&awslambda.FunctionAttributes{
				FunctionArn: jsii.String(
					"arn:aws:lambda:eu-central-1:111111111111:function:theirs"),
				Role: awsiam.Role_FromRoleArn(stack, jsii.String("Role"),
					jsii.String("arn:aws:iam::111111111111:role/theirs"), nil),
			})
		consumer.New(stack, "Consumer",
			consumer.Props{Function: fn, VisibilityTimeout: time.Minute})
	})
	policy := only(t, stack, "AWS::IAM::Policy", "")
	want(t, policy, "theirs", "Roles", 0)
	mapping := only(t, stack, "AWS::Lambda::EventSourceMapping", "")
	if !slices.Contains(oneOrMore(mapping.DependsOn), any(policy.ID)) {
		t.Errorf("the mapping depends on %s, want %s", text(mapping.DependsOn), policy.ID)
	}
}

// TestAConsumerOfAnEncryptedQueue: those who send need the key too.
func TestAConsumerOfAnEncryptedQueue(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Function",
			gofunction.Props{Package: "example.com/fn", Settings: deadLetterSettings{}})
		newQueue := func(id string) awssqs.Queue {
			return awssqs.NewQueue(stack, jsii.String(id), &awssqs.QueueProps{
				EncryptionMasterKey: awskms.NewKey(stack, jsii.String(id+"Key"), nil),
			})
		}
		c := consumer.New(stack, "Consumer", consumer.Props{
			Function: fn.Function, Queue: newQueue("Theirs"), DeadLetterQueue: newQueue("DLQ"),
		})
		c.GrantSendToDLQ(fn)
		c.AddSchedule("Hourly", time.Hour, "{}")
	})
	if key := only(t, stack, "AWS::KMS::Key", "TheirsKey"); !strings.Contains(
		text(key.At("KeyPolicy")), "events.amazonaws.com") {
		t.Errorf("EventBridge may not use the queue's key: %s", text(key.At("KeyPolicy")))
	}
	key := only(t, stack, "AWS::KMS::Key", "DLQKey")
	sends := false
	for _, s := range statements(t, stack) {
		for _, on := range s.resources {
			sends = sends || assembly.Refers(on) == key.ID &&
				strings.Contains(text(s.actions), "kms:GenerateDataKey")
		}
	}
	if !sends {
		t.Error("the function may not use the dead-letter queue's key")
	}
}

func TestTopicPropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) {
		topic.New(stack, "Topic", topic.Props{Publisher: "ses"})
	},
		"topic: Topic: Publisher: ses, want a service such as ses.amazonaws.com",
		"topic: Topic: Source: , want the ARN of the resource that Publisher publishes for, or "+
			"neither",
	)
	wantPanic(t, func(stack awscdk.Stack) {
		topic.New(stack, "Topic", topic.Props{Source: "arn:aws:s3:::bucket"})
	},
		"topic: Topic: Source: arn:aws:s3:::bucket, want the ARN of the resource that Publisher "+
			"publishes for, or neither",
	)
}

func TestAFunctionCannotPublishToTheTopicOfAService(t *testing.T) {
	message := ""
	synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Function", gofunction.Props{Package: "example.com/fn"})
		service := topic.New(stack, "Theirs",
			topic.Props{Publisher: "s3.amazonaws.com", Source: "arn:aws:s3:::bucket"})
		message = panicMessage(func() { service.GrantPublish(fn) })
	})
	want := "topic: Test/Stack/Theirs.GrantPublish: the topic's key is for its Publisher; " +
		"declare a topic without Publisher"
	if message != want {
		t.Errorf("%q, want %q", message, want)
	}
}

func TestTopicArgumentsAreValidated(t *testing.T) {
	synthStack(func(stack awscdk.Stack) {
		messages := topic.New(stack, "Topic", topic.Props{})
		queue := awssqs.NewQueue(stack, jsii.String("Queue"), nil)
		for want, call := range map[string]func(){
			"topic: Test/Stack/Topic.GrantPublish: grantee is required; pass the function or " +
				"the role that gets the permissions": func() { messages.GrantPublish(nil) },
			"grant of sns:Publish: the grantee is a service, an account or an ARN, which has no " +
				"policy; pass a function, a role, a user or a group": func() {
				messages.GrantPublish(awsiam.NewServicePrincipal(
					jsii.String("ecs.amazonaws.com"), nil))
			},
			"topic: Test/Stack/Topic.AddQueueSubscription: queue is required; pass a queue, of " +
				"this app or imported\n" +
				"topic: Test/Stack/Topic.AddQueueSubscription: deadLetterQueue is required; pass " +
				"a queue, of this app or imported": func() {
				messages.AddQueueSubscription(nil, nil, nil)
			},
			"topic: Test/Stack/Topic.AddQueueSubscription: filter[event]: [], want at least " +
				"one value": func() {
				messages.AddQueueSubscription(queue, queue, map[string][]string{"event": nil})
			},
		} {
			if got := panicMessage(call); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	})
}

// TestTopicOfRolesAndImportedQueues: topics work with constructs that are not of this library.
func TestTopicOfRolesAndImportedQueues(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		messages := topic.New(stack, "Topic", topic.Props{})
		role := awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("ecs-tasks.amazonaws.com"), nil),
		})
		if grant := messages.GrantPublish(role); !*grant.Success() {
			t.Error("GrantPublish has not added a statement")
		}
		imported := func(name string) awssqs.IQueue {
			return awssqs.Queue_FromQueueArn(stack, jsii.String(name),
				jsii.String("arn:aws:sqs:eu-central-1:111111111111:"+name))
		}
		messages.AddQueueSubscription(imported("Jobs"), imported("Failed"), map[string][]string{})
	})
	published := only(t, stack, "AWS::SNS::Topic", "")
	comparePermissions(t, "Role",
		rolePermissions(t, stack, only(t, stack, "AWS::IAM::Role", "").ID),
		map[string]any{"sns:Publish": ref(published)})
	wantProperties(t, only(t, stack, "AWS::SNS::Subscription", ""), map[string]any{
		"TopicArn": ref(published), "Protocol": "sqs", "RawMessageDelivery": true,
		"Endpoint": "arn:aws:sqs:eu-central-1:111111111111:Jobs",
		"RedrivePolicy": map[string]any{
			"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:111111111111:Failed",
		},
	})
}
