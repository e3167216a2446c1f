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
	records = 1_000 // per batch
	batches = 20    // per turn
)

// BenchmarkWelcomeBatch measures the welcome function's handler with a batch of the mailing list's
// stream, from its bytes to the bytes of the response, with a fake sender, compared with Powertools
// for AWS Lambda (TypeScript) with an equivalent handler on Node.js. They run in turn, one thread
// each, after a warm-up. Powertools has an asynchronous processor, which handlers that call AWS
// need, and a synchronous one, which is faster. It fails if the handler takes more than half the
// time of either.
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
						response, err := handle(sender, payload)
						if err != nil || string(response) != `{"batchItemFailures":[]}` {
							b.Fatalf("%s, %v", response, err)
						}
					}
					return time.Since(began) / batches
				}, "powertools", func() time.Duration {
					result := askPowertools(b, powertools, file, processor, batches)
					if sender.sent != records*batches || result.Sent != records ||
						len(result.Response.BatchItemFailures) > 0 {
						b.Fatalf("%d records sent, Powertools: %+v", sender.sent, result)
					}
					return milliseconds(result.Milliseconds)
				})
				if ratio > 0.5 {
					b.Errorf("%.2f times Powertools' time, want at most 0.5", ratio)
				}
			}
		})
	}
}

// The two do the same: both return the one record of a batch that must be retried.
func TestWelcomeBatch_equals_Powertools(t *testing.T) {
	t.Parallel()
	powertools := startNode(t, "powertools")
	for _, at := range []int{-1, 0, 1, 17, 49} {
		payload := streamEvent(t, 50, at)
		file := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(file, payload, 0o600); err != nil {
			t.Fatal(err)
		}
		response, err := handle(new(fakeSender), payload)
		if err != nil {
			t.Fatal(err)
		}
		var ours events.DynamoDBEventResponse
		if err := json.Unmarshal(response, &ours); err != nil {
			t.Fatal(err)
		}
		for _, processor := range []string{"async", "sync"} {
			theirs := askPowertools(t, powertools, file, processor, 1)
			got, want := theirs.Response.BatchItemFailures, ours.BatchItemFailures
			if theirs.Sent != 50 || !slices.Equal(got, want) || len(want) != min(at+1, 1) {
				t.Errorf("record %d: %+v to retry, Powertools: %+v", at, want, theirs)
			}
		}
	}
}

type powertoolsResponse struct {
	Milliseconds float64
	Sent         int
	Response     events.DynamoDBEventResponse
}

func askPowertools(
	tb testing.TB, powertools *node, file, processor string, times int,
) (response powertoolsResponse) {
	tb.Helper()
	request := map[string]any{"payload": file, "processor": processor, "times": times}
	powertools.ask(tb, request, &response)
	return response
}

func handle(sender *fakeSender, payload []byte) ([]byte, error) {
	handler := &handler.Handler{
		Sender: sender, DeadLetterQueue: noDLQ{}, Logger: slog.New(slog.DiscardHandler),
	}
	return handler.Invoke(context.Background(), payload)
}

// A fakeSender returns temporary failures for some addresses, as the sender in
// powertools/powertools.js does.
type fakeSender struct{ sent int }

func (f *fakeSender) Send(_ context.Context, key mailinglist.Key) error {
	f.sent++
	if strings.HasPrefix(key.Address, "later") {
		return fmt.Errorf("%w: %s", retry.ErrUnavailable, key.Kind)
	}
	return nil
}

func (f *fakeSender) SendUnsent(context.Context) error { return nil }

type noDLQ struct{}

func (noDLQ) Send(_ context.Context, message deadletter.Message) error {
	return fmt.Errorf("sent to the DLQ: %s", message.Reason)
}

// streamEvent returns a batch of new subscriptions as Lambda receives it, with records as large as
// the table's. The record at index later must be retried.
func streamEvent(tb testing.TB, size, later int) []byte {
	tb.Helper()
	var event events.DynamoDBEvent
	for i := range size {
		name := "subscriber"
		if i == later {
			name = "later"
		}
		address := fmt.Sprintf("%s.%d@example.com", name, i)
		link := "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1/subscriptions/" +
			strings.Repeat("AbC-_123", 11)
		id := uuid.NewSHA1(uuid.Nil, []byte(address)).String()
		keys := map[string]events.DynamoDBAttributeValue{
			"Address": events.NewStringAttribute(address),
			"Kind":    events.NewStringAttribute(string(mailinglist.Subscribed)),
		}
		event.Records = append(event.Records, events.DynamoDBEventRecord{
			EventID: fmt.Sprintf("c4ca4238a0b923820dcc509a%08x", i), EventName: "INSERT",
			EventVersion: "1.1", EventSource: "aws:dynamodb", AWSRegion: "eu-central-1",
			EventSourceArn: "arn:aws:dynamodb:eu-central-1:111111111111:table/" +
				"Prod-MailingList-MailingListTable1A2B3C4D-1A2B3C4D5E6F/" +
				"stream/2026-11-20T00:00:00.000",
			Change: events.DynamoDBStreamRecord{
				ApproximateCreationDateTime: events.SecondsEpochTime{
					Time: time.Unix(1795186800, 0),
				},
				Keys: keys,
				NewImage: map[string]events.DynamoDBAttributeValue{
					"Address":   keys["Address"],
					"Kind":      keys["Kind"],
					"ID":        events.NewStringAttribute(id),
					"To":        events.NewStringAttribute(address),
					"Language":  events.NewStringAttribute("ko-KR"),
					"Unsent":    events.NewStringAttribute("yes"),
					"Link":      events.NewStringAttribute(link),
					"CreatedAt": events.NewStringAttribute("2026-11-20T15:04:05.000Z"),
				},
				SequenceNumber: fmt.Sprintf("1302160000000000%011d", i), SizeBytes: 512,
				StreamViewType: "NEW_AND_OLD_IMAGES",
			},
		})
	}
	payload, err := json.Marshal(event)
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}
