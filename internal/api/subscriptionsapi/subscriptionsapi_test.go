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
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
)

const endpoint = "https://api.example.com/v1/"

// key is Secrets Manager with the key of tokens in it.
type key struct{}

func (key) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	text := strings.Repeat("k", 32)
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, nil
}

// A list notes what it is told to do, and does it or fails.
type list struct {
	err error

	put       []mailinglist.Subscription
	confirmed []mailinglist.Subscription
	left      []string
}

func (l *list) Subscribe(_ context.Context, s mailinglist.Subscription) error {
	l.put = append(l.put, s)
	return l.err
}

func (l *list) Confirm(_ context.Context, s mailinglist.Subscription) error {
	l.confirmed = append(l.confirmed, s)
	return l.err
}

func (l *list) Unsubscribe(_ context.Context, address string) error {
	l.left = append(l.left, address)
	return l.err
}

// idle holds that nothing was asked of the list.
func (l *list) idle(t testing.TB) {
	t.Helper()
	if len(l.put)+len(l.confirmed)+len(l.left) > 0 {
		t.Errorf("the list was told %+v", l)
	}
}

func newLinks(age time.Duration) *links.Links {
	past := func() time.Time { return time.Now().Add(-age) }
	return &links.Links{Endpoint: endpoint, Tokens: token.NewSealer(token.Settings{}, key{}, past)}
}

func handle(t testing.TB, service *subscriptionsapi.Handlers, request resttest.Request) events.APIGatewayProxyResponse {
	t.Helper()
	service.Links = newLinks(0)
	var log bytes.Buffer
	handler := rest.NewHandler(subscriptionsapi.Routes, service, rest.Settings{}, slog.New(slog.NewJSONHandler(&log, nil)))
	response, err := handler.Handle(t.Context(), request.Event(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(log.String()), "ada") {
		t.Errorf("the log names somebody: %s", &log)
	}
	return response
}

func subscribe(body string) resttest.Request {
	return resttest.Request{Route: "POST /subscriptions", Body: body}
}

// follow is a request to where a link leads. The path that the route has must be the link's.
func follow(t testing.TB, method, path, link string) resttest.Request {
	t.Helper()
	parsed, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(parsed.Path, "/v1"+path+"/")
	if !ok || strings.Contains(token, "/") || parsed.Host != "api.example.com" || parsed.Scheme != "https" || parsed.RawQuery != "" {
		t.Fatalf("the link leads to %s, want it below %s", link, path)
	}
	return resttest.Request{Route: method + " " + path + "/{token}", Path: map[string]string{"token": token}}
}

// linksOf makes links that leave and confirm, some time ago.
func linksOf(t testing.TB, age time.Duration, id uuid.UUID, address, language string) (leave, confirm string) {
	t.Helper()
	leave, err := newLinks(age).Unsubscribe(t.Context(), address, language)
	if err != nil {
		t.Fatal(err)
	}
	confirm, err = newLinks(age).Confirm(t.Context(), id, address, language)
	if err != nil {
		t.Fatal(err)
	}
	return leave, confirm
}

var id = uuid.MustParse("01890000-0000-7000-8000-000000000001")

func TestWhoeverSubscribesIsKeptWithTheLinkThatTheMailShows(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		var kept list
		service := &subscriptionsapi.Handlers{MailingList: &kept, SingleOptIn: disabled}
		receipt := resttest.Body[subscriptionsapi.SubscriptionReceipt](t, handle(t, service, subscribe(`{"address":"Ada.L@Example.com","language":"ko-KR"}`)), 201)
		if receipt.ConfirmationRequired == disabled {
			t.Errorf("confirmation is disabled: %t, and the client is told %+v", disabled, receipt)
		}
		if len(kept.put) != 1 {
			t.Fatalf("kept are %+v", kept)
		}
		got := kept.put[0]
		want := mailinglist.Subscription{
			Key: mailinglist.Key{Address: "ada.l@example.com", Kind: mailinglist.Pending},
			To:  "Ada.L@Example.com", Language: "ko-KR",
		}
		if disabled {
			want.Kind = mailinglist.Subscribed
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(mailinglist.Subscription{}, "ID", "Link", "CreatedAt")); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		if got.ID.Version() != 7 || time.Since(got.CreatedAt) > time.Minute {
			t.Errorf("kept is %+v, want a new one", got)
		}
		if disabled {
			token := follow(t, "GET", "/subscriptions", got.Link).Path["token"]
			opened, err := newLinks(0).OpenUnsubscribe(t.Context(), token)
			if want := (links.Unsubscribe{Address: "ada.l@example.com", Language: "ko-KR"}); err != nil || opened != want {
				t.Errorf("the link is for %+v, %v; want %+v", opened, err, want)
			}
			continue
		}
		token := follow(t, "GET", "/confirmations", got.Link).Path["token"]
		opened, err := newLinks(0).OpenConfirm(t.Context(), token)
		if want := (links.Confirm{ID: got.ID, Address: "ada.l@example.com", Language: "ko-KR"}); err != nil || opened != want {
			t.Errorf("the link is for %+v, %v; want %+v", opened, err, want)
		}
	}
}

func TestWhatIsNoAddressAndNoLanguageIsRefusedBeforeAnythingIsKept(t *testing.T) {
	for body, fields := range map[string][]string{
		`{}`:                {"body"},
		`{"address":""}`:    {"address"},
		`{"address":"ada"}`: {"address"},
		`{"address":"ada@example.com\r\nBcc: eve@example.com"}`:                          {"address"},
		`{"address":"Ada <ada@example.com>"}`:                                            {"address"},
		`{"address":"ada@example.com,eve@example.com"}`:                                  {"address"},
		`{"address":"ada@example.com\u0000"}`:                                            {"address"},
		`{"address":" ada@example.com"}`:                                                 {"address"},
		`{"address":"` + strings.Repeat("a", email.MaxAddress) + `@example.com"}`:        {"address"},
		`{"address":"ada@example.com","language":"en\r\nBcc: eve@example.com"}`:          {"language"},
		`{"address":"ada@example.com","language":"ko eve@example.com"}`:                  {"language"},
		`{"address":"ada@example.com","language":"<script>"}`:                            {"language"},
		`{"address":"ada@example.com","language":"` + strings.Repeat("en-", 12) + `en"}`: {"language"},
		`{"address":"ada","language":"_"}`:                                               {"address", "language"},
		`{"address":"ada@example.com","kind":"subscription"}`:                            {"kind"},
		`{"address":["ada@example.com"]}`:                                                {"address"},
	} {
		var kept list
		refused := resttest.ErrorOf(t, handle(t, &subscriptionsapi.Handlers{MailingList: &kept}, subscribe(body)), 400, "invalid_request")
		var got []string
		for _, field := range refused.Fields {
			got = append(got, field.Field)
		}
		if diff := cmp.Diff(fields, got); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", body, diff)
		}
		kept.idle(t)
	}
}

func TestALinkIsFollowedInTwoSteps(t *testing.T) {
	const address = "ada@example.com"
	leave, confirm := linksOf(t, 0, id, address, "ko")
	for name, test := range map[string]struct {
		path, link  string
		ask, answer string // titles
		left        []string
		confirmed   int
	}{
		"leave":   {"/subscriptions", leave, "구독을 해지하시겠습니까?", "구독이 해지되었습니다", []string{address, address}, 0},
		"confirm": {"/confirmations", confirm, "구독을 확인해 주세요", "구독이 확인되었습니다", nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var asked list
			service := &subscriptionsapi.Handlers{MailingList: &asked}
			response := handle(t, service, follow(t, "GET", test.path, test.link))
			if response.StatusCode != 200 || !strings.Contains(response.Body, "<h1>"+test.ask+"</h1>") || !strings.Contains(response.Body, `<form method="post">`) {
				t.Errorf("GET: status %d: %s", response.StatusCode, response.Body)
			}
			asked.idle(t) // programs that look for malware open links
			var first string
			for range 2 {
				response = handle(t, service, follow(t, "POST", test.path, test.link))
				if response.StatusCode != 200 || !strings.Contains(response.Body, "<h1>"+test.answer+"</h1>") || strings.Contains(response.Body, "<form") {
					t.Errorf("POST: status %d: %s", response.StatusCode, response.Body)
				}
				if first == "" {
					first = response.Body
				}
			}
			if response.Body != first {
				t.Errorf("the second POST is answered\n%s\nthe first was\n%s", response.Body, first)
			}
			if strings.Contains(response.Body, "ada") {
				t.Errorf("the page names somebody: %s", response.Body)
			}
			if diff := cmp.Diff(test.left, asked.left); diff != "" || len(asked.put) > 0 || len(asked.confirmed) != test.confirmed {
				t.Errorf("done is %+v; left (-want +got):\n%s", asked, diff)
			}
		})
	}
}

func TestWhoeverConfirmsIsKeptWithALinkToLeave(t *testing.T) {
	var kept list
	_, confirm := linksOf(t, 0, id, "ada@example.com", "en")
	handle(t, &subscriptionsapi.Handlers{MailingList: &kept}, follow(t, "POST", "/confirmations", confirm))
	if len(kept.confirmed) != 1 {
		t.Fatalf("%+v", kept)
	}
	got := kept.confirmed[0]
	if want := (mailinglist.Key{Address: "ada@example.com", Kind: mailinglist.Subscribed, ID: id}); got.Key != want || time.Since(got.CreatedAt) > time.Minute {
		t.Errorf("kept is %+v, want a new one with %+v", got, want)
	}
	opened, err := newLinks(0).OpenUnsubscribe(t.Context(), follow(t, "GET", "/subscriptions", got.Link).Path["token"])
	if want := (links.Unsubscribe{Address: "ada@example.com", Language: "en"}); err != nil || opened != want {
		t.Errorf("the link is for %+v, %v; want %+v", opened, err, want)
	}
}

func TestAProgramLeavesByDELETE(t *testing.T) {
	leave, _ := linksOf(t, 0, id, "ada@example.com", "ko")
	var kept list
	for range 2 {
		response := handle(t, &subscriptionsapi.Handlers{MailingList: &kept}, follow(t, "DELETE", "/subscriptions", leave))
		if response.StatusCode != 204 || response.Body != "" {
			t.Errorf("status %d: %s", response.StatusCode, response.Body)
		}
	}
	if diff := cmp.Diff([]string{"ada@example.com", "ada@example.com"}, kept.left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestALinkThatIsNoneDoesNothing(t *testing.T) {
	leave, confirm := linksOf(t, 0, id, "ada@example.com", "ko")
	oldLeave, oldConfirm := linksOf(t, 11*365*24*time.Hour, id, "ada@example.com", "ko")
	for _, path := range []string{"/subscriptions", "/confirmations"} {
		right, wrong, old := leave, confirm, oldLeave
		if path == "/confirmations" {
			right, wrong, old = confirm, leave, oldConfirm
		}
		token := func(link string) string { return link[strings.LastIndex(link, "/")+1:] }
		for name, test := range map[string]struct {
			token  string
			status int
			code   string
			title  string
		}{
			"another kind's": {token(wrong), 400, "invalid_link", "This link does not work"},
			"cut off":        {token(right)[:40], 400, "invalid_link", "This link does not work"},
			"markup":         {`"><script>alert(1)</script>`, 400, "invalid_link", "This link does not work"},
			"too old":        {token(old), 410, "expired_link", "This link has expired"},
		} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				if method == "DELETE" && path == "/confirmations" {
					continue
				}
				var kept list
				response := handle(t, &subscriptionsapi.Handlers{MailingList: &kept}, resttest.Request{
					Route: method + " " + path + "/{token}", Path: map[string]string{"token": test.token},
				})
				if method == "DELETE" {
					resttest.ErrorOf(t, response, test.status, test.code)
				} else if response.StatusCode != test.status || !strings.Contains(response.Body, "<h1>"+test.title+"</h1>") || strings.Contains(response.Body, "script") {
					t.Errorf("%s %s with %s: status %d: %s", method, path, name, response.StatusCode, response.Body)
				}
				kept.idle(t)
			}
		}
	}
}

func TestWhatCannotBeConfirmedAnyMoreIsGone(t *testing.T) {
	for language, title := range map[string]string{"ko": "확인할 구독 신청이 없습니다", "en": "There is nothing to confirm"} {
		_, confirm := linksOf(t, 0, id, "ada@example.com", language)
		response := handle(t, &subscriptionsapi.Handlers{MailingList: &list{err: mailinglist.ErrNotFound}}, follow(t, "POST", "/confirmations", confirm))
		if response.StatusCode != 404 || !strings.Contains(response.Body, "<h1>"+title+"</h1>") {
			t.Errorf("status %d: %s", response.StatusCode, response.Body)
		}
	}
}

func TestWhenTheListIsAwayItIsForLater(t *testing.T) {
	leave, confirm := linksOf(t, 0, id, "ada@example.com", "ko")
	away := &list{err: fmt.Errorf("%w: throttled", retry.ErrUnavailable)}
	broken := &list{err: errors.New("denied at the table")}
	for _, request := range []resttest.Request{
		subscribe(`{"address":"eve@example.com"}`),
		follow(t, "POST", "/subscriptions", leave),
		follow(t, "DELETE", "/subscriptions", leave),
		follow(t, "POST", "/confirmations", confirm),
	} {
		for failing, status := range map[*list]int{away: 503, broken: 500} {
			response := handle(t, &subscriptionsapi.Handlers{MailingList: failing}, request)
			if response.StatusCode != status || strings.Contains(response.Body, "throttled") || strings.Contains(response.Body, "denied") || strings.Contains(response.Body, "구독이") {
				t.Errorf("%s: status %d, want %d: %s", request.Route, response.StatusCode, status, response.Body)
			}
			if (response.Headers["Retry-After"] != "") != (status == 503) {
				t.Errorf("%s: headers %v", request.Route, response.Headers)
			}
		}
	}
}

// FuzzLink follows what anybody may send. Only what is sealed is done, and nothing that was sent comes back.
func FuzzLink(f *testing.F) {
	leave, confirm := linksOf(f, 0, id, "ada@example.com", "ko")
	f.Add(leave[strings.LastIndex(leave, "/")+1:], "ko", "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click", false)
	f.Add(confirm[strings.LastIndex(confirm, "/")+1:], "en", "application/json", "{}", false)
	f.Add("<script>alert(1)</script>", "\"><script>", "multipart/form-data", "%", true)
	f.Add("", "", "", "", false)
	f.Add("../profile", "ko;q=0,*;q=1", ";", "\xff", true)
	f.Fuzz(func(t *testing.T, token, acceptLanguage, contentType, body string, encoded bool) {
		for _, path := range []string{"/subscriptions", "/confirmations"} {
			for _, method := range []string{"GET", "POST"} {
				var kept list
				request := resttest.Request{
					Route: method + " " + path + "/{token}", Path: map[string]string{"token": token}, Body: body,
					Headers: map[string]string{"Accept-Language": acceptLanguage, "Content-Type": contentType},
				}.Event(t)
				request.IsBase64Encoded = encoded
				service := &subscriptionsapi.Handlers{MailingList: &kept, Links: newLinks(0)}
				response, err := rest.NewHandler(subscriptionsapi.Routes, service, rest.Settings{}, slog.New(slog.DiscardHandler)).Handle(t.Context(), request)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(response.Body, "<!DOCTYPE html>") || strings.Contains(response.Body, "script") {
					t.Errorf("%s %s is answered %s", method, path, response.Body)
				}
				switch opened, err := newLinks(0).OpenUnsubscribe(t.Context(), token); {
				case response.StatusCode == 400:
					kept.idle(t)
				case response.StatusCode != 200:
					t.Errorf("%s %s: status %d", method, path, response.StatusCode)
				case path == "/subscriptions" && (err != nil || method == "POST" && (len(kept.left) != 1 || kept.left[0] != opened.Address)):
					t.Errorf("%q is taken for %+v (%v): %+v", token, opened, err, kept)
				}
			}
		}
	})
}
