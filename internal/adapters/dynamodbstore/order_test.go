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

// An operation is one of a subscriber, a sender or SES, on ada's address.
type operation struct {
	name string
	do   func(l *dynamodbstore.MailingList) error
}

// TestMailingList_is_serializable executes one operation before each DynamoDB call of another. The
// result, in the table and for both callers, must be the result of executing one after the other.
func TestMailingList_is_serializable(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	pending, second := subscription(mailinglist.Pending), subscription(mailinglist.Pending)
	subscribed, confirmed, tomorrow := subscription(mailinglist.Subscribed), pending, second
	confirmed.CreatedAt = now.Add(time.Minute)
	tomorrow.CreatedAt = now.Add(24 * time.Hour)
	var lease mailinglist.Lease
	before := map[string]func() error{
		"no item":    func() error { return nil },
		"pending":    func() error { return w.Subscribe(ctx, pending) },
		"subscribed": func() error { return w.Subscribe(ctx, subscribed) },
		"confirmed": func() error {
			return errors.Join(w.Subscribe(ctx, pending), w.Confirm(ctx, confirmed))
		},
		"leased": func() (err error) {
			if err := w.Subscribe(ctx, pending); err != nil {
				return err
			}
			lease, err = w.Lease(ctx, pending.Key, now, now.Add(leaseDuration))
			return err
		},
	}
	operations := []operation{
		{"subscribe, pending", func(l *dynamodbstore.MailingList) error {
			return l.Subscribe(ctx, second)
		}},
		{"subscribe, pending, tomorrow", func(l *dynamodbstore.MailingList) error {
			return l.Subscribe(ctx, tomorrow)
		}},
		{"subscribe", func(l *dynamodbstore.MailingList) error {
			return l.Subscribe(ctx, subscribed)
		}},
		{"confirm", func(l *dynamodbstore.MailingList) error { return l.Confirm(ctx, confirmed) }},
		{"unsubscribe", func(l *dynamodbstore.MailingList) error {
			return l.Unsubscribe(ctx, pending.Address)
		}},
		{"suppress", func(l *dynamodbstore.MailingList) error {
			return l.Suppress(ctx, pending.Address, "bounced", now)
		}},
		{"lease", func(l *dynamodbstore.MailingList) error {
			_, err := l.Lease(ctx, pending.Key, now, now.Add(leaseDuration))
			return err
		}},
		{"mark sent", func(l *dynamodbstore.MailingList) error {
			return l.MarkSent(ctx, lease, "1", now)
		}},
		{"release", func(l *dynamodbstore.MailingList) error { return l.Release(ctx, lease) }},
	}
	prepare := func(name string) {
		w.clear(t)
		lease = mailinglist.Lease{Subscription: pending}
		ok(t, before[name]())
	}
	// outcome formats what two callers got, and the table.
	outcome := func(first, second error) string {
		return fmt.Sprint(outcomeOf(first), " and ", outcomeOf(second), ": ", w.rows(t))
	}
	direct := &dynamodbstore.MailingList{Table: w.Table, API: w.server.Client}
	interleavings := 0
	for name := range before {
		for _, a := range operations {
			for _, b := range operations {
				var possible []string
				for at := int64(2); ; at++ { // before call 1, it would be b and then a
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
					interleavings++
					got := outcome(first, second)
					if possible == nil {
						prepare(name)
						first, second = a.do(direct), b.do(direct)
						possible = append(possible, outcome(first, second))
						prepare(name)
						second, first = b.do(direct), a.do(direct)
						possible = append(possible, outcome(first, second))
					}
					// Subscribe documents this: the address may become subscribed after it has
					// looked and before it writes.
					known := strings.HasPrefix(a.name, "subscribe, pending") &&
						slices.Contains([]string{"subscribe", "confirm"}, b.name)
					if !known && !slices.Contains(possible, got) {
						t.Errorf("%s; %s before call %d of %s:\n%s\nwant one of\n%s",
							name, b.name, at, a.name, got, strings.Join(possible, "\n"))
					}
				}
			}
		}
	}
	if t.Logf("%d interleavings", interleavings); interleavings == 0 {
		t.Error("no operation ran in between")
	}
}

// outcomeOf classifies an operation's error.
func outcomeOf(err error) string {
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

// clear deletes all items of the table.
func (w *world) clear(t testing.TB) {
	t.Helper()
	found, err := w.server.Client.Scan(t.Context(),
		&dynamodb.ScanInput{TableName: &w.Table, ProjectionExpression: aws.String("Address, Kind")})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range found.Items {
		_, err := w.server.Client.DeleteItem(t.Context(),
			&dynamodb.DeleteItemInput{TableName: &w.Table, Key: key})
		if err != nil {
			t.Fatal(err)
		}
	}
}
