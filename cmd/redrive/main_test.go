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
	welcomes     = "https://sqs.eu-central-1.amazonaws.com/111111111111/Welcomes"
	deadWelcomes = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadWelcomes"
	deadFeedback = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadFeedback"
)

// deploy starts stand-ins for what Dev's deployment left, and points this process at them.
func deploy(t *testing.T) (*awstest.SQS, *awstest.SSM) {
	t.Helper()
	queues, parameters := awstest.StartSQS(t, deadWelcomes), awstest.StartSSM(t)
	queues.AddQueue(welcomes, deadWelcomes)
	queues.AddQueue(deadFeedback, "")
	parameters.PutParameter("/ashlar/Dev/dead-letter-queues/Welcomes", deadWelcomes)
	parameters.PutParameter("/ashlar/Dev/dead-letter-queues/Feedback", deadFeedback)
	parameters.PutParameter("/ashlar/Dev/APIEndpoint", "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1/")
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

func TestTheDeadLettersOfAnEnvironmentAreListed(t *testing.T) {
	queues, _ := deploy(t)
	queues.Put(deadWelcomes, "a", "b", "c")
	queues.Receive(deadWelcomes) // which hides them, but takes them from nobody
	stdout, stderr, code := redrive(t.Context(), "Dev")
	const want = "QUEUE     DEAD LETTERS\nFeedback  0\nWelcomes  3\n"
	if stdout != want || stderr != "" || code != 0 {
		t.Errorf("%d: %s%s\nwant\n%s", code, stdout, stderr, want)
	}
	for _, call := range queues.Calls() {
		if call.Action != "sqs:GetQueueAttributes" {
			t.Errorf("it called %s to list", call.Action)
		}
	}
}

func TestDeadLettersGoBackToTheQueueTheyAreFrom(t *testing.T) {
	queues, _ := deploy(t)
	for _, letters := range [][]string{{"a", "b", "c"}, {"d"}} { // the second task is not taken for the first, which has ended
		queues.Put(deadWelcomes, letters...)
		stdout, stderr, code := redrive(t.Context(), "-queue", "Welcomes", "Dev")
		if stderr != "" || code != 0 {
			t.Errorf("%d: %s", code, stderr)
		}
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		want := map[int][]string{
			3: {"Welcomes: 1 of 3 moved back", "Welcomes: 2 of 3 moved back", "Welcomes: 3 of 3 moved back"},
			1: {"Welcomes: 1 of 1 moved back"},
		}[len(letters)]
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("-want +said:\n%s", diff)
		}
		if left := queues.MessagesIn(deadWelcomes); len(left) > 0 {
			t.Errorf("left behind: %q", bodies(left))
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, bodies(queues.MessagesIn(welcomes))); diff != "" {
		t.Errorf("-want +moved:\n%s", diff)
	}
	for _, call := range queues.Calls() {
		if !strings.Contains(usage, call.Action) {
			t.Errorf("it called %s, which its usage does not say", call.Action)
		}
	}
}

func TestNothingIsBegunWhereThereIsNothingToMove(t *testing.T) {
	queues, _ := deploy(t)
	stdout, stderr, code := redrive(t.Context(), "-queue", "Welcomes", "Dev")
	if stdout != "Welcomes has no dead letters\n" || stderr != "" || code != 0 {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	if slices.ContainsFunc(queues.Calls(), func(call awstest.Call) bool { return call.Action == "sqs:StartMessageMoveTask" }) {
		t.Error("a task was begun")
	}
}

func TestATaskThatRunsAlreadyIsFollowed(t *testing.T) {
	queues, _ := deploy(t)
	queues.Put(deadWelcomes, "a", "b", "c", "d")
	queues.StartMoveTask(deadWelcomes, welcomes)
	stdout, stderr, code := redrive(t.Context(), "-queue", "Welcomes", "Dev")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if lines[0] != "Welcomes: somebody has begun to move its dead letters back already" || lines[len(lines)-1] != "Welcomes: 4 of 4 moved back" || stderr != "" || code != 0 {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	if slices.ContainsFunc(queues.Calls(), func(call awstest.Call) bool { return call.Action == "sqs:StartMessageMoveTask" }) {
		t.Error("another task was begun")
	}
}

// interrupter ends a context when progress is written to it.
type interrupter struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("moved back")) {
		i.cancel()
	}
	return i.Buffer.Write(p)
}

func TestWhoeverInterruptsItIsToldThatSQSGoesOn(t *testing.T) {
	queues, _ := deploy(t)
	queues.Put(deadWelcomes, "a", "b", "c")
	queues.StartMoveTask(deadWelcomes, welcomes)
	ctx, cancel := context.WithCancel(t.Context())
	out, problems := &interrupter{cancel: cancel}, &bytes.Buffer{}
	code := run(ctx, []string{"-queue", "Welcomes", "Dev"}, out, problems, time.Hour)
	const want = "redrive: Welcomes: SQS goes on without you; make redrive ENV=Dev QUEUE=Welcomes says how far it is, and this stops it:\n" +
		"aws sqs cancel-message-move-task --region eu-central-1 --task-handle '1793491200000'\n"
	if problems.String() != want || code != 1 {
		t.Errorf("%d: %s\nwant\n%s", code, problems, want)
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	denied := func(action string) func(*awstest.SQS, *awstest.SSM) {
		return func(queues *awstest.SQS, _ *awstest.SSM) {
			queues.SetFault(awstest.Fault{Action: action, Status: http.StatusForbidden, Code: "AccessDenied"})
		}
	}
	for name, test := range map[string]struct {
		spoil     func(*awstest.SQS, *awstest.SSM)
		arguments []string
		code      int
		says      []string
	}{
		"no environment":             {arguments: []string{}, code: 2, says: []string{`environment "", want one of Dev, Staging, Prod`}},
		"an environment there isn't": {arguments: []string{"-queue", "Welcomes", "Test"}, code: 2, says: []string{`environment "Test", want one of Dev, Staging, Prod`}},
		"a queue there isn't":        {arguments: []string{"-queue", "Mails", "Dev"}, code: 2, says: []string{`queue "Mails", want one of Feedback, Welcomes`}},
		"a flag there isn't":         {arguments: []string{"-all", "Dev"}, code: 2, says: []string{"flag provided but not defined: -all", "usage: redrive"}},
		"help":                       {arguments: []string{"--help"}, code: 0, says: []string{"usage: redrive [-queue NAME] ENVIRONMENT", "the queue whose messages are moved back"}},
		"not deployed": {
			spoil: func(_ *awstest.SQS, parameters *awstest.SSM) {
				parameters.DeleteParameter("/ashlar/Dev/dead-letter-queues/Welcomes")
				parameters.DeleteParameter("/ashlar/Dev/dead-letter-queues/Feedback")
			},
			arguments: []string{"Dev"}, code: 1,
			says: []string{"there are no parameters /ashlar/Dev/dead-letter-queues/* in your account in eu-central-1: Dev is not deployed there; make deploy ENV=Dev"},
		},
		"dead letters of no queue": {
			spoil:     func(queues *awstest.SQS, _ *awstest.SSM) { queues.Put(deadFeedback, "a") },
			arguments: []string{"-queue", "Feedback", "Dev"}, code: 1, says: []string{"Feedback: its dead letters are those of 0 queues, want 1: []"},
		},
		"dead letters of two queues": {
			spoil:     func(queues *awstest.SQS, _ *awstest.SSM) { queues.AddQueue(welcomes+"2", deadWelcomes) },
			arguments: []string{"-queue", "Welcomes", "Dev"}, code: 1, says: []string{"Welcomes: its dead letters are those of 2 queues, want 1: [" + welcomes + ", " + welcomes + "2]"},
		},
		"dead letters that somebody looks at": {
			spoil:     func(queues *awstest.SQS, _ *awstest.SSM) { queues.Receive(deadWelcomes) },
			arguments: []string{"-queue", "Welcomes", "Dev"}, code: 1,
			says: []string{"Welcomes: somebody is looking at its dead letters, 1 of them; SQS moves them when it shows them again: try in half a minute"},
		},
		"a task that fails": {
			spoil:     func(queues *awstest.SQS, _ *awstest.SSM) { queues.FailMoveTasks("AccessDenied") },
			arguments: []string{"-queue", "Welcomes", "Dev"}, code: 1, says: []string{"Welcomes: failed after 0 were moved back: AccessDenied"},
		},
		"no leave to count":       {spoil: denied("sqs:GetQueueAttributes"), arguments: []string{"Dev"}, code: 1, says: []string{"asking for the number of its messages", "AccessDenied"}},
		"no leave to see tasks":   {spoil: denied("sqs:ListMessageMoveTasks"), arguments: []string{"-queue", "Welcomes", "Dev"}, code: 1, says: []string{"Welcomes: asking how far its dead letters are", "AccessDenied"}},
		"no leave to see sources": {spoil: denied("sqs:ListDeadLetterSourceQueues"), arguments: []string{"-queue", "Welcomes", "Dev"}, code: 1, says: []string{"Welcomes: asking whose dead letters these are", "AccessDenied"}},
		"no leave to move":        {spoil: denied("sqs:StartMessageMoveTask"), arguments: []string{"-queue", "Welcomes", "Dev"}, code: 1, says: []string{"Welcomes: moving its dead letters", "AccessDenied"}},
	} {
		t.Run(name, func(t *testing.T) {
			queues, parameters := deploy(t)
			queues.Put(deadWelcomes, "a")
			if test.spoil != nil {
				test.spoil(queues, parameters)
			}
			_, stderr, code := redrive(t.Context(), test.arguments...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, says := range test.says {
				if !strings.Contains(stderr, says) {
					t.Errorf("it says\n%s\nwant %s", stderr, says)
				}
			}
			if moved := queues.MessagesIn(welcomes); len(moved) > 0 {
				t.Errorf("moved nevertheless: %q", bodies(moved))
			}
		})
	}
}
