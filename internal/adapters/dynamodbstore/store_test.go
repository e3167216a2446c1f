package dynamodbstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/mailinglisttable"
)

// now is in the future, so that the table's TTL does not delete items that expire during a test.
var now = time.Date(2050, 3, 1, 9, 0, 0, 7_000_000, time.UTC)

const leaseDuration = time.Minute

// A world is a table behind a relay.
type world struct {
	*dynamodbstore.MailingList
	server *dynamodbtest.Server
}

func start(t *testing.T) *world {
	t.Helper()
	server := dynamodbtest.Start(t)
	return &world{
		&dynamodbstore.MailingList{Table: server.NewMailingList(t), API: client(server, 3)}, server,
	}
}

func client(
	server *dynamodbtest.Server, attempts int, options ...func(*dynamodb.Options),
) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &server.URL,
		Region:       lambdatest.Region,
		Credentials: credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
			lambdatest.SecretAccessKey, lambdatest.SessionToken),
		Retryer: awsretry.NewStandard(func(o *awsretry.StandardOptions) {
			o.MaxAttempts = attempts
			o.Backoff = awsretry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				return 0, nil
			})
		}),
	}, options...)
}

// A row is an item of the table.
type row map[string]any

// rows returns all items by key and kind, without the holders of leases.
func (w *world) rows(t testing.TB) map[string]row {
	t.Helper()
	found, err := w.server.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.Table})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for _, item := range found.Items {
		r := row{}
		if err := attributevalue.UnmarshalMap(item, (*map[string]any)(&r)); err != nil {
			t.Fatal(err)
		}
		delete(r, "LeaseHolder")
		rows[fmt.Sprint(r["Address"], " ", r["Kind"])] = r
	}
	return rows
}

// want compares the table with the expected rows.
func (w *world) want(t testing.TB, want map[string]row) {
	t.Helper()
	if diff := cmp.Diff(want, w.rows(t)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// subscription returns a new subscription of ada, created at now.
func subscription(kind mailinglist.Kind) mailinglist.Subscription {
	return mailinglist.Subscription{
		Key: mailinglist.Key{Address: "ada@example.com", Kind: kind, ID: uuid.Must(uuid.NewV7())},
		To:  "Ada@example.com", Language: "ko", Link: "https://api.example.com/confirmations/x",
		CreatedAt: now,
	}
}

// unsentRow returns the row of a new subscription.
func unsentRow(s mailinglist.Subscription) row {
	r := row{
		"Address": s.Address, "Kind": string(s.Kind), "ID": s.ID.String(), "To": string(s.To),
		"Language": s.Language, "Link": s.Link,
		"CreatedAt": s.CreatedAt.Format("2006-01-02T15:04:05.000Z"), "Unsent": "yes",
	}
	if s.Language == "" {
		delete(r, "Language")
	}
	if s.Kind == mailinglist.Pending {
		r["ExpiresAt"] = float64(s.CreatedAt.Add(24 * time.Hour).Unix())
	}
	return r
}

// TestItem_has_the_kinds_and_the_lifetime_of_subscriptions holds the table's public format and the
// domain together.
func TestItem_has_the_kinds_and_the_lifetime_of_subscriptions(t *testing.T) {
	for kind, want := range map[mailinglist.Kind]mailinglisttable.Kind{
		mailinglist.Pending:    mailinglisttable.Pending,
		mailinglist.Subscribed: mailinglisttable.Subscribed,
		mailinglist.Suppressed: mailinglisttable.Suppressed,
	} {
		if string(kind) != string(want) {
			t.Errorf("the kind is %q in the domain, %q in the table", kind, want)
		}
	}
	if mailinglist.ConfirmWithin != mailinglisttable.PendingLifetime {
		t.Errorf("a pending subscription is valid for %s in the domain, %s in the table",
			mailinglist.ConfirmWithin, mailinglisttable.PendingLifetime)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMailingList_Subscribe_twice_keeps_the_first(t *testing.T) {
	for _, kind := range []mailinglist.Kind{mailinglist.Pending, mailinglist.Subscribed} {
		w := start(t)
		first, second := subscription(kind), subscription(kind)
		second.To, second.Link = "ADA@example.com", "another"
		second.CreatedAt = now.Add(24*time.Hour - time.Second)
		ok(t, w.Subscribe(t.Context(), first))
		ok(t, w.Subscribe(t.Context(), second))
		w.want(t, map[string]row{"ada@example.com " + string(kind): unsentRow(first)})
		if inserted := w.inserted(t); len(inserted) != 1 {
			t.Errorf("inserted %v, want one", inserted)
		}
	}
}

func TestMailingList_Subscribe_pending_of_a_subscriber_changes_nothing(t *testing.T) {
	w := start(t)
	subscribed := subscription(mailinglist.Subscribed)
	ok(t, w.Subscribe(t.Context(), subscribed))
	ok(t, w.Subscribe(t.Context(), subscription(mailinglist.Pending)))
	w.want(t, map[string]row{"ada@example.com subscription": unsentRow(subscribed)})
}

func TestMailingList_Subscribe_replaces_an_expired_pending_item(t *testing.T) {
	w := start(t)
	first, second := subscription(mailinglist.Pending), subscription(mailinglist.Pending)
	second.CreatedAt = now.Add(24 * time.Hour)
	ok(t, w.Subscribe(t.Context(), first))
	ok(t, w.Subscribe(t.Context(), second))
	w.want(t, map[string]row{"ada@example.com pending": unsentRow(second)})
	diff := cmp.Diff([]string{first.ID.String(), second.ID.String()}, w.inserted(t))
	if diff != "" {
		t.Errorf("ids in the stream (-want +got):\n%s", diff)
	}
}

func (w *world) records(t testing.TB) []events.DynamoDBEventRecord {
	t.Helper()
	var event events.DynamoDBEvent
	if err := json.Unmarshal(w.server.StreamEvent(t, w.Table), &event); err != nil {
		t.Fatal(err)
	}
	return event.Records
}

// inserted returns the IDs of the items that the stream has as new.
func (w *world) inserted(t testing.TB) []string {
	t.Helper()
	ids := []string{}
	for _, record := range w.records(t) {
		if record.EventName == "INSERT" {
			ids = append(ids, record.Change.NewImage["ID"].String())
		}
	}
	return ids
}

func TestMailingList_Confirm_replaces_the_pending_item(t *testing.T) {
	w := start(t)
	pending := subscription(mailinglist.Pending)
	ok(t, w.Subscribe(t.Context(), pending))
	confirmed := subscription(mailinglist.Subscribed)
	confirmed.ID, confirmed.CreatedAt = pending.ID, now.Add(time.Hour)
	confirmed.Link = "https://api.example.com/subscriptions/y"
	asked := confirmed
	asked.To, asked.Language = "other@example.com", "en" // the stored item's values are used
	for range 2 {
		ok(t, w.Confirm(t.Context(), asked))
		w.want(t, map[string]row{"ada@example.com subscription": unsentRow(confirmed)})
	}
	diff := cmp.Diff([]string{pending.ID.String(), pending.ID.String()}, w.inserted(t))
	if diff != "" {
		t.Errorf("ids in the stream (-want +got):\n%s", diff)
	}
}

func TestMailingList_Confirm_rejects_an_old_confirmation(t *testing.T) {
	pending := subscription(mailinglist.Pending)
	confirm := pending
	confirm.Kind, confirm.CreatedAt = mailinglist.Subscribed, now.Add(time.Hour)
	for name, before := range map[string]func(w *world) error{
		"without a subscription": func(*world) error { return nil },
		"after confirm and unsubscribe": func(w *world) error {
			return errors.Join(w.Subscribe(t.Context(), pending), w.Confirm(t.Context(), confirm),
				w.Unsubscribe(t.Context(), pending.Address))
		},
		"after unsubscribe": func(w *world) error {
			return errors.Join(w.Subscribe(t.Context(), pending),
				w.Unsubscribe(t.Context(), pending.Address))
		},
		"of another pending item": func(w *world) error {
			return w.Subscribe(t.Context(), subscription(mailinglist.Pending))
		},
		"of another subscription": func(w *world) error {
			return w.Subscribe(t.Context(), subscription(mailinglist.Subscribed))
		},
		"after expiry": func(w *world) error {
			expired := pending
			expired.CreatedAt = confirm.CreatedAt.Add(-24 * time.Hour)
			return w.Subscribe(t.Context(), expired)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			ok(t, before(w))
			rows := w.rows(t)
			if err := w.Confirm(t.Context(), confirm); !errors.Is(err, mailinglist.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
			w.want(t, rows)
		})
	}
}

// TestMailingList_Confirm_keeps_an_existing_subscription tests an environment that has switched
// from double to single opt-in.
func TestMailingList_Confirm_keeps_an_existing_subscription(t *testing.T) {
	w := start(t)
	pending, subscribed := subscription(mailinglist.Pending), subscription(mailinglist.Subscribed)
	ok(t, w.Subscribe(t.Context(), pending))
	ok(t, w.Subscribe(t.Context(), subscribed))
	ok(t, w.Confirm(t.Context(), pending))
	w.want(t, map[string]row{"ada@example.com subscription": unsentRow(subscribed)})
}

func TestMailingList_Unsubscribe_keeps_a_suppression(t *testing.T) {
	w := start(t)
	other := subscription(mailinglist.Subscribed)
	other.Address = "eve@example.com"
	for _, s := range []mailinglist.Subscription{
		subscription(mailinglist.Pending), subscription(mailinglist.Subscribed), other,
	} {
		ok(t, w.Subscribe(t.Context(), s))
	}
	ok(t, w.Suppress(t.Context(), "ada@example.com", "bounced", now))
	for range 2 {
		ok(t, w.Unsubscribe(t.Context(), "ada@example.com"))
		w.want(t, map[string]row{
			"eve@example.com subscription": unsentRow(other),
			"ada@example.com suppression": {
				"Address": "ada@example.com", "Kind": "suppression", "Reason": "bounced",
				"CreatedAt": "2050-03-01T09:00:00.007Z",
			},
		})
	}
}

func TestMailingList_Subscribe_after_Unsubscribe_is_new(t *testing.T) {
	w := start(t)
	first, second := subscription(mailinglist.Subscribed), subscription(mailinglist.Subscribed)
	ok(t, w.Subscribe(t.Context(), first))
	ok(t, w.Unsubscribe(t.Context(), first.Address))
	ok(t, w.Subscribe(t.Context(), second))
	w.want(t, map[string]row{"ada@example.com subscription": unsentRow(second)})
	diff := cmp.Diff([]string{first.ID.String(), second.ID.String()}, w.inserted(t))
	if diff != "" {
		t.Errorf("ids in the stream (-want +got):\n%s", diff)
	}
}

func TestMailingList_Suppress_keeps_the_first_reason(t *testing.T) {
	w := start(t)
	suppressed, err := w.Suppressed(t.Context(), "ada@example.com")
	if err != nil || suppressed {
		t.Errorf("suppressed is %t, %v, want false", suppressed, err)
	}
	for _, reason := range []string{"complained", "bounced"} {
		ok(t, w.Suppress(t.Context(), "ada@example.com", reason, now))
		suppressed, err := w.Suppressed(t.Context(), "ada@example.com")
		if err != nil || !suppressed {
			t.Errorf("suppressed is %t, %v, want true", suppressed, err)
		}
	}
	w.want(t, map[string]row{"ada@example.com suppression": {
		"Address": "ada@example.com", "Kind": "suppression", "Reason": "complained",
		"CreatedAt": "2050-03-01T09:00:00.007Z",
	}})
}

// A consistency records whether items are read consistently.
type consistency struct {
	*dynamodb.Client
	reads []bool
}

func (c *consistency) GetItem(
	ctx context.Context, input *dynamodb.GetItemInput, options ...func(*dynamodb.Options),
) (*dynamodb.GetItemOutput, error) {
	c.reads = append(c.reads, aws.ToBool(input.ConsistentRead))
	return c.Client.GetItem(ctx, input, options...)
}

// TestMailingList_reads_are_consistent checks the requests: DynamoDB may return an older state
// otherwise, DynamoDB Local does not.
func TestMailingList_reads_are_consistent(t *testing.T) {
	w := start(t)
	api := &consistency{Client: client(w.server, 3)}
	w.API = api
	s := subscription(mailinglist.Pending)
	_, err := w.Suppressed(t.Context(), s.Address)
	ok(t, errors.Join(err, w.Subscribe(t.Context(), s), w.Confirm(t.Context(), s),
		w.Confirm(t.Context(), s)))
	if len(api.reads) != 5 || slices.Contains(api.reads, false) {
		t.Errorf("consistent reads: %v, want 5", api.reads)
	}
}

func TestMailingList_Lease_is_exclusive_until_it_expires(t *testing.T) {
	w := start(t)
	s := subscription(mailinglist.Pending)
	ok(t, w.Subscribe(t.Context(), s))
	until := now.Add(leaseDuration)
	first, err := w.Lease(t.Context(), s.Key, now, until)
	ok(t, err)
	diff := cmp.Diff(mailinglist.Lease{Subscription: s, Holder: first.Holder, Until: until}, first)
	if diff != "" || first.Holder == uuid.Nil {
		t.Errorf("lease (-want +got):\n%s", diff)
	}
	_, err = w.Lease(t.Context(), s.Key, until.Add(-time.Millisecond), until.Add(leaseDuration))
	if leased, ok := errors.AsType[*email.LeasedError](err); !ok || !leased.Until.Equal(until) {
		t.Errorf("got %v, want a LeasedError until %s", err, until)
	}
	second, err := w.Lease(t.Context(), s.Key, until, until.Add(leaseDuration))
	if err != nil || second.Holder == first.Holder {
		t.Fatalf("after expiry: %+v, %v", second, err)
	}
	for name, do := range map[string]func() error{
		"sent":     func() error { return w.MarkSent(t.Context(), first, "1", now) },
		"rejected": func() error { return w.MarkRejected(t.Context(), first, "on purpose") },
	} {
		if err := do(); !errors.Is(err, mailinglist.ErrNotFound) {
			t.Errorf("the first holder marks it as %s: got %v, want ErrNotFound", name, err)
		}
	}
	ok(t, w.Release(t.Context(), first)) // no effect
	want := unsentRow(s)
	want["LeasedUntil"] = float64(until.Add(leaseDuration).UnixMilli())
	w.want(t, map[string]row{"ada@example.com pending": want})
}

func TestMailingList_Lease_after_Release(t *testing.T) {
	w := start(t)
	s := subscription(mailinglist.Subscribed)
	ok(t, w.Subscribe(t.Context(), s))
	lease, err := w.Lease(t.Context(), s.Key, now, now.Add(leaseDuration))
	ok(t, err)
	for range 2 {
		ok(t, w.Release(t.Context(), lease))
		w.want(t, map[string]row{"ada@example.com subscription": unsentRow(s)})
	}
	if _, err := w.Lease(t.Context(), s.Key, now, now.Add(leaseDuration)); err != nil {
		t.Error(err)
	}
}

func TestMailingList_Lease_rejects_a_mail_that_was(t *testing.T) {
	for name, test := range map[string]struct {
		mark func(w *world, lease mailinglist.Lease) error
		more row
	}{
		"sent": {
			func(w *world, lease mailinglist.Lease) error {
				return w.MarkSent(t.Context(), lease, "0100-example", now.Add(time.Second))
			},
			row{"MessageID": "0100-example", "SentAt": "2050-03-01T09:00:01.007Z"},
		},
		"rejected": {
			func(w *world, lease mailinglist.Lease) error {
				return w.MarkRejected(t.Context(), lease, "no such domain")
			},
			row{"RejectionReason": "no such domain"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			s := subscription(mailinglist.Subscribed)
			ok(t, w.Subscribe(t.Context(), s))
			lease, err := w.Lease(t.Context(), s.Key, now, now.Add(leaseDuration))
			ok(t, err)
			want := unsentRow(s)
			delete(want, "Unsent")
			for name, value := range test.more {
				want[name] = value
			}
			for range 2 {
				ok(t, test.mark(w, lease))
				w.want(t, map[string]row{"ada@example.com subscription": want})
			}
			_, err = w.Lease(t.Context(), s.Key, now.Add(time.Hour), now.Add(2*time.Hour))
			if !errors.Is(err, mailinglist.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
			unsent, err := w.allUnsent(t.Context(), now.Add(time.Hour))
			if err != nil || len(unsent) > 0 {
				t.Errorf("unsent %v, %v, want none", unsent, err)
			}
		})
	}
}

func TestMailingList_Lease_rejects_a_missing_item(t *testing.T) {
	w := start(t)
	s := subscription(mailinglist.Pending)
	ok(t, w.Subscribe(t.Context(), s))
	anothers := s.Key
	anothers.ID = uuid.New()
	otherKind := s.Key
	otherKind.Kind = mailinglist.Subscribed
	for name, test := range map[string]struct {
		key mailinglist.Key
		now time.Time
	}{
		"another id":   {anothers, now},
		"another kind": {otherKind, now},
		"just expired": {s.Key, now.Add(24 * time.Hour)},
		"long expired": {s.Key, now.Add(240 * time.Hour)},
	} {
		_, err := w.Lease(t.Context(), test.key, test.now, test.now.Add(leaseDuration))
		if !errors.Is(err, mailinglist.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	w.want(t, map[string]row{"ada@example.com pending": unsentRow(s)})
}

func TestMailingList_Lease_is_exclusive_for_concurrent_callers(t *testing.T) {
	w := start(t)
	s := subscription(mailinglist.Subscribed)
	ok(t, w.Subscribe(t.Context(), s))
	const contenders = 30
	var mu sync.Mutex
	var won, lost int
	var group sync.WaitGroup
	for range contenders {
		group.Go(func() {
			_, err := w.Lease(t.Context(), s.Key, now, now.Add(leaseDuration))
			_, leased := errors.AsType[*email.LeasedError](err)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case leased:
				lost++
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won != 1 || lost != contenders-1 {
		t.Errorf("%d callers have the lease and %d do not, want 1 and %d", won, lost, contenders-1)
	}
}

// TestMailingList_concurrent_identical_calls_apply_once makes the same call concurrently: each call
// succeeds, and it is applied once.
func TestMailingList_concurrent_identical_calls_apply_once(t *testing.T) {
	w := start(t)
	expired, tomorrow := subscription(mailinglist.Pending), subscription(mailinglist.Pending)
	tomorrow.CreatedAt = now.Add(24 * time.Hour)
	ok(t, w.Subscribe(t.Context(), expired))
	atOnce := func(do func() error) {
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if err := do(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	atOnce(func() error { return w.Subscribe(t.Context(), tomorrow) })
	atOnce(func() error { return w.Confirm(t.Context(), tomorrow) })
	confirmed := tomorrow
	confirmed.Kind = mailinglist.Subscribed
	w.want(t, map[string]row{"ada@example.com subscription": unsentRow(confirmed)})
	diff := cmp.Diff([]string{expired.ID.String(), tomorrow.ID.String(), tomorrow.ID.String()},
		w.inserted(t))
	if diff != "" {
		t.Errorf("ids in the stream (-want +got):\n%s", diff)
	}
	atOnce(func() error { return w.Unsubscribe(t.Context(), tomorrow.Address) })
	w.want(t, map[string]row{})
}

func TestMailingList_Unsent_is_oldest_first(t *testing.T) {
	w := start(t)
	var want []mailinglist.Key
	for i, age := range []time.Duration{
		3 * mailinglist.ConfirmWithin, 2 * time.Hour, 61 * time.Second, 59 * time.Second,
	} {
		s := subscription(mailinglist.Pending)
		if i%2 == 0 { // a subscription does not expire
			s.Kind = mailinglist.Subscribed
		}
		s.Address = fmt.Sprintf("%d@example.com", 9-i)
		s.CreatedAt = now.Add(-age)
		ok(t, w.Subscribe(t.Context(), s))
		want = append(want, s.Key)
	}
	for i := range 5 {
		expired := subscription(mailinglist.Pending)
		expired.Address = fmt.Sprintf("expired%d@example.com", i)
		expired.CreatedAt = now.Add(-time.Minute - mailinglist.ConfirmWithin)
		ok(t, w.Subscribe(t.Context(), expired))
	}
	ok(t, w.Suppress(t.Context(), "suppressed@example.com", "bounced", now.Add(-time.Hour)))
	got, err := w.allUnsent(t.Context(), now.Add(-time.Minute))
	if diff := cmp.Diff(want[:3], got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for got := range w.Unsent(t.Context(), now.Add(-time.Minute)) {
		if got != want[0] {
			t.Errorf("first %v, want %v", got, want[0])
		}
		break // as a caller without time left does
	}
}

// oneByOne returns one item per page, where DynamoDB returns up to 1 MB.
type oneByOne struct{ dynamodbstore.API }

func (o oneByOne) Query(
	ctx context.Context, input *dynamodb.QueryInput, options ...func(*dynamodb.Options),
) (*dynamodb.QueryOutput, error) {
	short := *input
	short.Limit = aws.Int32(1)
	return o.API.Query(ctx, &short, options...)
}

func TestMailingList_Unsent_reads_all_pages(t *testing.T) {
	w := start(t)
	var want []mailinglist.Key
	for i := range 4 {
		s := subscription(mailinglist.Subscribed)
		s.Address = fmt.Sprintf("%d@example.com", i)
		s.CreatedAt = now.Add(time.Duration(i) * time.Second)
		ok(t, w.Subscribe(t.Context(), s))
		want = append(want, s.Key)
	}
	w.API = oneByOne{w.API}
	got, err := w.allUnsent(t.Context(), now.Add(time.Hour))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestMailingList_Unsent_continues_after_an_invalid_item has an item in the table that was written
// by hand.
func TestMailingList_Unsent_continues_after_an_invalid_item(t *testing.T) {
	w := start(t)
	s := subscription(mailinglist.Subscribed)
	ok(t, w.Subscribe(t.Context(), s))
	item, err := attributevalue.MarshalMap(map[string]string{
		"Address": "eve@example.com", "Kind": "subscription", "ID": "1", "Unsent": "yes",
		"CreatedAt": "2001-01-01T00:00:00.000Z",
	})
	ok(t, err)
	_, err = w.server.Client.PutItem(t.Context(),
		&dynamodb.PutItemInput{TableName: &w.Table, Item: item})
	ok(t, err)
	got, err := w.allUnsent(t.Context(), now.Add(time.Hour))
	if diff := cmp.Diff([]mailinglist.Key{s.Key}, got); err == nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// allUnsent collects the keys and joins the errors.
func (w *world) allUnsent(
	ctx context.Context, before time.Time,
) (keys []mailinglist.Key, failure error) {
	for key, err := range w.Unsent(ctx, before) {
		if err != nil {
			failure = errors.Join(failure, err)
			continue
		}
		keys = append(keys, key)
	}
	return keys, failure
}

// operations returns all methods, on a pending subscription of ada and on a leased one.
func (w *world) operations(t *testing.T) map[string]func(context.Context) error {
	t.Helper()
	pending, leased := subscription(mailinglist.Pending), subscription(mailinglist.Subscribed)
	leased.Address = "leased@example.com"
	ok(t, errors.Join(w.Subscribe(t.Context(), pending), w.Subscribe(t.Context(), leased)))
	lease, err := w.Lease(t.Context(), leased.Key, now, now.Add(leaseDuration))
	ok(t, err)
	another := subscription(mailinglist.Subscribed)
	another.Address = "another@example.com"
	return map[string]func(context.Context) error{
		"subscribe": func(ctx context.Context) error { return w.Subscribe(ctx, another) },
		"confirm":   func(ctx context.Context) error { return w.Confirm(ctx, pending) },
		"unsubscribe": func(ctx context.Context) error {
			return w.Unsubscribe(ctx, pending.Address)
		},
		"suppress": func(ctx context.Context) error {
			return w.Suppress(ctx, pending.Address, "bounced", now)
		},
		"suppressed": func(ctx context.Context) error {
			_, err := w.Suppressed(ctx, pending.Address)
			return err
		},
		"lease": func(ctx context.Context) error {
			_, err := w.Lease(ctx, pending.Key, now, now.Add(leaseDuration))
			return err
		},
		"mark sent": func(ctx context.Context) error {
			return w.MarkSent(ctx, lease, "1", now)
		},
		"mark rejected": func(ctx context.Context) error {
			return w.MarkRejected(ctx, lease, "on purpose")
		},
		"release": func(ctx context.Context) error { return w.Release(ctx, lease) },
		"unsent":  func(ctx context.Context) error { _, err := w.allUnsent(ctx, now); return err },
	}
}

func TestMailingList_temporary_failures(t *testing.T) {
	w := start(t)
	operations := w.operations(t)
	for name, test := range map[string]struct {
		fault     awstest.Fault
		temporary bool
	}{
		"throughput": {awstest.Fault{
			Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException",
		}, true},
		"throttling": {
			awstest.Fault{Status: http.StatusBadRequest, Code: "ThrottlingException"}, true,
		},
		"500": {
			awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalServerError"},
			true,
		},
		"503": {
			awstest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}, true,
		},
		"a reset": {awstest.Fault{Reset: true}, true},
		"access denied": {
			awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"}, false,
		},
		"no table": {
			awstest.Fault{Status: http.StatusBadRequest, Code: "ResourceNotFoundException"}, false,
		},
	} {
		w.API = client(w.server, 1)
		w.server.SetFault(test.fault)
		for action, do := range operations {
			err := do(t.Context())
			if err == nil || errors.Is(err, retry.ErrUnavailable) != test.temporary {
				t.Errorf("%s: %s: got %v; temporary: want %t", name, action, err, test.temporary)
			}
		}
	}
	w.server.SetFault(awstest.Fault{NoResponse: true})
	for action, do := range operations {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := do(ctx)
		cancel()
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("no response in time: %s: got %v, want ErrUnavailable", action, err)
		}
	}
}

// TestMailingList_retries_after_a_lost_response has DynamoDB apply a write without a response: the
// SDK retries it.
func TestMailingList_retries_after_a_lost_response(t *testing.T) {
	for _, name := range []string{
		"subscribe", "confirm", "unsubscribe", "suppress", "lease", "mark sent", "mark rejected",
		"release",
	} {
		undisturbed := start(t)
		do := undisturbed.operations(t)[name]
		before := len(undisturbed.server.Calls())
		ok(t, do(t.Context()))
		calls := undisturbed.server.Calls()[before:]
		want := without("ID", undisturbed.rows(t))
		for i, call := range calls {
			if call.Action == "dynamodb:GetItem" {
				continue
			}
			w := start(t)
			do := w.operations(t)[name]
			var seen atomic.Int64
			w.server.Intercept(func(awstest.Call) awstest.Fault {
				return awstest.Fault{TruncateResponse: seen.Add(1) == int64(i)+1}
			})
			if err := do(t.Context()); err != nil {
				t.Errorf("%s: %s: %v", name, call.Action, err)
			}
			if seen.Load() <= int64(len(calls)) {
				t.Errorf("%s: %s: %d calls, want more than %d", name, call.Action, seen.Load(),
					len(calls))
			}
			if diff := cmp.Diff(want, without("ID", w.rows(t))); diff != "" {
				t.Errorf("%s: %s: table (-want +got):\n%s", name, call.Action, diff)
			}
		}
	}
}

// without removes an attribute that is random in each run.
func without(attribute string, rows map[string]row) map[string]row {
	for _, r := range rows {
		delete(r, attribute)
	}
	return rows
}

// A script is an HTTP client that first returns errors with these bodies.
type script struct {
	bodies []string
	next   http.RoundTripper
}

func (s *script) Do(r *http.Request) (*http.Response, error) {
	if len(s.bodies) == 0 {
		return s.next.RoundTrip(r)
	}
	body := s.bodies[0]
	s.bodies = s.bodies[1:]
	return &http.Response{
		StatusCode: http.StatusBadRequest,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:       io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// TestMailingList_retries_transaction_conflicts returns DynamoDB's errors for conflicts; DynamoDB
// Local serializes requests instead.
func TestMailingList_retries_transaction_conflicts(t *testing.T) {
	const (
		conflict = `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException",` +
			`"message":"Transaction is ongoing for the item"}`
		canceled = `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",` +
			`"Message":"Transaction cancelled","CancellationReasons":[{"Code":"None"},` +
			`{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"}]}`
	)
	w := start(t)
	pending := subscription(mailinglist.Pending)
	for times, temporary := range map[int]bool{2: false, 3: true} {
		w.API = client(w.server, 3, func(o *dynamodb.Options) {
			o.HTTPClient = &script{slices.Repeat([]string{conflict}, times), http.DefaultTransport}
		})
		err := w.Suppress(t.Context(), "ada@example.com", "bounced", now)
		if errors.Is(err, retry.ErrUnavailable) != temporary || err != nil && !temporary {
			t.Errorf("%d conflicts: got %v; temporary: want %t", times, err, temporary)
		}
	}
	ok(t, w.Subscribe(t.Context(), pending))
	w.API = divided{client(w.server, 3), client(w.server, 3, func(o *dynamodb.Options) {
		o.HTTPClient = &script{[]string{canceled, canceled}, http.DefaultTransport}
	})}
	if err := w.Confirm(t.Context(), pending); err != nil {
		t.Error(err)
	}
	ok(t, w.Unsubscribe(t.Context(), pending.Address))
	ok(t, w.Subscribe(t.Context(), pending))
	w.API = divided{client(w.server, 3), client(w.server, 3, func(o *dynamodb.Options) {
		o.HTTPClient = &script{[]string{canceled, canceled, canceled}, http.DefaultTransport}
	})}
	if err := w.Confirm(t.Context(), pending); !errors.Is(err, retry.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// divided uses a separate client for transactions.
type divided struct {
	*dynamodb.Client
	transactions *dynamodb.Client
}

func (a divided) TransactWriteItems(
	ctx context.Context, input *dynamodb.TransactWriteItemsInput,
	options ...func(*dynamodb.Options),
) (*dynamodb.TransactWriteItemsOutput, error) {
	return a.transactions.TransactWriteItems(ctx, input, options...)
}
