package test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mailinglist"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// wantProperties fails the test unless the resource has exactly these properties, besides its tags.
func wantProperties(t *testing.T, resource assembly.Resource, want map[string]any) {
	t.Helper()
	got := maps.Clone(resource.Properties)
	delete(got, "Tags")
	if text(got) != text(want) {
		t.Errorf("%s is %s\nwant %s", resource.ID, text(got), text(want))
	}
}

// ref returns the Ref of a resource.
func ref(resource assembly.Resource) any { return map[string]any{"Ref": resource.ID} }

// importOf returns the import of an attribute of another stack's resource, such as "Arn", or of its
// Ref if the attribute is empty.
func importOf(
	t *testing.T, environment, stack string, resource assembly.Resource, attribute string,
) any {
	t.Helper()
	value := ref(resource)
	if attribute != "" {
		value = map[string]any{"Fn::GetAtt": []string{resource.ID, attribute}}
	}
	for _, output := range platforms[environment][stack].Template.Outputs {
		if output["Export"] != nil && text(output["Value"]) == text(value) {
			return map[string]any{"Fn::ImportValue": assembly.At(output["Export"], "Name")}
		}
	}
	t.Fatalf("%s/%s does not export %s", environment, stack, text(value))
	return nil
}

// functionPermissions returns the permissions of a function's code and of Lambda on its behalf,
// without those for logs, traces and network interfaces, which are the same for all functions.
func functionPermissions(t *testing.T, stack assembly.Stack, function string) map[string]string {
	t.Helper()
	found := rolePermissions(t, stack,
		assembly.Refers(only(t, stack, "AWS::Lambda::Function", function).At("Role")))
	maps.DeleteFunc(found, func(action, _ string) bool {
		return slices.ContainsFunc(serviceActions, func(prefix string) bool {
			return strings.HasPrefix(action, prefix)
		})
	})
	return found
}

// rolePermissions returns a role's permissions: each action with the resource and the condition of
// its statement.
func rolePermissions(t *testing.T, stack assembly.Stack, role string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, s := range grants(t, stack, role) {
		for _, action := range s.actions {
			on := text(s.document["Resource"])
			if condition := s.document["Condition"]; condition != nil {
				on += " if " + text(condition)
			}
			if other, ok := found[action]; ok {
				on = other + " and " + on
			}
			found[action] = on
		}
	}
	return found
}

// wantPermissions fails the test unless the function has exactly these permissions.
func wantPermissions(t *testing.T, stack assembly.Stack, function string, want map[string]any) {
	t.Helper()
	comparePermissions(t, function, functionPermissions(t, stack, function), want)
}

// comparePermissions fails the test unless exactly the permissions in want are allowed.
func comparePermissions(t *testing.T, who string, allowed map[string]string, want map[string]any) {
	t.Helper()
	wanted := map[string]string{}
	for action, on := range want {
		wanted[action] = fmt.Sprint(on)
		if _, ok := on.(string); !ok {
			wanted[action] = text(on)
		}
	}
	if diff := cmp.Diff(wanted, allowed); diff != "" {
		t.Errorf("%s (-want +allowed):\n%s", who, diff)
	}
}

// sesARN returns the ARN of an SES resource, as in templates.
func sesARN(stack assembly.Stack, parts ...any) any {
	base := accountARN(stack, "ses", "")
	list, ok := assembly.At(base, "Fn::Join", 1).([]any)
	if !ok {
		list = []any{base}
	}
	return fnJoin(append(slices.Clone(list), parts...)...)
}

// sendEmailPermission returns the permission of a function that sends mails: for the sender's
// identity, with the configuration set, and from the environment's address.
func sendEmailPermission(
	environment environments.Environment, stack assembly.Stack, set any,
) string {
	_, address, ok := strings.Cut(strings.TrimSuffix(environment.MailFrom, ">"), "<")
	if !ok {
		address = environment.MailFrom
	}
	identities := sesARN(stack, "identity/"+environment.MailIdentity)
	if environment.MailSandbox {
		identities = sesARN(stack, "identity/*") // SES requires the recipient's too
	}
	resources := []any{sesARN(stack, "configuration-set/", set), identities}
	// The CDK sorts them.
	slices.SortFunc(resources, func(a, b any) int { return strings.Compare(text(a), text(b)) })
	return text(resources) +
		" if " + text(map[string]any{"StringEquals": map[string]any{"ses:FromAddress": address}})
}

func TestSubscriptionsAreEncryptedAndCanBeRestored(t *testing.T) {
	forEachEnvironment(t, "MailingList", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		attribute := func(name string) any {
			return map[string]any{"AttributeName": name, "AttributeType": "S"}
		}
		key := func(name, kind string) any {
			return map[string]any{"AttributeName": name, "KeyType": kind}
		}
		wantProperties(t, only(t, stack, "AWS::DynamoDB::Table", ""), map[string]any{
			"AttributeDefinitions": []any{
				attribute("Address"), attribute("Kind"), attribute("Unsent"),
				attribute("CreatedAt"),
			},
			"KeySchema": []any{key("Address", "HASH"), key("Kind", "RANGE")},
			"GlobalSecondaryIndexes": []any{map[string]any{
				"IndexName": "Unsent",
				"KeySchema": []any{key("Unsent", "HASH"), key("CreatedAt", "RANGE")},
				"Projection": map[string]any{
					"ProjectionType": "INCLUDE", "NonKeyAttributes": []string{"ID"},
				},
			}},
			"BillingMode":                      "PAY_PER_REQUEST",
			"DeletionProtectionEnabled":        !environment.Disposable,
			"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
			// Encrypted with the key that AWS manages.
			"SSESpecification":    map[string]any{"SSEEnabled": true},
			"StreamSpecification": map[string]any{"StreamViewType": "NEW_AND_OLD_IMAGES"},
			"TimeToLiveSpecification": map[string]any{
				"AttributeName": "ExpiresAt", "Enabled": true,
			},
		})
	})
}

// TestTheTestTableEqualsTheDeployedTable: the functions' tests create the table that dynamodbtest
// defines.
func TestTheTestTableEqualsTheDeployedTable(t *testing.T) {
	forEachEnvironment(t, "MailingList", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		table, tested := only(t, stack, "AWS::DynamoDB::Table", ""), dynamodbtest.MailingList
		want(t, table, tested.AttributeDefinitions, "AttributeDefinitions")
		want(t, table, tested.KeySchema, "KeySchema")
		want(t, table, tested.BillingMode, "BillingMode")
		want(t, table, tested.StreamSpecification.StreamViewType, "StreamSpecification",
			"StreamViewType")
		want(t, table, dynamodbtest.MailingListTTL, "TimeToLiveSpecification", "AttributeName")
		indexes := oneOrMore(table.At("GlobalSecondaryIndexes"))
		if len(indexes) != len(tested.GlobalSecondaryIndexes) {
			t.Errorf("there are %d indexes and the test table has %d", len(indexes),
				len(tested.GlobalSecondaryIndexes))
		}
		for i, index := range tested.GlobalSecondaryIndexes {
			want(t, table, index.IndexName, "GlobalSecondaryIndexes", i, "IndexName")
			want(t, table, index.KeySchema, "GlobalSecondaryIndexes", i, "KeySchema")
			want(t, table, index.Projection.ProjectionType, "GlobalSecondaryIndexes", i,
				"Projection", "ProjectionType")
			want(t, table, index.Projection.NonKeyAttributes, "GlobalSecondaryIndexes", i,
				"Projection", "NonKeyAttributes")
		}
	})
}

func TestNewItemsInvokeTheWelcomeFunction(t *testing.T) {
	forEachEnvironment(t, "MailingList", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		table := only(t, stack, "AWS::DynamoDB::Table", "")
		wantProperties(t, only(t, stack, "AWS::Lambda::EventSourceMapping",
			"MailingListWelcomeStreamMapping"), map[string]any{
			"FunctionName":     ref(only(t, stack, "AWS::Lambda::Function", "MailingListWelcome")),
			"EventSourceArn":   map[string]any{"Fn::GetAtt": []string{table.ID, "StreamArn"}},
			"Enabled":          true,
			"StartingPosition": "TRIM_HORIZON",
			"FilterCriteria": map[string]any{"Filters": []any{map[string]any{
				"Pattern": `{"eventName":["INSERT"],` +
					`"dynamodb":{"Keys":{"Kind":{"S":["pending","subscription"]}}}}`,
			}}},
			"BatchSize":                      25,
			"MaximumBatchingWindowInSeconds": 1,
			"ParallelizationFactor":          2,
			"BisectBatchOnFunctionError":     true,
			"FunctionResponseTypes":          []string{"ReportBatchItemFailures"},
			"MaximumRetryAttempts":           10,
			"MaximumRecordAgeInSeconds":      6 * 60 * 60,
			"DestinationConfig": map[string]any{"OnFailure": map[string]any{
				"Destination": arn(
					only(t, stack, "AWS::SQS::Queue", "MailingListWelcomeRetryDeadLetterQueue")),
			}},
		})
	})
}

// TestFailedWelcomesCanBeRedriven: SQS redrives only from the dead-letter queues of other queues.
func TestFailedWelcomesCanBeRedriven(t *testing.T) {
	forEachEnvironment(t, "MailingList", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		queue := only(t, stack, "AWS::SQS::Queue", "MailingListWelcomeRetryQueue")
		dlq := only(t, stack, "AWS::SQS::Queue", "MailingListWelcomeRetryDeadLetterQueue")
		function := only(t, stack, "AWS::Lambda::Function", "MailingListWelcome")
		want(t, queue, map[string]any{"deadLetterTargetArn": arn(dlq), "maxReceiveCount": 5},
			"RedrivePolicy")
		want(t, dlq, nil, "RedrivePolicy")
		want(t, dlq, nil, "RedriveAllowPolicy") // every queue may use it
		want(t, function, ref(dlq), "Environment", "Variables", "DEAD_LETTER_QUEUE_URL")
		wantProperties(t, only(t, stack, "AWS::Lambda::EventSourceMapping",
			"MailingListWelcomeRetryMapping"), map[string]any{
			"FunctionName": ref(function), "EventSourceArn": arn(queue), "BatchSize": 10,
			"FunctionResponseTypes": []string{"ReportBatchItemFailures"},
			"ScalingConfig":         map[string]any{"MaximumConcurrency": 2},
		})
		allowed := allowStatements(t, stack, "AWS::SQS::QueuePolicy", "Queues", queue)
		if len(allowed) > 0 {
			t.Errorf("%s allows %s, want redriven messages only", queue.ID, text(allowed))
		}
	})
}

func TestTheMailingListFunctionsHaveTheirPermissions(t *testing.T) {
	forEachEnvironment(t, "MailingList",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			table := only(t, stack, "AWS::DynamoDB::Table", "")
			stream := map[string]any{"Fn::GetAtt": []string{table.ID, "StreamArn"}}
			queue := func(name string) any { return arn(only(t, stack, "AWS::SQS::Queue", name)) }
			wantPermissions(t, stack, "MailingListWelcome", map[string]any{
				"dynamodb:GetItem":          arn(table),
				"dynamodb:UpdateItem":       arn(table),
				"dynamodb:Query":            fnJoin(arn(table), "/index/Unsent"),
				"dynamodb:DescribeStream":   stream,
				"dynamodb:GetRecords":       stream,
				"dynamodb:GetShardIterator": stream,
				"dynamodb:ListStreams":      stream,
				"ses:SendEmail": sendEmailPermission(environment, stack,
					ref(only(t, stack, "AWS::SES::ConfigurationSet", ""))),
				"sqs:SendMessage":        queue("MailingListWelcomeRetryDeadLetterQueue"),
				"sqs:ReceiveMessage":     queue("MailingListWelcomeRetryQueue"),
				"sqs:DeleteMessage":      queue("MailingListWelcomeRetryQueue"),
				"sqs:GetQueueAttributes": queue("MailingListWelcomeRetryQueue"),
			})
			wantPermissions(t, stack, "MailingListFeedback", map[string]any{
				"dynamodb:PutItem":       arn(table),
				"dynamodb:DeleteItem":    arn(table),
				"sqs:SendMessage":        queue("MailingListFeedbackEventsDeadLetterQueue"),
				"sqs:ReceiveMessage":     queue("MailingListFeedbackEventsQueue"),
				"sqs:DeleteMessage":      queue("MailingListFeedbackEventsQueue"),
				"sqs:GetQueueAttributes": queue("MailingListFeedbackEventsQueue"),
			})
			api := platforms[environment.Name]["API"]
			tableARN := importOf(t, environment.Name, "MailingList", table, "Arn")
			wantPermissions(t, api, "Subscriptions", map[string]any{
				"dynamodb:GetItem":    tableARN,
				"dynamodb:PutItem":    tableARN,
				"dynamodb:DeleteItem": tableARN,
				"secretsmanager:GetSecretValue": ref(
					only(t, api, "AWS::SecretsManager::Secret", "TokenKey")),
			})
		})
}

// TestOnlyTwoFunctionsUseSES checks all policies. Other tests check the full permissions of the two
// functions.
func TestOnlyTwoFunctionsUseSES(t *testing.T) {
	senders := map[string]bool{}
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, s := range statements(t, stack) {
			for _, action := range s.actions {
				if !strings.HasPrefix(action, "ses:") {
					continue
				}
				if action != "ses:SendEmail" ||
					assembly.At(s.document, "Condition", "StringEquals", "ses:FromAddress") == nil {
					t.Errorf("%s: %s", s.resource, text(s.document))
				}
				senders[stack.Name+"/"+strings.Split(s.resource, "Role")[0]] = true
			}
		}
	})
	want := map[string]bool{
		"MailingList/MailingListWelcome": true, "Notifications/Notifications": true,
	}
	if !cmp.Equal(senders, want) {
		t.Errorf("the functions %v send mails, want %v", senders, want)
	}
}

func TestMailsAreSentWithTLSAndNotToSuppressedAddresses(t *testing.T) {
	forEachEnvironment(t, "MailingList",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			set := only(t, stack, "AWS::SES::ConfigurationSet", "")
			wantProperties(t, set, map[string]any{
				"DeliveryOptions":   map[string]any{"TlsPolicy": "REQUIRE"},
				"ReputationOptions": map[string]any{"ReputationMetricsEnabled": true},
				"SendingOptions":    map[string]any{"SendingEnabled": true},
				"SuppressionOptions": map[string]any{
					"SuppressedReasons": []string{"BOUNCE", "COMPLAINT"},
				},
			})
			wantProperties(t, only(t, stack, "AWS::SES::EmailIdentity", ""), map[string]any{
				"EmailIdentity":              environment.MailIdentity,
				"ConfigurationSetAttributes": map[string]any{"ConfigurationSetName": ref(set)},
				"FeedbackAttributes":         map[string]any{"EmailForwardingEnabled": false},
			})
			function := only(t, stack, "AWS::Lambda::Function", "MailingListWelcome")
			want(t, function, ref(set), "Environment", "Variables", "MAIL_CONFIGURATION_SET")
			want(t, function, ref(only(t, stack, "AWS::DynamoDB::Table", "")), "Environment",
				"Variables", "MAILING_LIST_TABLE")
			got := function.At("Environment", "Variables", "MAIL_FROM")
			if strings.ReplaceAll(fmt.Sprint(got), `"`, "") != environment.MailFrom {
				t.Errorf("the sender of mails is %v, want %s", got, environment.MailFrom)
			}
		})
}

func TestBouncesAndComplaintsReachTheFeedbackFunction(t *testing.T) {
	forEachEnvironment(t, "MailingList", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		set := only(t, stack, "AWS::SES::ConfigurationSet", "")
		topic := only(t, stack, "AWS::SNS::Topic", "MailingListFeedbackTopic")
		destination := only(t, stack, "AWS::SES::ConfigurationSetEventDestination", "")
		wantProperties(t, destination, map[string]any{
			"ConfigurationSetName": ref(set),
			"EventDestination": map[string]any{
				"Enabled": true, "MatchingEventTypes": []string{"bounce", "complaint"},
				"SnsDestination": map[string]any{"TopicARN": ref(topic)},
			},
		})
		policy := only(t, stack, "AWS::SNS::TopicPolicy", "MailingListFeedbackTopic")
		if !slices.Contains(oneOrMore(destination.DependsOn), any(policy.ID)) {
			t.Errorf("%s does not depend on %s, and SES would reject the topic", destination.ID,
				policy.ID)
		}
		allowed := allowStatements(t, stack, "AWS::SNS::TopicPolicy", "Topics", topic)
		for _, statement := range allowed {
			delete(statement.(map[string]any), "Sid") // the CDK numbers statements
		}
		if want := []any{map[string]any{
			"Effect": "Allow", "Action": "sns:Publish",
			"Principal": map[string]any{"Service": "ses.amazonaws.com"}, "Resource": ref(topic),
			"Condition": map[string]any{"StringEquals": map[string]any{
				"aws:SourceAccount": accountID(stack),
				"aws:SourceArn":     sesARN(stack, "configuration-set/", ref(set)),
			}},
		}}; text(allowed) != text(want) {
			t.Errorf("the topic's policy allows %s, want %s", text(allowed), text(want))
		}
		key := only(t, stack, "AWS::KMS::Key", "MailingListFeedbackTopic")
		want(t, topic, arn(key), "KmsMasterKeyId")
		services := []any{}
		for _, statement := range oneOrMore(key.At("KeyPolicy", "Statement")) {
			if service := assembly.At(statement, "Principal", "Service"); service != nil {
				// TestKeysAllowTheirAccountAndTheirServicesOnly checks their actions
				services = append(services, service)
			}
		}
		if text(services) != `["ses.amazonaws.com"]` {
			t.Errorf("the key allows %s, want SES; otherwise no event reaches the topic",
				text(services))
		}

		queue := only(t, stack, "AWS::SQS::Queue", "MailingListFeedbackEventsQueue")
		dlq := only(t, stack, "AWS::SQS::Queue", "MailingListFeedbackEventsDeadLetterQueue")
		function := only(t, stack, "AWS::Lambda::Function", "MailingListFeedback")
		wantProperties(t, only(t, stack, "AWS::SNS::Subscription", ""), map[string]any{
			"TopicArn": ref(topic), "Protocol": "sqs", "Endpoint": arn(queue),
			"RawMessageDelivery": true,
			"RedrivePolicy":      map[string]any{"deadLetterTargetArn": arn(dlq)},
		})
		wantProperties(t, only(t, stack, "AWS::Lambda::EventSourceMapping",
			"MailingListFeedbackEventsMapping"), map[string]any{
			"FunctionName": ref(function), "EventSourceArn": arn(queue), "BatchSize": 10,
			"FunctionResponseTypes": []string{"ReportBatchItemFailures"},
			"ScalingConfig":         map[string]any{"MaximumConcurrency": 5},
		})
		want(t, queue, map[string]any{"deadLetterTargetArn": arn(dlq), "maxReceiveCount": 5},
			"RedrivePolicy")
		want(t, function, ref(dlq), "Environment", "Variables", "DEAD_LETTER_QUEUE_URL")
	})
}

// TestFunctionTimeoutsExceedTheirLeases: a function that finds a mail leased can wait for the end
// of the lease, and then send the mail.
func TestFunctionTimeoutsExceedTheirLeases(t *testing.T) {
	for _, test := range []struct {
		stack, function string
		shortest        time.Duration
	}{
		{"MailingList", "MailingListWelcome", email.MinLease},
		{"Notifications", "Notifications", email.MinLease},
	} {
		forEachEnvironment(t, test.stack, func(
			t *testing.T, _ environments.Environment, stack assembly.Stack,
		) {
			function := only(t, stack, "AWS::Lambda::Function", test.function)
			lease, err := time.ParseDuration(
				fmt.Sprint(function.At("Environment", "Variables", "LEASE_DURATION")))
			timeout, _ := function.At("Timeout").(float64)
			if err != nil || lease < test.shortest {
				t.Errorf("%s: the lease is %s (%v), want at least %s", function.ID, lease, err,
					test.shortest)
			}
			if run := time.Duration(timeout) * time.Second; run < lease+2*test.shortest {
				t.Errorf("%s: the timeout is %s, want time for a lease of %s and a mail",
					function.ID, run, lease)
			}
		})
	}
}

func TestTheWelcomeFunctionHasNoKeyAndNoDatabase(t *testing.T) {
	forEachEnvironment(t, "MailingList",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
				want(t, function, nil, "VpcConfig")
				variables := text(function.At("Environment", "Variables"))
				if strings.Contains(variables, "DATABASE") || strings.Contains(variables, "KEY") {
					t.Errorf("%s has the settings %s, want no key and no database", function.ID,
						variables)
				}
			}
		})
}

// TestTheSendersIdentityCanBeChanged: CloudFormation refuses to change or delete an export while
// another stack imports it, and that stack is deployed later.
func TestTheSendersIdentityCanBeChanged(t *testing.T) {
	forEachEnvironment(t, "MailingList",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			identity := only(t, stack, "AWS::SES::EmailIdentity", "")
			for id, output := range stack.Template.Outputs {
				if output["Export"] != nil && assembly.Refers(output["Value"]) == identity.ID {
					t.Errorf("the output %s exports the identity, want no export", id)
				}
			}
		})
}

func TestDNSRecordsOfADomainAreOutputs(t *testing.T) {
	forEachEnvironment(t, "MailingList",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			identity := only(t, stack, "AWS::SES::EmailIdentity", "")
			records := 0
			for id, output := range stack.Template.Outputs {
				if output["Export"] != nil {
					continue
				}
				records++
				n := strings.TrimPrefix(id, "MailDNSRecord")
				part := func(attribute string) any {
					return map[string]any{"Fn::GetAtt": []string{identity.ID, attribute + n}}
				}
				record := fnJoin(part("DkimDNSTokenName"), " CNAME ", part("DkimDNSTokenValue"))
				if got := output["Value"]; text(got) != text(record) {
					t.Errorf("%s is %s, want %s", id, text(got), text(record))
				}
			}
			isAddress := strings.Contains(environment.MailIdentity, "@")
			if want := map[bool]int{true: 0, false: 3}[isAddress]; records != want {
				t.Errorf("there are %d records for %s, want %d", records, environment.MailIdentity,
					want)
			}
		})
}

func TestSubscriptionsAreConfirmedUnlessSingleOptIn(t *testing.T) {
	forEachEnvironment(t, "API",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			disabled := map[bool]any{
				true: "true",
			}[environment.SingleOptIn] // omitted when it is false
			function := only(t, stack, "AWS::Lambda::Function", "Subscriptions")
			want(t, function, disabled, "Environment", "Variables", "SINGLE_OPT_IN")
			want(t, function, nil, "VpcConfig")
		})
}

// mails are the templates of mails in one language.
func mails() fstest.MapFS {
	files := fstest.MapFS{}
	for _, mail := range []string{"en/confirm", "en/welcome"} {
		files[mail+".subject.txt"] = &fstest.MapFile{Data: []byte("Hello")}
		files[mail+".txt"] = &fstest.MapFile{Data: []byte("{{.Link}}")}
		files[mail+".html"] = &fstest.MapFile{Data: []byte("<p>{{.Link}}</p>")}
	}
	return files
}

func TestMailingListProps(t *testing.T) {
	records := map[string]int{}
	french := fstest.MapFS{}
	for name, file := range mails() {
		french["fr"+strings.TrimPrefix(name, "en")] = file
	}
	stack := synthStack(func(stack awscdk.Stack) {
		for id, props := range map[string]mailinglist.Props{
			"Domain": {Identity: "example.com", From: "석공 <hello@news.example.com>"},
			"Address": {
				Identity: "hello@example.com", From: "hello@example.com", Disposable: true,
			},
			"Existing": {
				Identity: "example.com", ExistingIdentity: true, From: "bye@example.com",
				Templates: french, DefaultLanguage: "fr",
			},
		} {
			if props.Templates == nil {
				props.Templates = mails()
			}
			records[id] = len(mailinglist.New(stack, id, props).DKIMRecords())
		}
	})
	if want := map[string]int{"Domain": 3, "Address": 0, "Existing": 0}; !cmp.Equal(records, want) {
		t.Errorf("DNS records: %v, want %v", records, want)
	}
	// SES accepts names in ASCII only: RFC 2047.
	for id, from := range map[string]string{
		"Domain":   "=?utf-8?q?=EC=84=9D=EA=B3=B5?= <hello@news.example.com>",
		"Address":  "<hello@example.com>",
		"Existing": "<bye@example.com>",
	} {
		function := only(t, stack, "AWS::Lambda::Function", id+"Welcome")
		want(t, function, from, "Environment", "Variables", "MAIL_FROM")
		language := map[bool]string{true: "fr", false: "en"}[id == "Existing"]
		want(t, function, language, "Environment", "Variables", "DEFAULT_LANGUAGE")
	}
	identities := []string{}
	for _, identity := range stack.Template.OfType("AWS::SES::EmailIdentity") {
		identities = append(identities, fmt.Sprint(identity.At("EmailIdentity")))
	}
	slices.Sort(identities)
	if want := []string{"example.com", "hello@example.com"}; !cmp.Equal(identities, want) {
		t.Errorf("the identities %v are declared, want %v", identities, want)
	}
	for name, policy := range map[string]string{
		"Domain": "Retain", "Existing": "Retain", "Address": "Delete",
	} {
		if table := only(t, stack, "AWS::DynamoDB::Table", name); table.DeletionPolicy != policy ||
			table.UpdateReplacePolicy != policy {
			t.Errorf("%s: on deletion %s, on replacement %s, want %s", table.ID,
				table.DeletionPolicy, table.UpdateReplacePolicy, policy)
		}
	}
	want(t, only(t, stack, "AWS::DynamoDB::Table", "Domain"), true, "DeletionProtectionEnabled")
}

// TestMailingListGrantsToRoles: a grantee without settings gets the permissions.
func TestMailingListGrantsToRoles(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		role := func(id string) awsiam.Role {
			return awsiam.NewRole(stack, jsii.String(id), &awsiam.RoleProps{
				AssumedBy: awsiam.NewServicePrincipal(jsii.String("ecs-tasks.amazonaws.com"), nil),
			})
		}
		list := mailinglist.New(stack, "List", mailinglist.Props{
			Identity: "example.com", From: "hello@example.com", Templates: mails(),
		})
		for name, grant := range map[string]awsiam.Grant{
			"GrantSubscribe":        list.GrantSubscribe(role("Subscriber")),
			"GrantReadSuppressions": list.GrantReadSuppressions(role("Reader")),
			"GrantSendEmail":        list.GrantSendEmail(role("Sender")),
		} {
			if !*grant.Success() {
				t.Errorf("%s has not added a statement", name)
			}
		}
	})
	table := arn(only(t, stack, "AWS::DynamoDB::Table", ""))
	for role, want := range map[string]map[string]any{
		"Subscriber": {
			"dynamodb:GetItem": table, "dynamodb:PutItem": table, "dynamodb:DeleteItem": table,
		},
		"Reader": {"dynamodb:GetItem": table},
		"Sender": {"ses:SendEmail": sendEmailPermission(
			environments.Environment{MailIdentity: "example.com", MailFrom: "hello@example.com"},
			stack, ref(only(t, stack, "AWS::SES::ConfigurationSet", "")),
		)},
	} {
		comparePermissions(t, role,
			rolePermissions(t, stack, only(t, stack, "AWS::IAM::Role", role).ID), want)
	}
}

func TestMailingListPropsAreValidated(t *testing.T) {
	const noTemplates = `mailinglist: List: Templates is required; pass the texts of the mails, ` +
		`such as os.DirFS("mails") or an embed.FS: lambdas/welcome/contract.CheckTemplates`
	for _, test := range []struct {
		props mailinglist.Props
		lines []string
	}{
		{mailinglist.Props{}, []string{
			"mailinglist: List: Identity is required; pass the sender's domain or e-mail address",
			"mailinglist: List: From is required; pass the sender of mails, such as Example " +
				"<hello@example.com>",
			noTemplates,
		}},
		{mailinglist.Props{Identity: "example", From: "Example", Templates: mails()}, []string{
			`mailinglist: List: Identity: "example", want a domain such as example.com, or an ` +
				"e-mail address",
			`mailinglist: List: From: "Example", want an address, optionally with a name: ` +
				"Example <hello@example.com>",
		}},
		{mailinglist.Props{
			Identity: "Example <hello@example.com>", From: "hello@example.com",
			Templates: mails(),
		}, []string{
			`mailinglist: List: Identity: "Example <hello@example.com>", want a domain such as ` +
				"example.com, or an e-mail address",
			`mailinglist: List: From: "hello@example.com", want an address of Example ` +
				"<hello@example.com>",
		}},
		{mailinglist.Props{
			Identity: "example.com", From: "hello@badexample.com", Templates: mails(),
		}, []string{
			`mailinglist: List: From: "hello@badexample.com", want an address of example.com`,
		}},
		{mailinglist.Props{
			Identity: "hello@example.com", From: "Example <bye@example.com>", Templates: mails(),
		}, []string{
			`mailinglist: List: From: "Example <bye@example.com>", want an address of ` +
				"hello@example.com",
		}},
		{mailinglist.Props{
			Identity: "${Token[Domain.1]}", From: "hello@${Token[Domain.1]}", Templates: mails(),
		}, []string{
			"mailinglist: List: Identity: has the CDK token ${Token[Domain.1]}, which stays as " +
				"it is; pass a value that is known at synthesis",
			"mailinglist: List: From: has the CDK token ${Token[Domain.1]}, which stays as " +
				"it is; pass a value that is known at synthesis",
		}},
	} {
		wantPanic(t, func(stack awscdk.Stack) {
			mailinglist.New(stack, "List", test.props)
		}, test.lines...)
	}
}

// TestMailTemplatesAreValidated: whatever would fail in the function fails the synth.
func TestMailTemplatesAreValidated(t *testing.T) {
	for _, test := range []struct {
		change map[string]string // contents; empty removes a file
		lines  []string
	}{
		{map[string]string{"en/confirm.html": "", "en/welcome.txt": ""}, []string{
			"open en/confirm.html: file does not exist", "open en/welcome.txt: file does not exist",
		}},
		{map[string]string{"de/welcome.txt": "{{.Link}}"}, []string{
			"open de/confirm.subject.txt: file does not exist",
			"open de/confirm.txt: file does not exist",
			"open de/confirm.html: file does not exist",
			"open de/welcome.subject.txt: file does not exist",
			"open de/welcome.html: file does not exist",
		}},
		{map[string]string{"en/confirm.txt": "{{.Link"}, []string{"unclosed action"}},
		{
			map[string]string{"en/confirm.txt": "{{.URL}}"},
			[]string{"can't evaluate field URL in type mailinglist.TemplateData"},
		},
		{map[string]string{"en/welcome.html": "<p>Hello</p>"}, []string{
			"template en/welcome: the text or the HTML lacks the link; add {{.Link}}",
		}},
		{map[string]string{"layout.html": "<a href='{{.Subject}}>"}, []string{
			"template en/confirm: html/template:", "template en/welcome: html/template:",
		}},
		{map[string]string{"images/logo.txt": "logo"}, []string{
			`the folder "images" is not a language; want its tag, such as en`,
		}},
	} {
		files := mails()
		for name, content := range test.change {
			if files[name] = (&fstest.MapFile{Data: []byte(content)}); content == "" {
				delete(files, name)
			}
		}
		message := ""
		synthStack(func(stack awscdk.Stack) {
			message = panicMessage(func() {
				mailinglist.New(stack, "List", mailinglist.Props{
					Identity: "example.com", From: "hello@example.com", Templates: files,
				})
			})
		})
		lines := strings.Split(message, "\n")
		if len(lines) != len(test.lines) {
			t.Errorf("%v: panics with\n%s\nwant %d lines", test.change, message, len(test.lines))
			continue
		}
		for i, want := range test.lines {
			if !strings.HasPrefix(lines[i], "mailinglist: List: Templates: ") ||
				!strings.Contains(lines[i], want) {
				t.Errorf("%v: panics with %s, want %s", test.change, lines[i], want)
			}
		}
	}
}

func TestMailingListGrantsRequireAGrantee(t *testing.T) {
	synthStack(func(stack awscdk.Stack) {
		list := mailinglist.New(stack, "List", mailinglist.Props{
			Identity: "example.com", From: "hello@example.com", Templates: mails(),
		})
		for method, call := range map[string]func(awsiam.IGrantable) awsiam.Grant{
			"GrantSubscribe":        list.GrantSubscribe,
			"GrantReadSuppressions": list.GrantReadSuppressions,
			"GrantSendEmail":        list.GrantSendEmail,
		} {
			want := "mailinglist: Test/Stack/List." + method + ": grantee is required; " +
				"pass the function or the role that gets the permissions"
			for _, nothing := range []awsiam.IGrantable{nil, (*gofunction.Function)(nil)} {
				if got := panicMessage(func() { call(nothing) }); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
		}
	})
}

func TestTheTemplatesAreBesideTheWelcomeFunction(t *testing.T) {
	outdir := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(outdir)})
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	files := mails()
	mailinglist.New(stack, "List", mailinglist.Props{
		Identity: "example.com", From: "hello@example.com", Templates: files,
	})
	app.Synth(nil)
	for name := range files {
		found, err := filepath.Glob(filepath.Join(outdir, "asset.*", lambdaenv.FilesFolder, name))
		if err != nil || len(found) != 1 {
			t.Errorf("%s is in %v, %v, want it in one asset", name, found, err)
		}
	}
}
