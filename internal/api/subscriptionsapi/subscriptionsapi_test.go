package subscriptionsapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/rest"
)

const endpoint = "https://api.example.com/v1/"

// key is a fake Secrets Manager that returns the key of tokens.
type key struct{}

func (key) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	text := strings.Repeat("k", 32)
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, nil
}

// A list is a fake mailing list that records its calls.
type list struct {
	err error // returned by all calls

	subscribed   []mailinglist.Subscription
	confirmed    []mailinglist.Subscription
	unsubscribed []string
}

func (l *list) Subscribe(_ context.Context, s mailinglist.Subscription) error {
	l.subscribed = append(l.subscribed, s)
	return l.err
}

func (l *list) Confirm(_ context.Context, s mailinglist.Subscription) error {
	l.confirmed = append(l.confirmed, s)
	return l.err
}

func (l *list) Unsubscribe(_ context.Context, address string) error {
	l.unsubscribed = append(l.unsubscribed, address)
	return l.err
}

// checkNotCalled fails the test if the list was called.
func (l *list) checkNotCalled(t testing.TB) {
	t.Helper()
	if len(l.subscribed)+len(l.confirmed)+len(l.unsubscribed) > 0 {
		t.Errorf("the list was called: %+v", l)
	}
}

func newLinks(age time.Duration) *links.Links {
	past := func() time.Time { return time.Now().Add(-age) }
	return &links.Links{Endpoint: endpoint, Tokens: token.NewSealer("", key{}, past)}
}

func handle(
	t testing.TB, handlers *subscriptionsapi.Handlers, request resttest.Request,
) events.APIGatewayProxyResponse {
	t.Helper()
	handlers.Links = newLinks(0)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	handler := rest.NewHandler(subscriptionsapi.Routes, handlers, rest.Settings{}, logger)
	response, err := handler.Handle(t.Context(), request.Event(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(log.String()), "ada") {
		t.Errorf("the log contains an address: %s", &log)
	}
	return response
}

func subscribe(body string) resttest.Request {
	return resttest.Request{Route: "POST /subscriptions", Body: body}
}

// follow returns a request to a link, which must match the route's path.
func follow(t testing.TB, method, path, link string) resttest.Request {
	t.Helper()
	parsed, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(parsed.Path, "/v1"+path+"/")
	if !ok || strings.Contains(token, "/") || parsed.Host != "api.example.com" ||
		parsed.Scheme != "https" || parsed.RawQuery != "" {
		t.Fatalf("the link is %s, want it below %s", link, path)
	}
	return resttest.Request{
		Route: method + " " + path + "/{token}", Path: map[string]string{"token": token},
	}
}

// linksOf returns links to unsubscribe and to confirm, of that age.
func linksOf(
	t testing.TB, age time.Duration, id uuid.UUID, address, language string,
) (unsubscribe, confirm string) {
	t.Helper()
	unsubscribe, err := newLinks(age).Unsubscribe(t.Context(), address, language)
	if err != nil {
		t.Fatal(err)
	}
	confirm, err = newLinks(age).Confirm(t.Context(), id, address, language)
	if err != nil {
		t.Fatal(err)
	}
	return unsubscribe, confirm
}

var id = uuid.MustParse("01890000-0000-7000-8000-000000000001")

func TestHandlers_subscribe(t *testing.T) {
	for _, singleOptIn := range []bool{false, true} {
		var stored list
		handlers := &subscriptionsapi.Handlers{MailingList: &stored, SingleOptIn: singleOptIn}
		request := subscribe(`{"address":"Ada.L@Example.com","language":"ko-KR"}`)
		receipt := resttest.Body[subscriptionsapi.SubscriptionReceipt](
			t, handle(t, handlers, request), 201)
		if receipt.ConfirmationRequired == singleOptIn {
			t.Errorf("single opt-in: %t, response %+v", singleOptIn, receipt)
		}
		if len(stored.subscribed) != 1 {
			t.Fatalf("stored %+v, want one subscription", stored)
		}
		got := stored.subscribed[0]
		want := mailinglist.Subscription{
			Key: mailinglist.Key{Address: "ada.l@example.com", Kind: mailinglist.Pending},
			To:  "Ada.L@Example.com", Language: "ko-KR",
		}
		if singleOptIn {
			want.Kind = mailinglist.Subscribed
		}
		ignored := cmpopts.IgnoreFields(mailinglist.Subscription{}, "ID", "Link", "CreatedAt")
		if diff := cmp.Diff(want, got, ignored); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if got.ID.Version() != 7 || time.Since(got.CreatedAt) > time.Minute {
			t.Errorf("stored %+v, want a new subscription", got)
		}
		if singleOptIn {
			token := follow(t, "GET", "/subscriptions", got.Link).Path["token"]
			opened, err := newLinks(0).OpenUnsubscribe(t.Context(), token)
			want := links.Unsubscribe{Address: "ada.l@example.com", Language: "ko-KR"}
			if err != nil || opened != want {
				t.Errorf("the link is for %+v, %v; want %+v", opened, err, want)
			}
			continue
		}
		token := follow(t, "GET", "/confirmations", got.Link).Path["token"]
		opened, err := newLinks(0).OpenConfirm(t.Context(), token)
		wantLink := links.Confirm{ID: got.ID, Address: "ada.l@example.com", Language: "ko-KR"}
		if err != nil || opened != wantLink {
			t.Errorf("the link is for %+v, %v; want %+v", opened, err, wantLink)
		}
	}
}

func TestHandlers_subscribe_rejects_invalid_requests(t *testing.T) {
	for body, fields := range map[string][]string{
		`{}`:                {"body"},
		`{"address":""}`:    {"address"},
		`{"address":"ada"}`: {"address"},
		`{"address":"ada@example.com\r\nBcc: eve@example.com"}`: {
			"address",
		},
		`{"address":"Ada <ada@example.com>"}`: {
			"address",
		},
		`{"address":"ada@example.com,eve@example.com"}`: {
			"address",
		},
		`{"address":"ada@example.com\u0000"}`: {
			"address",
		},
		`{"address":" ada@example.com"}`: {
			"address",
		},
		`{"address":"` + strings.Repeat("a", email.MaxAddress) +
			`@example.com"}`: {"address"},
		`{"address":"ada@example.com","language":"en\r\nBcc: eve@example.com"}`: {
			"language",
		},
		`{"address":"ada@example.com","language":"ko eve@example.com"}`: {
			"language",
		},
		`{"address":"ada@example.com","language":"<script>"}`: {
			"language",
		},
		`{"address":"ada@example.com","language":"` + strings.Repeat("en-", 12) +
			`en"}`: {"language"},
		`{"address":"ada","language":"_"}`:                    {"address", "language"},
		`{"address":"ada@example.com","kind":"subscription"}`: {"kind"},
		`{"address":["ada@example.com"]}`:                     {"address"},
	} {
		var stored list
		response := handle(t, &subscriptionsapi.Handlers{MailingList: &stored}, subscribe(body))
		rejected := resttest.ErrorOf(t, response, 400, "invalid_request")
		var got []string
		for _, field := range rejected.Fields {
			got = append(got, field.Field)
		}
		if diff := cmp.Diff(fields, got); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", body, diff)
		}
		stored.checkNotCalled(t)
	}
}

func TestHandlers_pages_act_on_POST_only(t *testing.T) {
	const address = "ada@example.com"
	unsubscribe, confirm := linksOf(t, 0, id, address, "ko")
	for name, test := range map[string]struct {
		path, link   string
		asks, done   string // titles of the pages
		unsubscribed []string
		confirmed    int
	}{
		"unsubscribe": {
			"/subscriptions", unsubscribe,
			"구독을 해지하시겠습니까?", "구독이 해지되었습니다",
			[]string{address, address}, 0,
		},
		"confirm": {
			"/confirmations", confirm,
			"구독을 확인해 주세요", "구독이 확인되었습니다",
			nil, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var called list
			handlers := &subscriptionsapi.Handlers{MailingList: &called}
			response := handle(t, handlers, follow(t, "GET", test.path, test.link))
			if response.StatusCode != 200 ||
				!strings.Contains(response.Body, "<h1>"+test.asks+"</h1>") ||
				!strings.Contains(response.Body, `<form method="post">`) {
				t.Errorf("GET: status %d: %s", response.StatusCode, response.Body)
			}
			called.checkNotCalled(t) // malware scanners open links
			var first string
			for range 2 {
				response = handle(t, handlers, follow(t, "POST", test.path, test.link))
				if response.StatusCode != 200 ||
					!strings.Contains(response.Body, "<h1>"+test.done+"</h1>") ||
					strings.Contains(response.Body, "<form") {
					t.Errorf("POST: status %d: %s", response.StatusCode, response.Body)
				}
				if first == "" {
					first = response.Body
				}
			}
			if response.Body != first {
				t.Errorf("the second POST returned\n%s\nthe first\n%s", response.Body, first)
			}
			if strings.Contains(response.Body, "ada") {
				t.Errorf("the page contains the address: %s", response.Body)
			}
			diff := cmp.Diff(test.unsubscribed, called.unsubscribed)
			if diff != "" || len(called.subscribed) > 0 || len(called.confirmed) != test.confirmed {
				t.Errorf("calls %+v; unsubscribed (-want +got):\n%s", called, diff)
			}
		})
	}
}

func TestHandlers_confirm(t *testing.T) {
	var stored list
	_, confirm := linksOf(t, 0, id, "ada@example.com", "en")
	handlers := &subscriptionsapi.Handlers{MailingList: &stored}
	handle(t, handlers, follow(t, "POST", "/confirmations", confirm))
	if len(stored.confirmed) != 1 {
		t.Fatalf("stored %+v, want one confirmation", stored)
	}
	got := stored.confirmed[0]
	want := mailinglist.Key{Address: "ada@example.com", Kind: mailinglist.Subscribed, ID: id}
	if got.Key != want || time.Since(got.CreatedAt) > time.Minute {
		t.Errorf("stored %+v, want a new one with %+v", got, want)
	}
	token := follow(t, "GET", "/subscriptions", got.Link).Path["token"]
	opened, err := newLinks(0).OpenUnsubscribe(t.Context(), token)
	wantLink := links.Unsubscribe{Address: "ada@example.com", Language: "en"}
	if err != nil || opened != wantLink {
		t.Errorf("the link is for %+v, %v; want %+v", opened, err, wantLink)
	}
}

func TestHandlers_unsubscribe(t *testing.T) {
	unsubscribe, _ := linksOf(t, 0, id, "ada@example.com", "ko")
	var called list
	handlers := &subscriptionsapi.Handlers{MailingList: &called}
	for range 2 {
		response := handle(t, handlers, follow(t, "DELETE", "/subscriptions", unsubscribe))
		if response.StatusCode != 204 || response.Body != "" {
			t.Errorf("status %d: %s", response.StatusCode, response.Body)
		}
	}
	want := []string{"ada@example.com", "ada@example.com"}
	if diff := cmp.Diff(want, called.unsubscribed); diff != "" {
		t.Errorf("unsubscribed (-want +got):\n%s", diff)
	}
}

func TestHandlers_reject_invalid_and_expired_links(t *testing.T) {
	unsubscribe, confirm := linksOf(t, 0, id, "ada@example.com", "ko")
	oldUnsubscribe, oldConfirm := linksOf(t, 11*365*24*time.Hour, id, "ada@example.com", "ko")
	for _, path := range []string{"/subscriptions", "/confirmations"} {
		right, wrong, old := unsubscribe, confirm, oldUnsubscribe
		if path == "/confirmations" {
			right, wrong, old = confirm, unsubscribe, oldConfirm
		}
		token := func(link string) string { return link[strings.LastIndex(link, "/")+1:] }
		for name, test := range map[string]struct {
			token  string
			status int
			code   string
			title  string
		}{
			"another purpose": {token(wrong), 400, "invalid_link", "This link does not work"},
			"truncated":       {token(right)[:40], 400, "invalid_link", "This link does not work"},
			"markup": {
				`"><script>alert(1)</script>`, 400, "invalid_link", "This link does not work",
			},
			"expired": {token(old), 410, "expired_link", "This link has expired"},
		} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				if method == "DELETE" && path == "/confirmations" {
					continue
				}
				var called list
				response := handle(t, &subscriptionsapi.Handlers{MailingList: &called},
					resttest.Request{
						Route: method + " " + path + "/{token}",
						Path:  map[string]string{"token": test.token},
					})
				if method == "DELETE" {
					resttest.ErrorOf(t, response, test.status, test.code)
				} else if response.StatusCode != test.status ||
					!strings.Contains(response.Body, "<h1>"+test.title+"</h1>") ||
					strings.Contains(response.Body, "script") {
					t.Errorf("%s %s with %s: status %d: %s",
						method, path, name, response.StatusCode, response.Body)
				}
				called.checkNotCalled(t)
			}
		}
	}
}

func TestHandlers_confirm_without_a_pending_subscription(t *testing.T) {
	for language, title := range map[string]string{
		"ko": "확인할 구독 신청이 없습니다", "en": "There is no subscription to confirm",
	} {
		_, confirm := linksOf(t, 0, id, "ada@example.com", language)
		missing := &subscriptionsapi.Handlers{MailingList: &list{err: mailinglist.ErrNotFound}}
		response := handle(t, missing, follow(t, "POST", "/confirmations", confirm))
		if response.StatusCode != 404 || !strings.Contains(response.Body, "<h1>"+title+"</h1>") {
			t.Errorf("status %d: %s", response.StatusCode, response.Body)
		}
	}
}

func TestHandlers_map_errors_of_the_mailing_list(t *testing.T) {
	unsubscribe, confirm := linksOf(t, 0, id, "ada@example.com", "ko")
	unavailable := &list{err: fmt.Errorf("%w: throttled", retry.ErrUnavailable)}
	broken := &list{err: errors.New("denied at the table")}
	for _, request := range []resttest.Request{
		subscribe(`{"address":"eve@example.com"}`),
		follow(t, "POST", "/subscriptions", unsubscribe),
		follow(t, "DELETE", "/subscriptions", unsubscribe),
		follow(t, "POST", "/confirmations", confirm),
	} {
		for failing, status := range map[*list]int{unavailable: 503, broken: 500} {
			response := handle(t, &subscriptionsapi.Handlers{MailingList: failing}, request)
			if response.StatusCode != status || strings.Contains(response.Body, "throttled") ||
				strings.Contains(response.Body, "denied") ||
				strings.Contains(response.Body, "구독이") {
				t.Errorf("%s: status %d, want %d: %s",
					request.Route, response.StatusCode, status, response.Body)
			}
			if (response.Headers["Retry-After"] != "") != (status == 503) {
				t.Errorf("%s: headers %v", request.Route, response.Headers)
			}
		}
	}
}

// FuzzHandlers_links sends arbitrary requests. Only valid tokens take effect, and no response
// contains a part of its request.
func FuzzHandlers_links(f *testing.F) {
	unsubscribe, confirm := linksOf(f, 0, id, "ada@example.com", "ko")
	token := func(link string) string { return link[strings.LastIndex(link, "/")+1:] }
	f.Add(token(unsubscribe), "ko", "application/x-www-form-urlencoded",
		"List-Unsubscribe=One-Click", false)
	f.Add(token(confirm), "en", "application/json", "{}", false)
	f.Add("<script>alert(1)</script>", "\"><script>", "multipart/form-data", "%", true)
	f.Add("", "", "", "", false)
	f.Add("../profile", "ko;q=0,*;q=1", ";", "\xff", true)
	f.Fuzz(func(t *testing.T, token, acceptLanguage, contentType, body string, encoded bool) {
		for _, path := range []string{"/subscriptions", "/confirmations"} {
			for _, method := range []string{"GET", "POST"} {
				var called list
				request := resttest.Request{
					Route: method + " " + path + "/{token}",
					Path:  map[string]string{"token": token},
					Body:  body,
					Headers: map[string]string{
						"Accept-Language": acceptLanguage, "Content-Type": contentType,
					},
				}.Event(t)
				request.IsBase64Encoded = encoded
				handlers := &subscriptionsapi.Handlers{MailingList: &called, Links: newLinks(0)}
				logger := slog.New(slog.DiscardHandler)
				handler := rest.NewHandler(
					subscriptionsapi.Routes, handlers, rest.Settings{}, logger)
				response, err := handler.Handle(t.Context(), request)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(response.Body, "<!DOCTYPE html>") ||
					strings.Contains(response.Body, "script") {
					t.Errorf("%s %s returned %s", method, path, response.Body)
				}
				opened, err := newLinks(0).OpenUnsubscribe(t.Context(), token)
				unsubscribed := len(called.unsubscribed) == 1 &&
					called.unsubscribed[0] == opened.Address
				switch {
				case response.StatusCode == 400:
					called.checkNotCalled(t)
				case response.StatusCode != 200:
					t.Errorf("%s %s: status %d", method, path, response.StatusCode)
				case path == "/subscriptions" && (err != nil || method == "POST" && !unsubscribed):
					t.Errorf("token %q for %+v (%v): %+v", token, opened, err, called)
				}
			}
		}
	})
}
