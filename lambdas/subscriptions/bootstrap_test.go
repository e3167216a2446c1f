package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/testing/apitest"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/lambdas/subscriptions/contract"
)

func settings(of apitest.Settings) any {
	return contract.Settings{API: of.API, Tokens: of.Tokens, Table: of.Table, Endpoint: apitest.Endpoint}
}

func withoutConfirmation(of apitest.Settings) any {
	told := settings(of).(contract.Settings)
	told.SingleOptIn = true
	return told
}

// start runs the function with an empty mailing list of its own.
func start(t testing.TB, settings func(apitest.Settings) any) *apitest.Function {
	t.Helper()
	account := apitest.NewAccount(t, nil)
	account.AddMailingList(t)
	return account.Start(t, lambdatest.Build(t, contract.Package), settings)
}

func subscribe(address, language string) resttest.Request {
	body, err := json.Marshal(map[string]string{"address": address, "language": language})
	if err != nil {
		panic(err) // text has an encoding
	}
	return resttest.Request{Route: "POST /subscriptions", Body: string(body)}
}

// An item is what the table has of an address.
type item struct{ Address, Kind, ID, To, Language, Link string }

func items(t testing.TB, f *apitest.Function, address string) map[mailinglist.Kind]item {
	t.Helper()
	scanned, err := f.DynamoDB.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &f.Table})
	if err != nil {
		t.Fatal(err)
	}
	var all []item
	if err := attributevalue.UnmarshalListOfMaps(scanned.Items, &all); err != nil {
		t.Fatal(err)
	}
	found := map[mailinglist.Kind]item{}
	for _, one := range all {
		if one.Address == address {
			found[mailinglist.Kind(one.Kind)] = one
		}
	}
	return found
}

// mails counts what the table's stream has a mail sent for.
func mails(t testing.TB, f *apitest.Function, address string) int {
	t.Helper()
	var stream events.DynamoDBEvent
	if err := json.Unmarshal(f.DynamoDB.StreamEvent(t, f.Table), &stream); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, record := range stream.Records {
		if record.EventName == "INSERT" && record.Change.Keys["Address"].String() == address {
			count++
		}
	}
	return count
}

const (
	askToConfirm = "구독을 확인해 주세요"
	confirmed    = "구독이 확인되었습니다"
	askToLeave   = "구독을 해지하시겠습니까?"
	left         = "구독이 해지되었습니다"
	nothing      = "확인할 구독 신청이 없습니다"
)

func leaveLink(t testing.TB, f *apitest.Function, address string) string {
	t.Helper()
	link, err := f.Links(0).Unsubscribe(t.Context(), address, "ko")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// pending subscribes somebody and returns the link that the mail has.
func pending(t testing.TB, f *apitest.Function, address string) string {
	t.Helper()
	f.Check(t, subscribe(address, "ko"), 201)
	return items(t, f, address)[mailinglist.Pending].Link
}

// atOnce runs tests that wait for who does not answer. Each has a function of its own.
func atOnce(t *testing.T, faults map[string]awstest.Fault, test func(*testing.T, *apitest.Function, awstest.Fault)) {
	t.Helper()
	var waiting sync.WaitGroup
	for name, fault := range faults {
		waiting.Go(func() {
			t.Run(name, func(t *testing.T) {
				f := start(t, settings)
				test(t, f, fault)
				f.CheckOneProcess(t)
				f.CheckNoLeaks(t, "example.com")
			})
		})
	}
	waiting.Wait()
}

// TestBootstrap drives the built function with API Gateway's events, and keeps the list in DynamoDB. The subtests share the
// function's process as requests do; each has addresses of its own.
func TestBootstrap(t *testing.T) {
	f := start(t, settings)

	t.Run("every route", func(t *testing.T) {
		request := func(method string, link func(testing.TB) string) func(testing.TB, string, string) resttest.Request {
			return func(t testing.TB, _, _ string) resttest.Request { return apitest.FollowLink(t, method, link(t)) }
		}
		leave := func(t testing.TB) string { return leaveLink(t, f, "route@example.com") }
		confirm := func(t testing.TB) string { return pending(t, f, uuid.NewString()+"@example.com") }
		apitest.CheckRoutes(t, f, subscriptionsapi.Routes.Operations(), map[string]apitest.Route{
			"POST /subscriptions": {Request: func(testing.TB, string, string) resttest.Request { return subscribe("route@example.com", "ko") }, Want: map[string][]string{
				"201": {"valid", "twice"},
				"400 invalid_request": {"no body", "unknown field", "wrong type in address", "wrong type in language",
					"SQL in address", "SQL in language", "too long address", "too long language"},
			}},
			"GET /subscriptions/{token}": {Request: request("GET", leave), Want: map[string][]string{
				"200 page": {"valid", "twice", "another's"},
				"400 page": {"SQL in token", "nobody's token"},
			}},
			"POST /subscriptions/{token}": {Request: request("POST", leave), Want: map[string][]string{
				"200 page": {"valid", "twice"},
				"400 page": {"SQL in token", "nobody's token"},
			}},
			"DELETE /subscriptions/{token}": {Request: request("DELETE", leave), Want: map[string][]string{
				"204":              {"valid", "twice", "another's"},
				"400 invalid_link": {"SQL in token", "nobody's token"},
			}},
			"GET /confirmations/{token}": {Request: request("GET", confirm), Want: map[string][]string{
				"200 page": {"valid", "twice", "another's"},
				"400 page": {"SQL in token", "nobody's token"},
			}},
			"POST /confirmations/{token}": {Request: request("POST", confirm), Want: map[string][]string{
				"200 page": {"valid", "twice"},
				"400 page": {"SQL in token", "nobody's token"},
			}},
		})
	})

	t.Run("a subscription is confirmed, left, and taken up again", func(t *testing.T) {
		const address = "ada@example.com"
		receipt := resttest.Body[subscriptionsapi.SubscriptionReceipt](t, f.Do(t, subscribe("Ada@Example.com", "ko-KR")), 201)
		if !receipt.ConfirmationRequired {
			t.Errorf("%+v, want a confirmation", receipt)
		}
		kept := items(t, f, address)
		asked := kept[mailinglist.Pending]
		if len(kept) != 1 || asked.To != "Ada@Example.com" || asked.Language != "ko-KR" || mails(t, f, address) != 1 {
			t.Fatalf("kept are %+v, with %d mails", kept, mails(t, f, address))
		}
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "GET", asked.Link)), 200, askToConfirm)
		if diff := cmp.Diff(kept, items(t, f, address)); diff != "" {
			t.Errorf("looking has changed (-before +after):\n%s", diff)
		}
		for range 2 { // the button is pressed twice
			resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", asked.Link)), 200, confirmed)
			kept = items(t, f, address)
			got := kept[mailinglist.Subscribed]
			want := item{Address: address, Kind: "subscription", ID: asked.ID, To: "Ada@Example.com", Language: "ko-KR", Link: got.Link}
			if diff := cmp.Diff(map[mailinglist.Kind]item{mailinglist.Subscribed: want}, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		}
		if count := mails(t, f, address); count != 2 { // to confirm, and to welcome
			t.Errorf("%d mails, want 2", count)
		}

		leave := kept[mailinglist.Subscribed].Link
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "GET", leave)), 200, askToLeave)
		if diff := cmp.Diff(kept, items(t, f, address)); diff != "" {
			t.Errorf("looking has changed (-before +after):\n%s", diff)
		}
		oneClick := apitest.FollowLink(t, "POST", leave)
		oneClick.Headers = map[string]string{"Content-Type": "application/x-www-form-urlencoded", "origin": "", "User-Agent": ""}
		oneClick.Body = "List-Unsubscribe=One-Click"
		first := f.Do(t, oneClick)
		resttest.Page(t, first, 200, left)
		if diff := cmp.Diff(first, f.Do(t, oneClick)); diff != "" {
			t.Errorf("the second click is answered otherwise (-first +second):\n%s", diff)
		}
		if kept := items(t, f, address); len(kept) > 0 {
			t.Errorf("left is %+v", kept)
		}
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", asked.Link)), 404, nothing) // an old mail's link
		if kept := items(t, f, address); len(kept) > 0 {
			t.Errorf("the old link has made %+v", kept)
		}

		again := pending(t, f, address)
		if again == asked.Link || mails(t, f, address) != 3 || items(t, f, address)[mailinglist.Pending].ID == asked.ID {
			t.Errorf("subscribing again is not a new subscription: %+v, %d mails", items(t, f, address), mails(t, f, address))
		}
		f.Check(t, apitest.FollowLink(t, "DELETE", leave), 204) // by the link of a mail of the first time
		if kept := items(t, f, address); len(kept) > 0 {
			t.Errorf("left is %+v", kept)
		}
	})

	t.Run("nobody learns who is subscribed, and nobody is sent a second mail", func(t *testing.T) {
		answer := func(address, language string) events.APIGatewayProxyResponse {
			return f.Check(t, subscribe(address, language), 201)
		}
		first := answer("eve@example.com", "en")
		same := func(what string, got events.APIGatewayProxyResponse) {
			t.Helper()
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("%s is answered otherwise (-first +this):\n%s", what, diff)
			}
		}
		before := items(t, f, "eve@example.com")
		for _, spelling := range []string{"eve@example.com", "Eve@example.com", "EVE@EXAMPLE.COM", "eve@Example.Com"} {
			for _, language := range []string{"", "ko", "en-GB"} {
				same("who is pending", answer(spelling, language))
			}
		}
		if diff := cmp.Diff(before, items(t, f, "eve@example.com")); diff != "" {
			t.Errorf("asking again has changed (-before +after):\n%s", diff)
		}
		if count := mails(t, f, "eve@example.com"); count != 1 {
			t.Errorf("%d mails, want 1", count)
		}
		f.Check(t, apitest.FollowLink(t, "POST", before[mailinglist.Pending].Link), 200)
		same("who is subscribed", answer("eve@example.com", "ko"))
		if count := mails(t, f, "eve@example.com"); count != 2 {
			t.Errorf("%d mails, want one to confirm and one to welcome", count)
		}
		list := &dynamodbstore.MailingList{Table: f.Table, API: f.DynamoDB.Client}
		if err := list.Suppress(t.Context(), "bounced@example.com", "bounced", time.Now()); err != nil {
			t.Fatal(err)
		}
		same("who gets no mail", answer("bounced@example.com", "ko"))
	})

	t.Run("an address is no way into a mail's header or a page", func(t *testing.T) {
		calls := len(f.DynamoDB.Calls())
		for _, address := range []string{
			"ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nBcc: eve@example.com", "ada@example.com,eve@example.com",
			"Ada <ada@example.com>", "<ada@example.com>", "ada@example.com\x00", "ada\u2028@example.com", "ada@exam\u202eple.com", "@", "ada@", "@example.com", "ada",
		} {
			resttest.ErrorOf(t, f.Do(t, subscribe(address, "ko")), 400, "invalid_request")
		}
		for _, language := range []string{"ko\r\nBcc: eve@example.com", "ko eve@example.com", `"><script>`} {
			resttest.ErrorOf(t, f.Do(t, subscribe("ada@example.com", language)), 400, "invalid_request")
		}
		if now := len(f.DynamoDB.Calls()); now != calls {
			t.Errorf("%d calls of DynamoDB, want none", now-calls)
		}
	})

	t.Run("a link that is none, or too old, does nothing", func(t *testing.T) {
		old := func(age time.Duration) (leave, confirm string) {
			leave, err := f.Links(age).Unsubscribe(t.Context(), "old@example.com", "ko")
			if err != nil {
				t.Fatal(err)
			}
			confirm, err = f.Links(age).Confirm(t.Context(), uuid.New(), "old@example.com", "ko")
			if err != nil {
				t.Fatal(err)
			}
			return leave, confirm
		}
		calls := len(f.DynamoDB.Calls())
		_, confirm := old(mailinglist.ConfirmWithin + time.Minute)
		leave, _ := old(10*365*24*time.Hour + time.Minute)
		for _, link := range []string{leave, confirm} {
			for _, method := range []string{"GET", "POST"} {
				request := apitest.FollowLink(t, method, link)
				resttest.Page(t, f.Do(t, request), 410, "This link has expired")
				request.Headers = map[string]string{"Accept-Language": "ko-KR,ko;q=0.9"}
				resttest.Page(t, f.Do(t, request), 410, "만료된 링크입니다")
				request.Path = map[string]string{"token": request.Path["token"] + "A"}
				resttest.Page(t, f.Do(t, request), 400, "올바르지 않은 링크입니다")
			}
		}
		resttest.ErrorOf(t, f.Do(t, apitest.FollowLink(t, "DELETE", leave)), 410, "expired_link")
		if now := len(f.DynamoDB.Calls()); now != calls {
			t.Errorf("%d calls of DynamoDB, want none", now-calls)
		}
		nine, _ := old(9 * 365 * 24 * time.Hour)
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", nine)), 200, left)
	})

	t.Run("what the function may not do is our affair", func(t *testing.T) {
		f.DynamoDB.SetFault(awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"})
		defer f.DynamoDB.SetFault(awstest.Fault{})
		resttest.ErrorOf(t, f.Do(t, subscribe("ada@example.com", "en")), 500, "internal")
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", leaveLink(t, f, "ada@example.com"))), 500, "Something went wrong")
	})

	t.Run("an answer that is lost on its way costs nobody a second mail", func(t *testing.T) {
		address := uuid.NewString() + "@example.com"
		f.DynamoDB.SetFault(awstest.Fault{Cut: true, Action: "dynamodb:PutItem", Times: 1})
		f.Check(t, subscribe(address, "ko"), 201)
		if count := mails(t, f, address); count != 1 {
			t.Errorf("%d mails to confirm, want 1", count)
		}
		f.DynamoDB.SetFault(awstest.Fault{Cut: true, Action: "dynamodb:DeleteItem", Times: 1})
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", items(t, f, address)[mailinglist.Pending].Link)), 200, confirmed)
		f.DynamoDB.SetFault(awstest.Fault{})
		if count := mails(t, f, address); count != 2 {
			t.Errorf("%d mails, want one to confirm and one to welcome", count)
		}
	})

	f.CheckOneProcess(t)
	f.CheckNoLeaks(t, "example.com")
	awstest.CheckActions(t, "calls.txt", f.Calls())
}

func TestWithoutConfirmationWhoeverSubscribesIsSubscribed(t *testing.T) {
	f := start(t, withoutConfirmation)
	for range 2 {
		receipt := resttest.Body[subscriptionsapi.SubscriptionReceipt](t, f.Do(t, subscribe("Ada@example.com", "ko")), 201)
		if receipt.ConfirmationRequired {
			t.Errorf("%+v, want no confirmation", receipt)
		}
	}
	kept := items(t, f, "ada@example.com")
	subscription := kept[mailinglist.Subscribed]
	if len(kept) != 1 || subscription.To != "Ada@example.com" || mails(t, f, "ada@example.com") != 1 {
		t.Fatalf("kept are %+v, with %d mails", kept, mails(t, f, "ada@example.com"))
	}
	resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", subscription.Link)), 200, left)
	if kept := items(t, f, "ada@example.com"); len(kept) > 0 {
		t.Errorf("left is %+v", kept)
	}
}

// TestWhileDynamoDBIsAwayAllIsForLater has it all be done when DynamoDB is back.
func TestWhileDynamoDBIsAwayAllIsForLater(t *testing.T) {
	atOnce(t, map[string]awstest.Fault{
		"it throttles":       {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"it fails":           {Status: http.StatusInternalServerError, Code: "InternalServerError"},
		"it does not answer": {Silent: true},
		"its answer is lost": {Cut: true},
	}, func(t *testing.T, f *apitest.Function, fault awstest.Fault) {
		const ada, eve, cy = "ada@example.com", "eve@example.com", "cy@example.com"
		confirm, leave := pending(t, f, ada), leaveLink(t, f, cy)
		pending(t, f, cy)
		f.DynamoDB.SetFault(fault)
		f.CheckUnavailable(t, subscribe(eve, "en"))
		for _, link := range []string{confirm, leave} {
			response := f.DoWithShortTimeout(t, apitest.FollowLink(t, "POST", link))
			resttest.Page(t, response, 503, "Try again in a moment")
			if response.Headers["Retry-After"] == "" {
				t.Errorf("headers %v, want Retry-After", response.Headers)
			}
		}
		f.CheckUnavailable(t, apitest.FollowLink(t, "DELETE", leave))
		f.DynamoDB.SetFault(awstest.Fault{})
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", confirm)), 200, confirmed)
		f.Check(t, subscribe(eve, "en"), 201)
		f.Check(t, apitest.FollowLink(t, "DELETE", leave), 204)
		if mails(t, f, ada) != 2 || items(t, f, ada)[mailinglist.Subscribed].ID == "" || mails(t, f, eve) != 1 || len(items(t, f, cy)) > 0 {
			t.Errorf("afterwards %+v, %+v, %d and %d mails", items(t, f, ada), items(t, f, cy), mails(t, f, ada), mails(t, f, eve))
		}
	})
}

// TestWhileItsKeyIsAwayItIsForLater starts the function while Secrets Manager does not answer as it should.
func TestWhileItsKeyIsAwayItIsForLater(t *testing.T) {
	atOnce(t, map[string]awstest.Fault{
		"fails":     {Status: http.StatusInternalServerError, Code: "InternalServiceError"},
		"throttles": {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"denies":    {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"is silent": {Silent: true},
	}, func(t *testing.T, f *apitest.Function, fault awstest.Fault) {
		link := leaveLink(t, f, "ada@example.com")
		f.Secrets.SetFault(fault)
		f.CheckUnavailable(t, subscribe("ada@example.com", "ko"))
		resttest.Page(t, f.DoWithShortTimeout(t, apitest.FollowLink(t, "GET", link)), 503, "Try again in a moment")
		if kept := items(t, f, "ada@example.com"); len(kept) > 0 {
			t.Errorf("kept are %+v, whose mail would have no link", kept)
		}
		f.Secrets.SetFault(awstest.Fault{})
		f.Check(t, subscribe("ada@example.com", "ko"), 201)
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "GET", link)), 200, askToLeave)
	})
}

func TestBootstrapDoesNotStartWithoutItsSettings(t *testing.T) {
	apitest.CheckSettings(t, lambdatest.Build(t, contract.Package), "ALLOWED_ORIGINS", "CLIENT_IDS", "TOKEN_KEY_ARN",
		"MAILING_LIST_TABLE", "API_ENDPOINT")
}
