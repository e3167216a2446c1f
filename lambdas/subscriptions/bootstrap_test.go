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
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/lambdas/subscriptions/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func settings(of apitest.Settings) any {
	return contract.Settings{
		API: of.API, TokenKeyARN: of.TokenKeyARN, Table: of.Table, Endpoint: apitest.Endpoint,
	}
}

func singleOptIn(of apitest.Settings) any {
	changed := settings(of).(contract.Settings)
	changed.SingleOptIn = true
	return changed
}

// start starts the function with an empty mailing list.
func start(t testing.TB, settings func(apitest.Settings) any) *apitest.Function {
	t.Helper()
	account := apitest.NewAccount(t, nil)
	account.AddMailingList(t)
	return account.Start(t, lambdatest.Build(t, contract.Package), settings)
}

func subscribe(address, language string) resttest.Request {
	body, err := json.Marshal(map[string]string{"address": address, "language": language})
	if err != nil {
		panic(err) // unreachable: all values are strings
	}
	return resttest.Request{Route: "POST /subscriptions", Body: string(body)}
}

// An item is an item of the table.
type item struct{ Address, Kind, ID, To, Language, Link string }

// items returns the items of an address in the table.
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
	for _, i := range all {
		if i.Address == address {
			found[mailinglist.Kind(i.Kind)] = i
		}
	}
	return found
}

// mails counts the records of the table's stream that trigger a mail to address.
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

// Titles of pages.
const (
	confirmTitle      = "구독을 확인해 주세요"
	confirmedTitle    = "구독이 확인되었습니다"
	unsubscribeTitle  = "구독을 해지하시겠습니까?"
	unsubscribedTitle = "구독이 해지되었습니다"
	nothingTitle      = "확인할 구독 신청이 없습니다"
)

func unsubscribeLink(t testing.TB, f *apitest.Function, address string) string {
	t.Helper()
	link, err := f.Links(0).Unsubscribe(t.Context(), address, "ko")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// pending subscribes an address and returns the link of the mail.
func pending(t testing.TB, f *apitest.Function, address string) string {
	t.Helper()
	f.Check(t, subscribe(address, "ko"), 201)
	return items(t, f, address)[mailinglist.Pending].Link
}

// concurrently runs tests that wait for timeouts, each with its own function.
func concurrently(
	t *testing.T, faults map[string]awstest.Fault,
	test func(*testing.T, *apitest.Function, awstest.Fault),
) {
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

// TestBootstrap invokes the built function with API Gateway's events. It stores the mailing list in
// a DynamoDB engine. The subtests share the function's process, as requests do; each has its own
// addresses.
func TestBootstrap(t *testing.T) {
	f := start(t, settings)

	t.Run("every route", func(t *testing.T) {
		type newRequest = func(testing.TB, string, string) resttest.Request
		request := func(method string, link func(testing.TB) string) newRequest {
			return func(t testing.TB, _, _ string) resttest.Request {
				return apitest.FollowLink(t, method, link(t))
			}
		}
		subscribe := func(testing.TB, string, string) resttest.Request {
			return subscribe("route@example.com", "ko")
		}
		unsubscribe := func(t testing.TB) string {
			return unsubscribeLink(t, f, "route@example.com")
		}
		confirm := func(t testing.TB) string {
			return pending(t, f, uuid.NewString()+"@example.com")
		}
		apitest.CheckRoutes(t, f, subscriptionsapi.Routes.Operations(), map[string]apitest.Route{
			"POST /subscriptions": {Request: subscribe, Want: map[string][]string{
				"201": {"valid", "twice"},
				"400 invalid_request": {
					"no body", "unknown field", "wrong type in address", "wrong type in language",
					"SQL in address", "SQL in language", "too long address", "too long language",
				},
			}},
			"GET /subscriptions/{token}": {Request: request("GET",
				unsubscribe), Want: map[string][]string{
				"200 page": {"valid", "twice", "another's"},
				"400 page": {"SQL in token", "unknown token"},
			}},
			"POST /subscriptions/{token}": {Request: request("POST",
				unsubscribe), Want: map[string][]string{
				"200 page": {"valid", "twice"},
				"400 page": {"SQL in token", "unknown token"},
			}},
			"DELETE /subscriptions/{token}": {Request: request("DELETE",
				unsubscribe), Want: map[string][]string{
				"204":              {"valid", "twice", "another's"},
				"400 invalid_link": {"SQL in token", "unknown token"},
			}},
			"GET /confirmations/{token}": {Request: request(
				"GET", confirm), Want: map[string][]string{
				"200 page": {"valid", "twice", "another's"},
				"400 page": {"SQL in token", "unknown token"},
			}},
			"POST /confirmations/{token}": {Request: request(
				"POST", confirm), Want: map[string][]string{
				"200 page": {"valid", "twice"},
				"400 page": {"SQL in token", "unknown token"},
			}},
		})
	})

	t.Run("subscribe, confirm, unsubscribe and subscribe again", func(t *testing.T) {
		const address = "ada@example.com"
		receipt := resttest.Body[subscriptionsapi.SubscriptionReceipt](
			t, f.Do(t, subscribe("Ada@Example.com", "ko-KR")), 201)
		if !receipt.ConfirmationRequired {
			t.Errorf("%+v, want a confirmation", receipt)
		}
		stored := items(t, f, address)
		first := stored[mailinglist.Pending]
		if len(stored) != 1 || first.To != "Ada@Example.com" || first.Language != "ko-KR" ||
			mails(t, f, address) != 1 {
			t.Fatalf("stored %+v, with %d mails", stored, mails(t, f, address))
		}
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "GET", first.Link)), 200, confirmTitle)
		if diff := cmp.Diff(stored, items(t, f, address)); diff != "" {
			t.Errorf("GET has changed the table (-before +after):\n%s", diff)
		}
		for range 2 { // the button is pressed twice
			response := f.Do(t, apitest.FollowLink(t, "POST", first.Link))
			resttest.Page(t, response, 200, confirmedTitle)
			stored = items(t, f, address)
			want := map[mailinglist.Kind]item{mailinglist.Subscribed: {
				Address:  address,
				Kind:     "subscription",
				ID:       first.ID,
				To:       "Ada@Example.com",
				Language: "ko-KR",
				Link:     stored[mailinglist.Subscribed].Link,
			}}
			if diff := cmp.Diff(want, stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		}
		if count := mails(t, f, address); count != 2 { // confirmation and welcome
			t.Errorf("%d mails, want 2", count)
		}

		link := stored[mailinglist.Subscribed].Link
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "GET", link)), 200, unsubscribeTitle)
		if diff := cmp.Diff(stored, items(t, f, address)); diff != "" {
			t.Errorf("GET has changed the table (-before +after):\n%s", diff)
		}
		oneClick := apitest.FollowLink(t, "POST", link)
		oneClick.Headers = map[string]string{
			"Content-Type": "application/x-www-form-urlencoded", "origin": "", "User-Agent": "",
		}
		oneClick.Body = "List-Unsubscribe=One-Click"
		response := f.Do(t, oneClick)
		resttest.Page(t, response, 200, unsubscribedTitle)
		if diff := cmp.Diff(response, f.Do(t, oneClick)); diff != "" {
			t.Errorf("the second click has another response (-first +second):\n%s", diff)
		}
		if stored := items(t, f, address); len(stored) > 0 {
			t.Errorf("stored %+v, want nothing", stored)
		}
		oldLink := apitest.FollowLink(t, "POST", first.Link)
		resttest.Page(t, f.Do(t, oldLink), 404, nothingTitle)
		if stored := items(t, f, address); len(stored) > 0 {
			t.Errorf("the link of an old mail has created %+v", stored)
		}

		secondLink := pending(t, f, address)
		if secondLink == first.Link || mails(t, f, address) != 3 ||
			items(t, f, address)[mailinglist.Pending].ID == first.ID {
			t.Errorf("subscribing again has created no new subscription: %+v, %d mails",
				items(t, f, address), mails(t, f, address))
		}
		f.Check(t, apitest.FollowLink(t, "DELETE", link), 204) // link of the first subscription
		if stored := items(t, f, address); len(stored) > 0 {
			t.Errorf("stored %+v, want nothing", stored)
		}
	})

	t.Run("does not reveal subscriptions, and sends no second mail", func(t *testing.T) {
		response := func(address, language string) events.APIGatewayProxyResponse {
			return f.Check(t, subscribe(address, language), 201)
		}
		first := response("eve@example.com", "en")
		same := func(what string, got events.APIGatewayProxyResponse) {
			t.Helper()
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("%s address: another response (-first +this):\n%s", what, diff)
			}
		}
		before := items(t, f, "eve@example.com")
		for _, spelling := range []string{
			"eve@example.com", "Eve@example.com", "EVE@EXAMPLE.COM", "eve@Example.Com",
		} {
			for _, language := range []string{"", "ko", "en-GB"} {
				same("pending", response(spelling, language))
			}
		}
		if diff := cmp.Diff(before, items(t, f, "eve@example.com")); diff != "" {
			t.Errorf("a repeated request has changed the table (-before +after):\n%s", diff)
		}
		if count := mails(t, f, "eve@example.com"); count != 1 {
			t.Errorf("%d mails, want 1", count)
		}
		f.Check(t, apitest.FollowLink(t, "POST", before[mailinglist.Pending].Link), 200)
		same("subscribed", response("eve@example.com", "ko"))
		if count := mails(t, f, "eve@example.com"); count != 2 {
			t.Errorf("%d mails, want a confirmation and a welcome", count)
		}
		list := &dynamodbstore.MailingList{Table: f.Table, API: f.DynamoDB.Client}
		err := list.Suppress(t.Context(), "bounced@example.com", "bounced", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		same("suppressed", response("bounced@example.com", "ko"))
	})

	t.Run("rejects header and markup injection", func(t *testing.T) {
		calls := len(f.DynamoDB.Calls())
		for _, address := range []string{
			"ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nBcc: eve@example.com",
			"ada@example.com,eve@example.com", "Ada <ada@example.com>", "<ada@example.com>",
			"ada@example.com\x00", "ada\u2028@example.com", "ada@exam\u202eple.com",
			"@", "ada@", "@example.com", "ada",
		} {
			resttest.ErrorOf(t, f.Do(t, subscribe(address, "ko")), 400, "invalid_request")
		}
		for _, language := range []string{
			"ko\r\nBcc: eve@example.com", "ko eve@example.com", `"><script>`,
		} {
			response := f.Do(t, subscribe("ada@example.com", language))
			resttest.ErrorOf(t, response, 400, "invalid_request")
		}
		if now := len(f.DynamoDB.Calls()); now != calls {
			t.Errorf("%d calls of DynamoDB, want none", now-calls)
		}
	})

	t.Run("rejects invalid and expired links", func(t *testing.T) {
		linksOf := func(age time.Duration) (unsubscribe, confirm string) {
			const address = "old@example.com"
			unsubscribe, err := f.Links(age).Unsubscribe(t.Context(), address, "ko")
			if err != nil {
				t.Fatal(err)
			}
			confirm, err = f.Links(age).Confirm(t.Context(), uuid.New(), address, "ko")
			if err != nil {
				t.Fatal(err)
			}
			return unsubscribe, confirm
		}
		calls := len(f.DynamoDB.Calls())
		_, confirm := linksOf(mailinglist.ConfirmWithin + time.Minute)
		unsubscribe, _ := linksOf(10*365*24*time.Hour + time.Minute)
		for _, link := range []string{unsubscribe, confirm} {
			for _, method := range []string{"GET", "POST"} {
				request := apitest.FollowLink(t, method, link)
				resttest.Page(t, f.Do(t, request), 410, "This link has expired")
				request.Headers = map[string]string{"Accept-Language": "ko-KR,ko;q=0.9"}
				resttest.Page(t, f.Do(t, request), 410, "만료된 링크입니다")
				request.Path = map[string]string{"token": request.Path["token"] + "A"}
				resttest.Page(t, f.Do(t, request), 400, "올바르지 않은 링크입니다")
			}
		}
		response := f.Do(t, apitest.FollowLink(t, "DELETE", unsubscribe))
		resttest.ErrorOf(t, response, 410, "expired_link")
		if now := len(f.DynamoDB.Calls()); now != calls {
			t.Errorf("%d calls of DynamoDB, want none", now-calls)
		}
		nineYears, _ := linksOf(9 * 365 * 24 * time.Hour)
		response = f.Do(t, apitest.FollowLink(t, "POST", nineYears))
		resttest.Page(t, response, 200, unsubscribedTitle)
	})

	t.Run("responds 500 to denied access", func(t *testing.T) {
		f.DynamoDB.SetFault(
			awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"})
		defer f.DynamoDB.SetFault(awstest.Fault{})
		resttest.ErrorOf(t, f.Do(t, subscribe("ada@example.com", "en")), 500, "internal")
		link := unsubscribeLink(t, f, "ada@example.com")
		response := f.Do(t, apitest.FollowLink(t, "POST", link))
		resttest.Page(t, response, 500, "Something went wrong")
	})

	t.Run("sends no second mail after a lost response", func(t *testing.T) {
		address := uuid.NewString() + "@example.com"
		f.DynamoDB.SetFault(
			awstest.Fault{TruncateResponse: true, Action: "dynamodb:PutItem", Times: 1})
		f.Check(t, subscribe(address, "ko"), 201)
		if count := mails(t, f, address); count != 1 {
			t.Errorf("%d mails, want 1", count)
		}
		f.DynamoDB.SetFault(
			awstest.Fault{TruncateResponse: true, Action: "dynamodb:DeleteItem", Times: 1})
		link := items(t, f, address)[mailinglist.Pending].Link
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", link)), 200, confirmedTitle)
		f.DynamoDB.SetFault(awstest.Fault{})
		if count := mails(t, f, address); count != 2 {
			t.Errorf("%d mails, want a confirmation and a welcome", count)
		}
	})

	f.CheckOneProcess(t)
	f.CheckNoLeaks(t, "example.com")
	awstest.CheckActions(t, "calls.txt", f.Calls())
}

func TestBootstrap_single_opt_in(t *testing.T) {
	f := start(t, singleOptIn)
	for range 2 {
		receipt := resttest.Body[subscriptionsapi.SubscriptionReceipt](
			t, f.Do(t, subscribe("Ada@example.com", "ko")), 201)
		if receipt.ConfirmationRequired {
			t.Errorf("%+v, want no confirmation", receipt)
		}
	}
	const address = "ada@example.com"
	stored := items(t, f, address)
	subscription := stored[mailinglist.Subscribed]
	if len(stored) != 1 || subscription.To != "Ada@example.com" || mails(t, f, address) != 1 {
		t.Fatalf("stored %+v, with %d mails", stored, mails(t, f, address))
	}
	response := f.Do(t, apitest.FollowLink(t, "POST", subscription.Link))
	resttest.Page(t, response, 200, unsubscribedTitle)
	if stored := items(t, f, address); len(stored) > 0 {
		t.Errorf("stored %+v, want nothing", stored)
	}
}

// TestBootstrap_DynamoDB_unavailable repeats all requests when DynamoDB is available again.
func TestBootstrap_DynamoDB_unavailable(t *testing.T) {
	concurrently(t, map[string]awstest.Fault{
		"throttles": {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"fails": {
			Status: http.StatusInternalServerError, Code: "InternalServerError",
		},
		"does not respond":        {NoResponse: true},
		"succeeds, response lost": {TruncateResponse: true},
	}, func(t *testing.T, f *apitest.Function, fault awstest.Fault) {
		const ada, eve, cy = "ada@example.com", "eve@example.com", "cy@example.com"
		confirm, unsubscribe := pending(t, f, ada), unsubscribeLink(t, f, cy)
		pending(t, f, cy)
		f.DynamoDB.SetFault(fault)
		f.CheckUnavailable(t, subscribe(eve, "en"))
		for _, link := range []string{confirm, unsubscribe} {
			response := f.DoWithShortTimeout(t, apitest.FollowLink(t, "POST", link))
			resttest.Page(t, response, 503, "Try again in a moment")
			if response.Headers["Retry-After"] == "" {
				t.Errorf("headers %v, want Retry-After", response.Headers)
			}
		}
		f.CheckUnavailable(t, apitest.FollowLink(t, "DELETE", unsubscribe))
		f.DynamoDB.SetFault(awstest.Fault{})
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", confirm)), 200, confirmedTitle)
		f.Check(t, subscribe(eve, "en"), 201)
		f.Check(t, apitest.FollowLink(t, "DELETE", unsubscribe), 204)
		if mails(t, f, ada) != 2 || items(t, f, ada)[mailinglist.Subscribed].ID == "" ||
			mails(t, f, eve) != 1 || len(items(t, f, cy)) > 0 {
			t.Errorf("afterwards %+v, %+v, %d and %d mails",
				items(t, f, ada), items(t, f, cy), mails(t, f, ada), mails(t, f, eve))
		}
	})
}

// TestBootstrap_key_unavailable starts the function during faults of Secrets Manager.
func TestBootstrap_key_unavailable(t *testing.T) {
	concurrently(t, map[string]awstest.Fault{
		"fails":            {Status: http.StatusInternalServerError, Code: "InternalServiceError"},
		"throttles":        {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"denies":           {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"does not respond": {NoResponse: true},
	}, func(t *testing.T, f *apitest.Function, fault awstest.Fault) {
		link := unsubscribeLink(t, f, "ada@example.com")
		f.Secrets.SetFault(fault)
		f.CheckUnavailable(t, subscribe("ada@example.com", "ko"))
		response := f.DoWithShortTimeout(t, apitest.FollowLink(t, "GET", link))
		resttest.Page(t, response, 503, "Try again in a moment")
		if stored := items(t, f, "ada@example.com"); len(stored) > 0 {
			t.Errorf("stored %+v, though the mail would have no link", stored)
		}
		f.Secrets.SetFault(awstest.Fault{})
		f.Check(t, subscribe("ada@example.com", "ko"), 201)
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "GET", link)), 200, unsubscribeTitle)
	})
}

func TestBootstrap_requires_settings(t *testing.T) {
	apitest.CheckSettings(t, lambdatest.Build(t, contract.Package), "TOKEN_KEY_ARN",
		"MAILING_LIST_TABLE", "API_ENDPOINT")
}
