package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/lambdas/welcome/handler"
)

const (
	records = 1_000 // of a batch
	batches = 20    // that each handles at its turn
)

// BenchmarkWelcomeBatch has the welcome function's handler take a batch of the mailing list's stream, from its bytes to those
// of the answer, with a sender that does nothing, beside Powertools for AWS Lambda (TypeScript) with an equal handler on
// Node.js. They take turns, one thread each, when both have warmed up. Powertools has a processor that waits for each
// record, as handlers that call AWS need it, and one that cannot wait and is faster. The handler fails when it takes more
// than half the time of either.
//
//	make bench/powertools/node_modules
//	PATH=$PWD/node_modules/.bin:$PATH go test ./bench -run '^$' -bench Welcome -benchtime 1x
func BenchmarkWelcomeBatch(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	powertools := startNode(b, "powertools")
	payload := streamEvent(b, records, -1)
	file := filepath.Join(b.TempDir(), "event.json")
	if err := os.WriteFile(file, payload, 0o600); err != nil {
		b.Fatal(err)
	}
	for _, processor := range []string{"async", "sync"} {
		b.Run(processor, func(b *testing.B) {
			for b.Loop() {
				sender := new(fakeSender)
				ratio := takeTurns(b, 10, func() time.Duration {
					*sender = fakeSender{}
					began := time.Now()
					for range batches {
						if answer, err := handle(sender, payload); err != nil || string(answer) != `{"batchItemFailures":[]}` {
							b.Fatalf("%s, %v", answer, err)
						}
					}
					return time.Since(began) / batches
				}, "powertools", func() time.Duration {
					said := askPowertools(b, powertools, file, processor, batches)
					if sender.told != records*batches || said.Told != records || len(said.Answer.BatchItemFailures) > 0 {
						b.Fatalf("ours was told of %d records, Powertools' of %+v", sender.told, said)
					}
					return milliseconds(said.Milliseconds)
				})
				if ratio > 0.5 {
					b.Errorf("ours takes %.2f times as long as Powertools, want at most 0.5", ratio)
				}
			}
		})
	}
}

// TestPowertoolsFailsTheSameRecords holds that the two do the same: of a batch with one record that has to come again, both
// name that one.
func TestPowertoolsFailsTheSameRecords(t *testing.T) {
	t.Parallel()
	powertools := startNode(t, "powertools")
	for _, at := range []int{-1, 0, 1, 17, 49} {
		payload := streamEvent(t, 50, at)
		file := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(file, payload, 0o600); err != nil {
			t.Fatal(err)
		}
		answer, err := handle(new(fakeSender), payload)
		if err != nil {
			t.Fatal(err)
		}
		var ours events.DynamoDBEventResponse
		if err := json.Unmarshal(answer, &ours); err != nil {
			t.Fatal(err)
		}
		for _, processor := range []string{"async", "sync"} {
			theirs := askPowertools(t, powertools, file, processor, 1)
			if theirs.Told != 50 || !slices.Equal(ours.BatchItemFailures, theirs.Answer.BatchItemFailures) || len(ours.BatchItemFailures) != min(at+1, 1) {
				t.Errorf("the record at %d: %+v come again, of Powertools' %+v", at, ours.BatchItemFailures, theirs)
			}
		}
	}
}

type powertoolsAnswer struct {
	Milliseconds float64
	Told         int
	Answer       events.DynamoDBEventResponse
}

func askPowertools(tb testing.TB, powertools *node, file, processor string, times int) (answer powertoolsAnswer) {
	tb.Helper()
	powertools.ask(tb, map[string]any{"payload": file, "processor": processor, "times": times}, &answer)
	return answer
}

func handle(sender *fakeSender, payload []byte) ([]byte, error) {
	handler := &handler.Handler{Sender: sender, DeadLetterQueue: noDLQ{}, Logger: slog.New(slog.DiscardHandler)}
	return handler.Invoke(context.Background(), payload)
}

// A fakeSender says of some that they have to come again, and is the same as the one in powertools/powertools.js.
type fakeSender struct{ told int }

func (f *fakeSender) Send(_ context.Context, key mailinglist.Key) error {
	f.told++
	if strings.HasPrefix(key.Address, "later") {
		return fmt.Errorf("%w: %s", retry.ErrUnavailable, key.Kind)
	}
	return nil
}

func (f *fakeSender) SendUnsent(context.Context) error { return nil }

type noDLQ struct{}

func (noDLQ) Send(_ context.Context, message deadletter.Message) error {
	return fmt.Errorf("given up: %s", message.Reason)
}

// streamEvent is a batch as Lambda hands it over, of new subscriptions, as large as ours are. The one at a place has to
// come again.
func streamEvent(tb testing.TB, size, later int) []byte {
	tb.Helper()
	var event events.DynamoDBEvent
	for i := range size {
		name := "subscriber"
		if i == later {
			name = "later"
		}
		address := fmt.Sprintf("%s.%d@example.com", name, i)
		keys := map[string]events.DynamoDBAttributeValue{
			"Address": events.NewStringAttribute(address), "Kind": events.NewStringAttribute(string(mailinglist.Subscribed)),
		}
		event.Records = append(event.Records, events.DynamoDBEventRecord{
			EventID: fmt.Sprintf("c4ca4238a0b923820dcc509a%08x", i), EventName: "INSERT", EventVersion: "1.1", EventSource: "aws:dynamodb", AWSRegion: "eu-central-1",
			EventSourceArn: "arn:aws:dynamodb:eu-central-1:111111111111:table/Prod-Mail-MailingListTable1A2B3C4D-1A2B3C4D5E6F/stream/2026-11-20T00:00:00.000",
			Change: events.DynamoDBStreamRecord{
				ApproximateCreationDateTime: events.SecondsEpochTime{Time: time.Unix(1795186800, 0)},
				Keys:                        keys,
				NewImage: map[string]events.DynamoDBAttributeValue{
					"Address": keys["Address"], "Kind": keys["Kind"], "ID": events.NewStringAttribute(uuid.NewSHA1(uuid.Nil, []byte(address)).String()),
					"To": events.NewStringAttribute(address), "Language": events.NewStringAttribute("ko-KR"), "Unsent": events.NewStringAttribute("yes"),
					"Link":      events.NewStringAttribute("https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1/subscriptions/" + strings.Repeat("AbC-_123", 11)),
					"CreatedAt": events.NewStringAttribute("2026-11-20T15:04:05.000Z"),
				},
				SequenceNumber: fmt.Sprintf("1302160000000000%011d", i), SizeBytes: 512, StreamViewType: "NEW_AND_OLD_IMAGES",
			},
		})
	}
	payload, err := json.Marshal(event)
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}
