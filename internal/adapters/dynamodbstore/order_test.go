package dynamodbstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

// An operation is one of a reader, a sender or SES, on ada's address.
type operation struct {
	name string
	do   func(l *dynamodbstore.MailingList) error
}

// TestWhoeverComesBetweenComesBeforeOrAfter has one operation done before each call to DynamoDB of another. What comes of
// it, in the table and for both callers, is what would have come of one after the other.
func TestWhoeverComesBetweenComesBeforeOrAfter(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	pending, second := subscription(mailinglist.Pending), subscription(mailinglist.Pending)
	subscribed, confirmed, tomorrow := subscription(mailinglist.Subscribed), pending, second
	confirmed.CreatedAt = now.Add(time.Minute)
	tomorrow.CreatedAt = now.Add(24 * time.Hour)
	var lease mailinglist.Lease
	before := map[string]func() error{
		"nothing":         func() error { return nil },
		"a pending one":   func() error { return w.Subscribe(ctx, pending) },
		"a subscription":  func() error { return w.Subscribe(ctx, subscribed) },
		"a confirmed one": func() error { return errors.Join(w.Subscribe(ctx, pending), w.Confirm(ctx, confirmed)) },
		"one that is leased": func() (err error) {
			if err := w.Subscribe(ctx, pending); err != nil {
				return err
			}
			lease, err = w.Lease(ctx, pending.Key, now, now.Add(leaseDuration))
			return err
		},
	}
	operations := []operation{
		{"subscribe, pending", func(l *dynamodbstore.MailingList) error { return l.Subscribe(ctx, second) }},
		{"subscribe, pending, tomorrow", func(l *dynamodbstore.MailingList) error { return l.Subscribe(ctx, tomorrow) }},
		{"subscribe", func(l *dynamodbstore.MailingList) error { return l.Subscribe(ctx, subscribed) }},
		{"confirm", func(l *dynamodbstore.MailingList) error { return l.Confirm(ctx, confirmed) }},
		{"leave", func(l *dynamodbstore.MailingList) error { return l.Unsubscribe(ctx, pending.Address) }},
		{"suppress", func(l *dynamodbstore.MailingList) error { return l.Suppress(ctx, pending.Address, "bounced", now) }},
		{"lease", func(l *dynamodbstore.MailingList) error {
			_, err := l.Lease(ctx, pending.Key, now, now.Add(leaseDuration))
			return err
		}},
		{"mark sent", func(l *dynamodbstore.MailingList) error { return l.MarkSent(ctx, lease, "1", now) }},
		{"release", func(l *dynamodbstore.MailingList) error { return l.Release(ctx, lease) }},
	}
	prepare := func(name string) {
		w.clear(t)
		lease = mailinglist.Lease{Subscription: pending}
		ok(t, before[name]())
	}
	// outcome is what two callers got, and the table.
	outcome := func(first, second error) string {
		return fmt.Sprint(told(first), " and ", told(second), ": ", w.rows(t))
	}
	direct := &dynamodbstore.MailingList{Table: w.Table, API: w.server.Client}
	between := 0
	for name := range before {
		for _, a := range operations {
			for _, b := range operations {
				var possible []string
				for at := int64(2); ; at++ { // before the first, it is b and then a
					prepare(name)
					var calls atomic.Int64
					var second error
					w.server.Intercept(func(awstest.Call) awstest.Fault {
						if calls.Add(1) == at {
							second = b.do(direct)
						}
						return awstest.Fault{}
					})
					first := a.do(w.MailingList)
					w.server.Intercept(nil)
					if calls.Load() < at {
						break
					}
					between++
					got := outcome(first, second)
					if possible == nil {
						prepare(name)
						first, second = a.do(direct), b.do(direct)
						possible = append(possible, outcome(first, second))
						prepare(name)
						second, first = b.do(direct), a.do(direct)
						possible = append(possible, outcome(first, second))
					}
					// Subscribe says it: somebody may be subscribed between its look and its writing.
					known := strings.HasPrefix(a.name, "subscribe, pending") && slices.Contains([]string{"subscribe", "confirm"}, b.name)
					if !known && !slices.Contains(possible, got) {
						t.Errorf("%s is there; before call %d of %s, somebody comes to %s:\n%s\nwant one of\n%s", name, at, a.name, b.name, got, strings.Join(possible, "\n"))
					}
				}
			}
		}
	}
	if t.Logf("%d times between", between); between == 0 {
		t.Error("nobody has come between")
	}
}

// told is what a caller is told by an error.
func told(err error) string {
	_, leased := errors.AsType[*email.LeasedError](err)
	switch {
	case err == nil:
		return "done"
	case leased:
		return "leased"
	case errors.Is(err, mailinglist.ErrNotFound):
		return "not found"
	}
	return err.Error()
}

// clear empties the table.
func (w *world) clear(t testing.TB) {
	t.Helper()
	found, err := w.server.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.Table, ProjectionExpression: aws.String("Address, Kind")})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range found.Items {
		if _, err := w.server.Client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &w.Table, Key: key}); err != nil {
			t.Fatal(err)
		}
	}
}
