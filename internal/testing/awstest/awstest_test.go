package awstest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	cognitotypes "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

const arn = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:Credentials-AbCdEf"

// fakeCredentials sign requests. The fakes do not verify signatures.
var fakeCredentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "example"}, nil
})

func TestSecretsManager(t *testing.T) {
	manager := awstest.StartSecretsManager(t)
	client := secretsmanager.New(secretsmanager.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &manager.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	get := func(ctx context.Context) (string, error) {
		output, err := client.GetSecretValue(ctx,
			&secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)})
		if err != nil {
			return "", err
		}
		return *output.SecretString, nil
	}

	_, err := get(t.Context())
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("no secret: error %v, want ResourceNotFoundException", err)
	}
	for _, want := range []string{"first", "rotated"} {
		manager.PutSecret(arn, want)
		if value, err := get(t.Context()); err != nil || value != want {
			t.Errorf("value %q, error %v; want %q", value, err, want)
		}
	}
	manager.SetFault(
		awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalServiceError"})
	_, err = get(t.Context())
	if code(err) != "InternalServiceError" {
		t.Errorf("fault: error %v, want InternalServiceError", err)
	}
	manager.SetFault(awstest.Fault{NoResponse: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: error %v, want the caller's timeout", err)
	}
	manager.SetFault(awstest.Fault{})
	if _, err := get(t.Context()); err != nil {
		t.Errorf("after the faults: %v", err)
	}

	call := awstest.Call{Action: "secretsmanager:GetSecretValue", Resource: arn}
	want := slices.Repeat([]awstest.Call{call}, 6)
	if calls := manager.Calls(); !slices.Equal(calls, want) {
		t.Errorf("calls %v, want %v", calls, want)
	}
}

const pool = "eu-central-1_AbCdEfGhI"

func TestCognito(t *testing.T) {
	cognito := awstest.StartCognito(t, pool)
	client := cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &cognito.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	user := func(name, status, email string) awstest.CognitoUser {
		return awstest.CognitoUser{
			Username: name, Status: status,
			Attributes: map[string]string{"sub": "sub-of-" + name, "email": email},
		}
	}
	disabled := user("google_2", "EXTERNAL_PROVIDER", "ADA@example.com")
	disabled.Disabled = true
	ada := user("ada", "CONFIRMED", "ada@example.com")
	ada.Factors, ada.Preferred = []string{"SOFTWARE_TOKEN_MFA"}, "SOFTWARE_TOKEN_MFA"
	cognito.SetUsers(ada, user("bob", "CONFIRMED", "bob@example.com"), disabled)
	list := func(filter string) ([]string, error) {
		var found []string
		pages := cognitoidentityprovider.NewListUsersPaginator(client,
			&cognitoidentityprovider.ListUsersInput{UserPoolId: aws.String(pool), Filter: &filter})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				return nil, err
			}
			for _, user := range page.Users {
				for _, attribute := range user.Attributes {
					if *attribute.Name == "sub" {
						found = append(found, fmt.Sprintf("%s %s %t %s", *user.Username,
							user.UserStatus, user.Enabled, *attribute.Value))
					}
				}
			}
		}
		return found, nil
	}
	want := []string{
		"ada CONFIRMED true sub-of-ada", "google_2 EXTERNAL_PROVIDER false sub-of-google_2",
	}
	if found, err := list(`email = "Ada@Example.com"`); err != nil || !slices.Equal(found, want) {
		t.Errorf("users %q, %v; want %q", found, err, want)
	}
	if found, err := list(`sub = "sub-of-bob"`); err != nil ||
		!slices.Equal(found, []string{"bob CONFIRMED true sub-of-bob"}) {
		t.Errorf("users %q, %v; want bob", found, err)
	}
	if found, err := list(`sub = "sub-of-\"bob\\"`); err != nil || found != nil {
		t.Errorf("users %q, %v; want none", found, err)
	}
	if _, err := list(`sub = "sub-of-"bob"`); code(err) != "InvalidParameterException" {
		t.Errorf("a quote that is not escaped: error %v, want InvalidParameterException", err)
	}
	if found, err := list(`email = "eve@example.com"`); err != nil || found != nil {
		t.Errorf("users %q, %v; want none", found, err)
	}
	if _, err := list(`email = "a" or sub = "b"`); code(err) != "InvalidParameterException" {
		t.Errorf("an invalid filter: error %v, want InvalidParameterException", err)
	}

	link := func(destinationProvider, destination, sourceProvider, source string) error {
		_, err := client.AdminLinkProviderForUser(t.Context(),
			&cognitoidentityprovider.AdminLinkProviderForUserInput{
				UserPoolId: aws.String(pool),
				DestinationUser: &cognitotypes.ProviderUserIdentifierType{
					ProviderName: &destinationProvider, ProviderAttributeValue: &destination,
				},
				SourceUser: &cognitotypes.ProviderUserIdentifierType{
					ProviderName:           &sourceProvider,
					ProviderAttributeName:  aws.String("Cognito_Subject"),
					ProviderAttributeValue: &source,
				},
			})
		return err
	}
	for i, step := range []struct {
		destinationProvider, destination, sourceProvider, source, want string
	}{
		{"Cognito", "ada", "Google", "1", ""},
		{"Cognito", "ada", "Google", "1", "InvalidParameterException"}, // linked already
		{"Cognito", "ada", "google", "3", "InvalidParameterException"}, // no such provider
		{"Cognito", "ada", "Google", "2", "InvalidParameterException"}, // has signed in
		{"Cognito", "eve", "Google", "3", "UserNotFoundException"},
		// A federated user is identified by its provider, not by its user name.
		{"Cognito", "google_2", "SignInWithApple", "1", "UserNotFoundException"},
		{"Google", "2", "SignInWithApple", "1", ""},
		{"Cognito", "ada", "Google", "4", ""},
		{"Cognito", "ada", "Google", "5", ""},
		{"Cognito", "ada", "Google", "6", ""},
		{"Cognito", "ada", "Google", "7", ""},
		{"Cognito", "ada", "Google", "8", "LimitExceededException"},
	} {
		err := link(step.destinationProvider, step.destination, step.sourceProvider, step.source)
		if code(err) != step.want {
			t.Errorf("link %d: error %v, want %q", i, err, step.want)
		}
	}
	if links := cognito.Links(); len(links) != 6 || links["Google_1"] != "ada" ||
		links["SignInWithApple_1"] != "google_2" {
		t.Errorf("links %v", links)
	}

	for username, want := range map[string]string{
		"ada":        "ada CONFIRMED true sub-of-ada [SOFTWARE_TOKEN_MFA] SOFTWARE_TOKEN_MFA",
		"sub-of-bob": "bob CONFIRMED true sub-of-bob [] ",
		"google_2":   "google_2 EXTERNAL_PROVIDER false sub-of-google_2 [] ",
	} {
		got, err := client.AdminGetUser(t.Context(),
			&cognitoidentityprovider.AdminGetUserInput{
				UserPoolId: aws.String(pool), Username: &username,
			})
		if err != nil {
			t.Fatalf("getting %s: %v", username, err)
		}
		for _, attribute := range got.UserAttributes {
			if *attribute.Name == "sub" {
				user := fmt.Sprintf("%s %s %t %s %s %s", *got.Username, got.UserStatus,
					got.Enabled, *attribute.Value, got.UserMFASettingList,
					aws.ToString(got.PreferredMfaSetting))
				if user != want {
					t.Errorf("%s is %q, want %q", username, user, want)
				}
			}
		}
	}
	_, err := client.AdminGetUser(t.Context(), &cognitoidentityprovider.AdminGetUserInput{
		UserPoolId: aws.String(pool), Username: aws.String("eve"),
	})
	if code(err) != "UserNotFoundException" {
		t.Errorf("getting an unknown user: error %v, want UserNotFoundException", err)
	}

	for username, want := range map[string]string{
		"sub-of-bob": "", "google_2": "", "sub-of-google_2": "UserNotFoundException",
	} {
		_, err := client.AdminDeleteUser(t.Context(),
			&cognitoidentityprovider.AdminDeleteUserInput{
				UserPoolId: aws.String(pool), Username: &username,
			})
		if code(err) != want {
			t.Errorf("deleting %s: error %v, want %q", username, err, want)
		}
	}
	if users := cognito.Users(); !slices.Equal(users, []string{"ada"}) {
		t.Errorf("users %q are left, want ada", users)
	}

	cognito.SetFault(awstest.Fault{
		Status: http.StatusBadRequest, Code: "TooManyRequestsException",
		Action: "cognito-idp:AdminLinkProviderForUser",
	})
	if err := link("Cognito", "ada", "Google", "9"); code(err) != "TooManyRequestsException" {
		t.Errorf("fault: error %v, want TooManyRequestsException", err)
	}
	if _, err := list(`email = "ada@example.com"`); err != nil {
		t.Errorf("a fault of another action: %v", err)
	}
	calls := cognito.Calls()
	wantLast := awstest.Call{Action: "cognito-idp:ListUsers", Resource: pool}
	if last := calls[len(calls)-1]; last != wantLast {
		t.Errorf("the last call is %+v", last)
	}
}

// code returns the code of the service's error, or an empty string.
func code(err error) string {
	if failure, ok := errors.AsType[smithy.APIError](err); ok {
		return failure.ErrorCode()
	}
	return ""
}

func TestSSM(t *testing.T) {
	store := awstest.StartSSM(t)
	client := ssm.New(ssm.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &store.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	below := func(path string) (map[string]string, error) {
		found := map[string]string{}
		pages := ssm.NewGetParametersByPathPaginator(client,
			&ssm.GetParametersByPathInput{Path: &path})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				return nil, err
			}
			for _, parameter := range page.Parameters {
				found[*parameter.Name] = *parameter.Value
			}
		}
		return found, nil
	}

	if found, err := below("/a"); err != nil || len(found) != 0 {
		t.Errorf("no parameters: %v, error %v; want none", found, err)
	}
	want := map[string]string{"/a/1": "one", "/a/2": "two", "/a/3": "three"}
	for name, value := range want {
		store.PutParameter(name, "before")
		store.PutParameter(name, value)
	}
	for _, other := range []string{"/a/b/1", "/ab/1", "/a/4"} {
		store.PutParameter(other, "other")
	}
	store.DeleteParameter("/a/4")
	if found, err := below("/a"); err != nil || !maps.Equal(found, want) {
		t.Errorf("parameters %v, error %v; want %v", found, err, want)
	}
	calls := slices.Repeat([]awstest.Call{{Action: "ssm:GetParametersByPath", Resource: "/a"}}, 3)
	if !slices.Equal(store.Calls(), calls) { // one call without parameters, and two pages
		t.Errorf("calls %v, want %v", store.Calls(), calls)
	}
	store.SetFault(awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"})
	_, err := below("/a")
	if code(err) != "AccessDeniedException" {
		t.Errorf("fault: error %v, want AccessDeniedException", err)
	}
}

const queueURL = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadLetters"

func TestSQS(t *testing.T) {
	queue := awstest.StartSQS(t, queueURL)
	client := sqs.New(sqs.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &queue.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	send := func(ctx context.Context, url, body, reason string) error {
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: &url, MessageBody: &body,
			MessageAttributes: map[string]sqstypes.MessageAttributeValue{
				"Reason": {DataType: aws.String("String"), StringValue: &reason},
			},
		})
		return err
	}
	for _, step := range []struct{ url, body, reason, want string }{
		{queueURL, "one", "ä reason", ""},
		{
			"https://sqs.eu-central-1.amazonaws.com/111111111111/Other", "two", "reason",
			"AWS.SimpleQueueService.NonExistentQueue",
		},
		{queueURL, "two\x01", "reason", "InvalidMessageContents"},
		{queueURL, "", "reason", "InvalidMessageContents"},
		{queueURL, "two", "\x01", "InvalidParameterValue"},
		{queueURL, "two", "", "InvalidParameterValue"},
		{queueURL, strings.Repeat("x", 1<<20-5), "reason", "InvalidParameterValue"},
		{queueURL, "three", "reason", ""},
	} {
		err := send(t.Context(), step.url, step.body, step.reason)
		if code(err) != step.want || err != nil && step.want == "" {
			t.Errorf("sending %.10q to %s for %q: error %v, want %q", step.body, step.url,
				step.reason, err, step.want)
		}
	}
	want := []awstest.SQSMessage{
		{Body: "one", Attributes: map[string]string{"Reason": "ä reason"}},
		{Body: "three", Attributes: map[string]string{"Reason": "reason"}},
	}
	queue.SetFault(awstest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"})
	if err := send(t.Context(), queueURL, "four", "reason"); code(err) != "ServiceUnavailable" {
		t.Errorf("fault: error %v, want ServiceUnavailable", err)
	}
	queue.SetFault(awstest.Fault{NoResponse: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := send(ctx, queueURL, "four", "reason"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: error %v, want the caller's timeout", err)
	}
	if diff := cmp.Diff(want, queue.Messages()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if calls := queue.Calls(); len(calls) != 10 ||
		calls[0] != (awstest.Call{Action: "sqs:SendMessage", Resource: queueURL}) {
		t.Errorf("calls %v, want 10 of SendMessage", calls)
	}
}

func TestSQS_move_tasks(t *testing.T) {
	const account = "arn:aws:sqs:eu-central-1:111111111111:"
	const url = "https://sqs.eu-central-1.amazonaws.com/111111111111/"
	const events, other = url + "Events", url + "Other"
	queues := awstest.StartSQS(t, queueURL)
	queues.AddQueue(events, queueURL)
	queues.AddQueue(other, "")
	queues.Put(queueURL, "one", "two")
	client := sqs.New(sqs.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &queues.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	attributes, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl:       aws.String(queueURL),
		AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"QueueArn": account + "DeadLetters", "ApproximateNumberOfMessages": "2",
		"ApproximateNumberOfMessagesNotVisible": "0",
	}
	if diff := cmp.Diff(want, attributes.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	sources, err := client.ListDeadLetterSourceQueues(t.Context(),
		&sqs.ListDeadLetterSourceQueuesInput{QueueUrl: aws.String(queueURL)})
	if err != nil || !slices.Equal(sources.QueueUrls, []string{events}) {
		t.Errorf("sources %v (%v), want %s", sources, err, events)
	}
	for _, step := range []struct{ source, destination, want string }{
		{"Other", "Events", "InvalidParameterValue"}, // not a dead-letter queue
		{"Nothing", "Events", "ResourceNotFoundException"},
		{"DeadLetters", "Nothing", "ResourceNotFoundException"},
		{"DeadLetters", "Events", ""},
		{"DeadLetters", "Events", "UnsupportedOperation"}, // one at a time
	} {
		_, err := client.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{
			SourceArn:      aws.String(account + step.source),
			DestinationArn: aws.String(account + step.destination),
		})
		if code(err) != step.want || err != nil && step.want == "" {
			t.Errorf("moving from %s to %s: error %v, want %q", step.source, step.destination, err,
				step.want)
		}
	}
	var seen []string
	for range 6 {
		tasks, err := client.ListMessageMoveTasks(t.Context(),
			&sqs.ListMessageMoveTasksInput{SourceArn: aws.String(account + "DeadLetters")})
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks.Results {
			all := "?"
			if task.ApproximateNumberOfMessagesToMove != nil {
				all = strconv.FormatInt(*task.ApproximateNumberOfMessagesToMove, 10)
			}
			seen = append(seen,
				fmt.Sprintf("%s %d/%s", *task.Status, task.ApproximateNumberOfMessagesMoved, all))
		}
	}
	// The first list does not include the task yet; the second does not include the number of
	// messages to move.
	wantSeen := []string{
		"RUNNING 0/?", "RUNNING 1/2", "RUNNING 2/2", "COMPLETED 2/2", "COMPLETED 2/2",
	}
	if diff := cmp.Diff(wantSeen, seen); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	left, moved := queues.MessagesIn(queueURL), queues.MessagesIn(events)
	if len(left) != 0 || len(moved) != 2 {
		t.Errorf("%d messages are left and %d have moved, want 0 and 2", len(left), len(moved))
	}
}

const topicARN = "arn:aws:sns:eu-central-1:111111111111:ThumbnailEvents"

func TestSNS(t *testing.T) {
	topic := awstest.StartSNS(t, topicARN)
	client := sns.New(sns.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &topic.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	publish := func(ctx context.Context, arn, message, prefix string) error {
		_, err := client.Publish(ctx, &sns.PublishInput{
			TopicArn: &arn, Message: &message,
			MessageAttributes: map[string]snstypes.MessageAttributeValue{
				"prefix": {DataType: aws.String("String"), StringValue: &prefix},
				"other":  {DataType: aws.String("String"), StringValue: aws.String("+ &")},
			},
		})
		return err
	}
	for _, step := range []struct{ arn, message, prefix, want string }{
		{topicARN, `{"key":"a+b ü"}`, "temp", ""},
		{topicARN + "Other", "two", "temp", "NotFound"},
		{topicARN, "", "temp", "InvalidParameter"},
		{topicARN, "two", "", "ParameterValueInvalid"},
		{topicARN, "two", "\x00", "ParameterValueInvalid"},
	} {
		err := publish(t.Context(), step.arn, step.message, step.prefix)
		if code(err) != step.want || err != nil && step.want == "" {
			t.Errorf("publishing %q to %s with %q: error %v, want %q", step.message, step.arn,
				step.prefix, err, step.want)
		}
	}
	topic.SetFault(awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError"})
	if err := publish(t.Context(), topicARN, "three", "temp"); code(err) != "InternalError" {
		t.Errorf("fault: error %v, want InternalError", err)
	}
	topic.SetFault(awstest.Fault{NoResponse: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := publish(ctx, topicARN, "three", "temp"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: error %v, want the caller's timeout", err)
	}
	want := []awstest.SNSMessage{
		{
			Message:    `{"key":"a+b ü"}`,
			Attributes: map[string]string{"prefix": "temp", "other": "+ &"},
		},
	}
	if diff := cmp.Diff(want, topic.Messages()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if calls := topic.Calls(); len(calls) != 7 ||
		calls[0] != (awstest.Call{Action: "sns:Publish", Resource: topicARN}) {
		t.Errorf("calls %v, want 7 of Publish", calls)
	}
}

func TestServices_reject_unsigned_requests(t *testing.T) {
	for _, url := range []string{
		awstest.StartSecretsManager(t).URL, awstest.StartEC2(t, "111111111111").URL,
		awstest.StartCognito(t, pool).URL, awstest.StartSSM(t).URL,
		awstest.StartCloudFront(t, "E1EXAMPLE").URL, awstest.StartSQS(t, queueURL).URL,
		awstest.StartSNS(t, topicARN).URL, awstest.StartKinesis(t, "Readings", 1).URL,
		awstest.StartRedshiftData(t, "reports", "warehouse", "secret").URL,
	} {
		response, err := http.Post(url, "application/x-amz-json-1.1", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode/100 != 4 {
			t.Errorf("status %d, want 4xx", response.StatusCode)
		}
	}
}

func TestCheckActions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calls.txt")
	if err := os.WriteFile(file, []byte("s3:GetObject\ns3:PutObject\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		called []string
		want   []string
	}{
		"equal": {
			called: []string{"s3:PutObject", "s3:GetObject", "s3:PutObject"},
		},
		"an unlisted action": {
			called: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
			want:   []string{"s3:DeleteObject"},
		},
		"an action without a call": {
			called: []string{"s3:GetObject"}, want: []string{"s3:PutObject"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var calls []awstest.Call
			for _, action := range test.called {
				calls = append(calls, awstest.Call{Action: action})
			}
			recorder := &errorRecorder{TB: t}
			awstest.CheckActions(recorder, file, calls)
			if len(recorder.errors) != len(test.want) {
				t.Fatalf("errors %q, want one for each of %q", recorder.errors, test.want)
			}
			for i, action := range test.want {
				if !strings.Contains(recorder.errors[i], action) {
					t.Errorf("error %q, want it to name %s", recorder.errors[i], action)
				}
			}
		})
	}
}

// An errorRecorder records the errors of a test instead of failing it.
type errorRecorder struct {
	testing.TB
	errors []string
}

func (r *errorRecorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
