package main

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

const (
	welcomeQueue = "https://sqs.eu-central-1.amazonaws.com/111111111111/Welcome"
	welcomeDLQ   = "https://sqs.eu-central-1.amazonaws.com/111111111111/WelcomeDLQ"
	feedbackDLQ  = "https://sqs.eu-central-1.amazonaws.com/111111111111/FeedbackDLQ"
)

// deploy starts fakes of SQS and SSM with Dev's deployment, and configures this process to use
// them.
func deploy(t *testing.T) (*awstest.SQS, *awstest.SSM) {
	t.Helper()
	queues, parameters := awstest.StartSQS(t, welcomeDLQ), awstest.StartSSM(t)
	queues.AddQueue(welcomeQueue, welcomeDLQ)
	queues.AddQueue(feedbackDLQ, "")
	parameters.PutParameter("/ashlar/Dev/dead-letter-queues/Welcome", welcomeDLQ)
	parameters.PutParameter("/ashlar/Dev/dead-letter-queues/Feedback", feedbackDLQ)
	parameters.PutParameter("/ashlar/Dev/APIEndpoint",
		"https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1/")
	for name, value := range map[string]string{
		"HOME":                      t.TempDir(),
		"AWS_ENDPOINT_URL_SQS":      queues.URL,
		"AWS_ENDPOINT_URL_SSM":      parameters.URL,
		"AWS_REGION":                "eu-central-1",
		"AWS_ACCESS_KEY_ID":         "ASIAEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":     "example-secret-access-key",
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_MAX_ATTEMPTS":          "1",
	} {
		t.Setenv(name, value)
	}
	return queues, parameters
}

// redrive runs the command.
func redrive(ctx context.Context, arguments ...string) (stdout, stderr string, code int) {
	var out, problems bytes.Buffer
	code = run(ctx, arguments, &out, &problems, time.Millisecond)
	return out.String(), problems.String(), code
}

func bodies(messages []awstest.SQSMessage) []string {
	var found []string
	for _, message := range messages {
		found = append(found, message.Body)
	}
	return found
}

func TestRun_list(t *testing.T) {
	queues, _ := deploy(t)
	queues.Put(welcomeDLQ, "a", "b", "c")
	queues.Receive(welcomeDLQ) // in flight, still counted
	stdout, stderr, code := redrive(t.Context(), "Dev")
	const want = "QUEUE     MESSAGES\nFeedback  0\nWelcome   3\n"
	if stdout != want || stderr != "" || code != 0 {
		t.Errorf("%d: %s%s\nwant\n%s", code, stdout, stderr, want)
	}
	for _, call := range queues.Calls() {
		if call.Action != "sqs:GetQueueAttributes" {
			t.Errorf("the list called %s", call.Action)
		}
	}
}

func TestRun_redrive(t *testing.T) {
	queues, _ := deploy(t)
	// The second task must not be mistaken for the first, which has ended.
	for _, messages := range [][]string{{"a", "b", "c"}, {"d"}} {
		queues.Put(welcomeDLQ, messages...)
		stdout, stderr, code := redrive(t.Context(), "-queue", "Welcome", "Dev")
		if stderr != "" || code != 0 {
			t.Errorf("%d: %s", code, stderr)
		}
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		want := map[int][]string{
			3: {
				"Welcome: 1 of 3 messages moved", "Welcome: 2 of 3 messages moved",
				"Welcome: 3 of 3 messages moved",
			},
			1: {"Welcome: 1 of 1 messages moved"},
		}[len(messages)]
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if left := queues.MessagesIn(welcomeDLQ); len(left) > 0 {
			t.Errorf("left behind: %q", bodies(left))
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"},
		bodies(queues.MessagesIn(welcomeQueue))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, call := range queues.Calls() {
		if !strings.Contains(usage, call.Action) {
			t.Errorf("the redrive called %s, which the usage does not mention", call.Action)
		}
	}
}

func TestRun_empty_queue(t *testing.T) {
	queues, _ := deploy(t)
	stdout, stderr, code := redrive(t.Context(), "-queue", "Welcome", "Dev")
	if stdout != "Welcome: no messages to redrive\n" || stderr != "" || code != 0 {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	if slices.ContainsFunc(queues.Calls(), func(call awstest.Call) bool {
		return call.Action == "sqs:StartMessageMoveTask"
	}) {
		t.Error("a task was started")
	}
}

func TestRun_redrive_in_progress(t *testing.T) {
	queues, _ := deploy(t)
	queues.Put(welcomeDLQ, "a", "b", "c", "d")
	queues.StartMoveTask(welcomeDLQ, welcomeQueue)
	stdout, stderr, code := redrive(t.Context(), "-queue", "Welcome", "Dev")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	first, last := lines[0], lines[len(lines)-1]
	if first != "Welcome: a redrive is already running" ||
		last != "Welcome: 4 of 4 messages moved" ||
		stderr != "" || code != 0 {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	if slices.ContainsFunc(queues.Calls(), func(call awstest.Call) bool {
		return call.Action == "sqs:StartMessageMoveTask"
	}) {
		t.Error("another task was started")
	}
}

// interrupter cancels a context when progress is written to it.
type interrupter struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("messages moved")) {
		i.cancel()
	}
	return i.Buffer.Write(p)
}

func TestRun_interrupt(t *testing.T) {
	queues, _ := deploy(t)
	queues.Put(welcomeDLQ, "a", "b", "c")
	queues.StartMoveTask(welcomeDLQ, welcomeQueue)
	ctx, cancel := context.WithCancel(t.Context())
	out, problems := &interrupter{cancel: cancel}, &bytes.Buffer{}
	code := run(ctx, []string{"-queue", "Welcome", "Dev"}, out, problems, time.Hour)
	const want = "redrive: Welcome: interrupted; SQS continues the redrive. " +
		"To follow it, run make redrive ENV=Dev QUEUE=Welcome. To cancel it, run\n" +
		"aws sqs cancel-message-move-task --region eu-central-1 --task-handle '1793491200000'\n"
	if problems.String() != want || code != 1 {
		t.Errorf("%d: %s\nwant\n%s", code, problems, want)
	}
}

func TestRun_errors(t *testing.T) {
	denied := func(action string) func(*awstest.SQS, *awstest.SSM) {
		return func(queues *awstest.SQS, _ *awstest.SSM) {
			queues.SetFault(
				awstest.Fault{Action: action, Status: http.StatusForbidden, Code: "AccessDenied"})
		}
	}
	for name, test := range map[string]struct {
		spoil     func(*awstest.SQS, *awstest.SSM)
		arguments []string
		code      int
		want      []string
	}{
		"no environment": {
			arguments: []string{}, code: 2,
			want: []string{`environment "", want one of Dev, Staging, Prod`},
		},
		"unknown environment": {
			arguments: []string{"-queue", "Welcome", "Test"}, code: 2,
			want: []string{`environment "Test", want one of Dev, Staging, Prod`},
		},
		"unknown queue": {
			arguments: []string{"-queue", "Mails", "Dev"}, code: 2,
			want: []string{`queue "Mails", want one of Feedback, Welcome`},
		},
		"unknown flag": {
			arguments: []string{"-all", "Dev"}, code: 2,
			want: []string{"flag provided but not defined: -all", "usage: redrive"},
		},
		"help": {
			arguments: []string{"--help"}, code: 0,
			want: []string{"usage: redrive [-queue NAME] ENVIRONMENT", "the queue to redrive"},
		},
		"not deployed": {
			spoil: func(_ *awstest.SQS, parameters *awstest.SSM) {
				parameters.DeleteParameter("/ashlar/Dev/dead-letter-queues/Welcome")
				parameters.DeleteParameter("/ashlar/Dev/dead-letter-queues/Feedback")
			},
			arguments: []string{"Dev"}, code: 1,
			want: []string{"there are no parameters /ashlar/Dev/dead-letter-queues/* in your " +
				"account in eu-central-1: Dev is not deployed there; run make deploy ENV=Dev"},
		},
		"no source queue": {
			spoil:     func(queues *awstest.SQS, _ *awstest.SSM) { queues.Put(feedbackDLQ, "a") },
			arguments: []string{"-queue", "Feedback", "Dev"}, code: 1,
			want: []string{"Feedback: it has 0 source queues, want 1: []"},
		},
		"two source queues": {
			spoil: func(queues *awstest.SQS, _ *awstest.SSM) {
				queues.AddQueue(welcomeQueue+"2", welcomeDLQ)
			},
			arguments: []string{"-queue", "Welcome", "Dev"}, code: 1, want: []string{
				"Welcome: it has 2 source queues, want 1: [" + welcomeQueue + ", " + welcomeQueue +
					"2]",
			},
		},
		"messages in flight": {
			spoil:     func(queues *awstest.SQS, _ *awstest.SSM) { queues.Receive(welcomeDLQ) },
			arguments: []string{"-queue", "Welcome", "Dev"}, code: 1,
			want: []string{
				"Welcome: all 1 messages are in flight, and SQS moves visible messages only; try " +
					"again in 30 seconds",
			},
		},
		"failed task": {
			spoil: func(queues *awstest.SQS, _ *awstest.SSM) {
				queues.FailMoveTasks("AccessDenied")
			},
			arguments: []string{"-queue", "Welcome", "Dev"}, code: 1,
			want: []string{"Welcome: failed after 0 messages: AccessDenied"},
		},
		"no permission to count": {
			spoil: denied("sqs:GetQueueAttributes"), arguments: []string{"Dev"}, code: 1,
			want: []string{"reading the number of messages", "AccessDenied"},
		},
		"no permission to list tasks": {
			spoil:     denied("sqs:ListMessageMoveTasks"),
			arguments: []string{"-queue", "Welcome", "Dev"}, code: 1,
			want: []string{"Welcome: reading the progress", "AccessDenied"},
		},
		"no permission to list sources": {
			spoil:     denied("sqs:ListDeadLetterSourceQueues"),
			arguments: []string{"-queue", "Welcome", "Dev"}, code: 1,
			want: []string{"Welcome: listing the source queues", "AccessDenied"},
		},
		"no permission to move": {
			spoil:     denied("sqs:StartMessageMoveTask"),
			arguments: []string{"-queue", "Welcome", "Dev"}, code: 1,
			want: []string{"Welcome: starting the redrive", "AccessDenied"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			queues, parameters := deploy(t)
			queues.Put(welcomeDLQ, "a")
			if test.spoil != nil {
				test.spoil(queues, parameters)
			}
			_, stderr, code := redrive(t.Context(), test.arguments...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("error\n%s\nwant %s", stderr, want)
				}
			}
			if moved := queues.MessagesIn(welcomeQueue); len(moved) > 0 {
				t.Errorf("messages moved: %q", bodies(moved))
			}
		})
	}
}
