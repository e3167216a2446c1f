package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// A simulation is a queue with up to two concurrent functions, the services that they use, and
// random faults.
type simulation struct {
	mu         sync.Mutex
	random     *rand.Rand
	calm       bool           // no more faults
	data       map[string]int // by day: number of objects
	waiting    []events.SQSMessage
	received   map[string]int // by message id
	inFlight   int
	sent       int
	executions map[string]*execution // by id
	ids        map[string]string     // by token
	files      map[string]storedFile // by key
	writes     int
}

type execution struct {
	reports.Execution
	report, day string
	why         string // the ids of the messages that it was started for
	result      int
}

type storedFile struct {
	reports.Version
	content string
}

// yes returns true in n of a hundred calls, until the simulation is calm.
func (p *simulation) yes(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.calm && p.random.IntN(100) < n
}

// sleep sleeps for a random time up to longest.
func (p *simulation) sleep(longest time.Duration) {
	p.mu.Lock()
	duration := time.Millisecond + time.Duration(p.random.Int64N(int64(longest)))
	p.mu.Unlock()
	time.Sleep(duration)
}

// fail returns the error of a call before it has an effect, or after (done).
func (p *simulation) fail(done bool) error {
	p.sleep(50 * time.Millisecond)
	if p.yes(20) {
		p.sleep(20 * time.Second)
	}
	switch {
	case p.yes(4):
		return fmt.Errorf("throttled: %w", retry.ErrUnavailable)
	case !done && p.yes(2):
		return errors.New("denied")
	}
	return nil
}

// batchOf is the key of the batch in the context of a run.
type batchOf struct{}

// why returns the ids of the messages about a day in the batch of a run.
func why(ctx context.Context, day string) string {
	var ids []string
	for _, message := range ctx.Value(batchOf{}).([]events.SQSMessage) {
		if strings.Contains(message.Body, day) {
			ids = append(ids, message.MessageId)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func (p *simulation) Start(
	ctx context.Context, token, sql string, parameters ...string,
) (string, error) {
	if err := p.fail(false); err != nil {
		return "", err
	}
	p.mu.Lock()
	id, there := p.ids[token]
	if !there {
		id = "q" + strconv.Itoa(len(p.ids))
		started := &execution{report: sql, day: parameters[0], why: why(ctx, parameters[0])}
		started.Submitted = time.Now()
		p.ids[token], p.executions[id] = id, started
		go p.execute(started)
	}
	p.mu.Unlock()
	return id, p.fail(true)
}

func (p *simulation) execute(query *execution) {
	p.sleep(5 * time.Second)
	p.mu.Lock()
	query.result = p.data[query.day]
	p.mu.Unlock()
	p.sleep(5 * time.Second)
	state := reports.Succeeded
	switch {
	case p.yes(10):
		state = reports.Failed
	case p.yes(5):
		return // the query hangs
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if query.State == reports.Running {
		query.State = state
	}
}

func (p *simulation) Get(_ context.Context, id string) (reports.Execution, error) {
	if err := p.fail(false); err != nil {
		return reports.Execution{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.executions[id].Execution, nil
}

func (p *simulation) Rows(_ context.Context, id string) ([]string, [][]*string, error) {
	if err := p.fail(false); err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	result := strconv.Itoa(p.executions[id].result)
	return []string{"n"}, [][]*string{{&result}}, nil
}

func (p *simulation) Stop(_ context.Context, id string) error {
	if err := p.fail(false); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if query := p.executions[id]; query.State == reports.Running {
		query.State = reports.Failed
	}
	return nil
}

func (p *simulation) Version(_ context.Context, key string) (reports.Version, error) {
	if err := p.fail(false); err != nil {
		return reports.Version{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.files[key].Version, nil
}

func (p *simulation) Replace(_ context.Context, replaced reports.Version, file reports.File) error {
	if err := p.fail(false); err != nil {
		return err
	}
	p.mu.Lock()
	if p.files[file.Key].ETag != replaced.ETag {
		p.mu.Unlock()
		return reports.ErrConflict
	}
	p.writes++
	p.files[file.Key] = storedFile{
		reports.Version{ETag: strconv.Itoa(p.writes), AsOf: file.AsOf}, string(file.Content),
	}
	p.mu.Unlock()
	return p.fail(true)
}

// arrive adds an object to a day and S3's notification to the queue.
func (p *simulation) arrive(day string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.data[day]++
	p.sent++
	id := "m" + strconv.Itoa(p.sent)
	p.waiting = append(p.waiting, events.SQSMessage{
		MessageId: id,
		Body: `{"Records":[{"s3":{"object":{"key":` +
			`"telemetry/type%3Dboot/day%3D` + day + `/` + id + `"}}}]}`,
	})
}

// work processes batches from the queue until it has been empty for a while.
func (p *simulation) work(h *handler) {
	begun := time.Now()
	for idle := 0; idle < 5 && time.Since(begun) < 24*time.Hour; {
		p.sleep(10 * time.Second)
		p.mu.Lock()
		p.random.Shuffle(len(p.waiting), func(i, j int) {
			p.waiting[i], p.waiting[j] = p.waiting[j], p.waiting[i]
		})
		n := min(len(p.waiting), 1+p.random.IntN(4))
		batch := slices.Clone(p.waiting[:n])
		p.waiting = p.waiting[n:]
		for i, message := range batch {
			p.received[message.MessageId]++
			batch[i].Attributes = map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(p.received[message.MessageId]),
			}
		}
		if idle++; n > 0 || p.inFlight > 0 {
			idle = 0
		}
		p.inFlight += n
		p.mu.Unlock()
		if n > 0 {
			p.run(h, batch)
		}
	}
}

// run invokes a function with a batch. Failed messages are redelivered: all of them when the
// function dies, and sometimes processed ones too.
func (p *simulation) run(h *handler, batch []events.SQSMessage) {
	ctx := context.WithValue(context.Background(), batchOf{}, batch)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dies := p.yes(10)
	if dies {
		go func() {
			p.sleep(20 * time.Second)
			cancel()
		}()
	}
	response, err := h.Handle(ctx, events.SQSEvent{Records: batch})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight -= len(batch)
	for _, message := range batch {
		failed := slices.Contains(response.BatchItemFailures,
			events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
		if err != nil || dies || failed || !p.calm && p.random.IntN(10) == 0 {
			p.waiting = append(p.waiting, message)
		}
	}
}

// The files contain the newest data in every case: data that arrives late, calls that
// fail or whose response is lost, queries that fail or hang, functions that die, messages that are
// delivered twice, and two concurrent functions.
func TestHandler_Handle_converges_to_the_newest_data(t *testing.T) {
	days := []string{"2026-11-20", "2026-11-21"}
	failed := 0
	for seed := range uint64(500) {
		p := &simulation{
			random:     rand.New(rand.NewPCG(seed, 0)),
			data:       map[string]int{},
			received:   map[string]int{},
			executions: map[string]*execution{},
			ids:        map[string]string{},
			files:      map[string]storedFile{},
		}
		synctest.Test(t, func(t *testing.T) {
			column := []telemetryschema.Column{{Name: "n", Type: "bigint"}}
			h := &handler{
				generator: &reports.Generator{
					Reports: []telemetryschema.Report{
						{Name: "a", SQL: "a", Columns: column},
						{Name: "b", SQL: "b", Columns: column},
					},
					Queries: p, Files: p, Timeout: 30 * time.Second,
					WriteParquet: func(
						w io.Writer, _ []telemetryschema.Column, rows [][]any,
					) error {
						_, err := fmt.Fprint(w, rows[0]...)
						return err
					},
				},
				minTimePerDay: 30 * time.Second,
				logger:        slog.New(slog.DiscardHandler),
			}
			for range 10 {
				p.arrive(days[p.random.IntN(len(days))])
			}
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() { p.work(h) })
			}
			for range 10 {
				p.sleep(20 * time.Second)
				p.arrive(days[p.random.IntN(len(days))])
			}
			p.sleep(10 * time.Minute)
			p.mu.Lock()
			p.calm = true
			p.mu.Unlock()
			group.Wait()
			if len(p.waiting) > 0 {
				t.Errorf("simulation %d: %d messages are left", seed, len(p.waiting))
			}
		})
		for _, day := range days {
			for _, report := range []string{"a", "b"} {
				parquet := p.files[reports.Key("parquet", report, day)].content
				csv := p.files[reports.Key("csv", report, day)].content
				want := strconv.Itoa(p.data[day])
				if p.data[day] > 0 &&
					(parquet != want || csv != fmt.Sprintf("n\n%d\n", p.data[day])) {
					t.Errorf("simulation %d: report %s of %s: Parquet %q and CSV %q, want %s",
						seed, report, day, parquet, csv, want)
				}
			}
		}
		succeeded := map[string]int{}
		for _, query := range p.executions {
			if query.State != reports.Succeeded {
				failed++
				continue
			}
			of := fmt.Sprintf("%s of %s for the messages %s", query.report, query.day, query.why)
			if succeeded[of]++; succeeded[of] > 1 {
				t.Errorf("simulation %d: %d queries succeeded: %s", seed, succeeded[of], of)
			}
		}
		if t.Failed() {
			return
		}
	}
	if failed == 0 {
		t.Error("no query failed in any simulation")
	}
	t.Logf("%d queries failed", failed)
}
