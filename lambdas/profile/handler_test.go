package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/profile"
)

const (
	subject   = "00000000-0000-4000-8000-0000000000aa" // of the events in testdata
	requestID = "00000000-0000-4000-8000-0000000000ff"
	origin    = "https://app.example.com"
)

// fakeProfiles is a store as functions. One that is nil must not be called.
type fakeProfiles struct {
	get func(ctx context.Context, subject string) (profile.Profile, error)
	put func(ctx context.Context, p profile.Profile) (profile.Profile, error)
}

func (f fakeProfiles) Get(ctx context.Context, subject string) (profile.Profile, error) {
	return f.get(ctx, subject)
}

func (f fakeProfiles) Put(ctx context.Context, p profile.Profile) (profile.Profile, error) {
	return f.put(ctx, p)
}

// answering returns a store in which everything succeeds: Get finds a profile, and Put returns what it is given.
func answering() fakeProfiles {
	created := time.Date(2026, 11, 1, 12, 0, 0, 123456000, time.UTC)
	return fakeProfiles{
		get: func(_ context.Context, subject string) (profile.Profile, error) {
			return profile.Profile{Subject: subject, DisplayName: "Ada", Bio: "Stones.", Language: "en", CreatedAt: created, UpdatedAt: created}, nil
		},
		put: func(_ context.Context, p profile.Profile) (profile.Profile, error) {
			p.CreatedAt, p.UpdatedAt = created, created.Add(time.Hour)
			return p, nil
		},
	}
}

// failing returns a store in which everything fails with err.
func failing(err error) fakeProfiles {
	return fakeProfiles{
		get: func(context.Context, string) (profile.Profile, error) { return profile.Profile{}, err },
		put: func(context.Context, profile.Profile) (profile.Profile, error) { return profile.Profile{}, err },
	}
}

func newHandler(store profiles, log *bytes.Buffer) *handler {
	return &handler{profiles: store, allowedOrigins: []string{origin, "https://admin.example.com"}, logger: slog.New(slog.NewJSONHandler(log, nil))}
}

func readEvent(t testing.TB, file string) events.APIGatewayProxyRequest {
	t.Helper()
	content, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var request events.APIGatewayProxyRequest
	if err := json.Unmarshal(content, &request); err != nil {
		t.Fatal(err)
	}
	return request
}

func getRequest(t testing.TB) events.APIGatewayProxyRequest { return readEvent(t, "get.json") }
func putRequest(t testing.TB) events.APIGatewayProxyRequest { return readEvent(t, "put.json") }

func putBody(t testing.TB, body string) events.APIGatewayProxyRequest {
	request := putRequest(t)
	request.Body = body
	return request
}

type errorBody struct {
	Error struct {
		Code      string
		Message   string
		RequestID string `json:"requestId"`
		Fields    []fieldProblem
	}
}

func TestProfileIsReadAndReplaced(t *testing.T) {
	tests := map[string]struct {
		request events.APIGatewayProxyRequest
		want    string
	}{
		"GET":              {getRequest(t), `{"displayName":"Ada","bio":"Stones.","language":"en","createdAt":"2026-11-01T12:00:00.123456Z","updatedAt":"2026-11-01T12:00:00.123456Z"}`},
		"PUT":              {putRequest(t), `{"displayName":"Ada","bio":"Cuts stones true.","language":"en-GB","createdAt":"2026-11-01T12:00:00.123456Z","updatedAt":"2026-11-01T13:00:00.123456Z"}`},
		"PUT of the least": {putBody(t, ` {"displayName" : "\u0041da" } `), `{"displayName":"Ada","bio":"","language":"","createdAt":"2026-11-01T12:00:00.123456Z","updatedAt":"2026-11-01T13:00:00.123456Z"}`},
	}
	encoded := putBody(t, base64.StdEncoding.EncodeToString([]byte(`{"displayName":"Ada"}`)))
	encoded.IsBase64Encoded = true
	least := tests["PUT of the least"]
	least.request = encoded
	tests["PUT in base64"] = least

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			response, err := newHandler(answering(), &log).Handle(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			want := events.APIGatewayProxyResponse{
				StatusCode: 200,
				Headers: map[string]string{
					"Content-Type":                  "application/json",
					"Cache-Control":                 "no-store",
					"Vary":                          "Origin",
					"Access-Control-Allow-Origin":   origin,
					"Access-Control-Expose-Headers": "Retry-After",
				},
				Body: test.want,
			}
			if diff := cmp.Diff(want, response); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
			if log.Len() > 0 {
				t.Errorf("a success logged %s", &log)
			}
		})
	}
}

func TestTheSubjectIsTheClaims(t *testing.T) {
	var subjects []string
	store := answering()
	get, put := store.get, store.put
	store.get = func(ctx context.Context, subject string) (profile.Profile, error) {
		subjects = append(subjects, subject)
		return get(ctx, subject)
	}
	store.put = func(ctx context.Context, p profile.Profile) (profile.Profile, error) {
		subjects = append(subjects, p.Subject)
		return put(ctx, p)
	}
	for _, request := range []events.APIGatewayProxyRequest{getRequest(t), putRequest(t)} {
		request.Headers["sub"] = "somebody-else"
		request.Headers["X-Subject"] = "somebody-else"
		request.QueryStringParameters = map[string]string{"sub": "somebody-else", "subject": "somebody-else"}
		request.RequestContext.Authorizer["sub"] = "somebody-else"
		request.RequestContext.Authorizer["principalId"] = "somebody-else"
		if response, _ := newHandler(store, new(bytes.Buffer)).Handle(t.Context(), request); response.StatusCode != 200 {
			t.Errorf("status %d, want 200: %s", response.StatusCode, response.Body)
		}
	}
	if diff := cmp.Diff([]string{subject, subject}, subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
}

func TestRequestsWithoutASubjectAreUnauthenticated(t *testing.T) {
	tests := map[string]map[string]any{
		"no authoriser":     nil,
		"no claims":         {},
		"null claims":       {"claims": nil},
		"claims are text":   {"claims": `{"sub":"` + subject + `"}`},
		"claims are a list": {"claims": []any{map[string]any{"sub": subject}}},
		"no sub":            {"claims": map[string]any{"email": "ada@example.com"}},
		"null sub":          {"claims": map[string]any{"sub": nil}},
		"empty sub":         {"claims": map[string]any{"sub": ""}},
		"sub is a number":   {"claims": map[string]any{"sub": 7.0}},
		"sub is a list":     {"claims": map[string]any{"sub": []any{subject}}},
		"sub in other case": {"claims": map[string]any{"Sub": subject}},
		"sub with a space":  {"claims": map[string]any{"sub": subject + " "}},
		"sub too long":      {"claims": map[string]any{"sub": strings.Repeat("a", profile.MaxSubject+1)}},
		"sub elsewhere":     {"sub": subject, "principalId": subject},
	}
	for name, authorizer := range tests {
		t.Run(name, func(t *testing.T) {
			for _, request := range []events.APIGatewayProxyRequest{getRequest(t), putRequest(t)} {
				request.RequestContext.Authorizer = authorizer
				checkRefusal(t, fakeProfiles{}, request, 401, "unauthenticated", "Sign in")
			}
		})
	}
}

func TestBadBodiesAreRefused(t *testing.T) {
	tests := map[string]struct {
		body    string
		status  int
		code    string
		message string
	}{
		"empty":              {``, 400, "invalid_json", "send an object such as"},
		"only space":         {" \n", 400, "invalid_json", "send an object such as"},
		"cut short":          {`{"displayName":"Ada"`, 400, "invalid_json", "not JSON"},
		"trailing data":      {`{"displayName":"Ada"}{}`, 400, "invalid_json", "not JSON"},
		"trailing text":      {`{"displayName":"Ada"} x`, 400, "invalid_json", "not JSON"},
		"trailing comma":     {`{"displayName":"Ada",}`, 400, "invalid_json", "not JSON"},
		"single quotes":      {`{'displayName':'Ada'}`, 400, "invalid_json", "not JSON"},
		"a comment":          {`{"displayName":"Ada"/**/}`, 400, "invalid_json", "not JSON"},
		"a form":             {`displayName=Ada`, 400, "invalid_json", "not JSON"},
		"not UTF-8":          {"{\"displayName\":\"Ad\xe4\"}", 400, "invalid_json", "UTF-8"},
		"byte order mark":    {"\ufeff" + `{"displayName":"Ada"}`, 400, "invalid_json", "not JSON"},
		"too deep":           {strings.Repeat("[", maxBody), 400, "invalid_json", "not JSON"},
		"a list":             {`[{"displayName":"Ada"}]`, 400, "invalid_json", "not a JSON object"},
		"a string":           {`"Ada"`, 400, "invalid_json", "not a JSON object"},
		"null":               {`null`, 400, "invalid_json", "not a JSON object"},
		"unknown field":      {`{"displayName":"Ada","admin":true}`, 400, "invalid_profile", "admin is unknown; send only displayName, bio and language."},
		"field in Go's case": {`{"DisplayName":"Ada"}`, 400, "invalid_profile", "DisplayName is unknown"},
		"somebody's subject": {`{"displayName":"Ada","subject":"somebody-else"}`, 400, "invalid_profile", "subject is unknown"},
		"field twice":        {`{"displayName":"Ada","displayName":"Eve"}`, 400, "invalid_profile", "displayName comes twice; send it once."},
		"twice by escape":    {`{"bio":"a","\u0062io":"b","displayName":"Ada"}`, 400, "invalid_profile", "bio comes twice"},
		"number":             {`{"displayName":7}`, 400, "invalid_profile", "displayName is not a string; send text in quotes."},
		"null field":         {`{"displayName":"Ada","bio":null}`, 400, "invalid_profile", "bio is not a string"},
		"object":             {`{"displayName":{"a":"b"}}`, 400, "invalid_profile", "displayName is not a string"},
		"no display name":    {`{}`, 400, "invalid_profile", "displayName is empty; it is required."},
		"long display name":  {`{"displayName":"` + strings.Repeat("ä", 81) + `"}`, 400, "invalid_profile", "displayName has 81 characters; at most 80 are allowed."},
		"several":            {`{"displayName":"","language":"x"}`, 400, "invalid_profile", "displayName is empty; it is required. language is not a BCP 47"},
		"control character":  {`{"displayName":"A\u0000"}`, 400, "invalid_profile", "displayName has the control character U+0000; remove it."},
		"too large by one":   {`{"displayName":"` + strings.Repeat("a", maxBody) + `"}`, 413, "body_too_large", "16384 bytes"},
		"a megabyte":         {strings.Repeat("a", 1<<20), 413, "body_too_large", "16384 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plain := putBody(t, test.body)
			checkRefusal(t, fakeProfiles{}, plain, test.status, test.code, test.message)
			encoded := putBody(t, base64.StdEncoding.EncodeToString([]byte(test.body)))
			encoded.IsBase64Encoded = true
			checkRefusal(t, fakeProfiles{}, encoded, test.status, test.code, test.message)
		})
	}
}

func TestBrokenBase64IsRefused(t *testing.T) {
	request := putBody(t, "{}")
	request.IsBase64Encoded = true
	checkRefusal(t, fakeProfiles{}, request, 400, "invalid_json", "base64")
}

func TestTheLargestBodyIsRead(t *testing.T) {
	body := `{"displayName":"Ada"}`
	request := putBody(t, body+strings.Repeat(" ", maxBody-len(body)))
	if response, _ := newHandler(answering(), new(bytes.Buffer)).Handle(t.Context(), request); response.StatusCode != 200 {
		t.Errorf("status %d, want 200: %s", response.StatusCode, response.Body)
	}
}

func TestAMegabyteIsRefusedCheaply(t *testing.T) {
	request := putBody(t, strings.Repeat("a", 1<<20))
	h := newHandler(fakeProfiles{}, new(bytes.Buffer))
	for _, request.IsBase64Encoded = range []bool{false, true} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = h.Handle(t.Context(), request)
		runtime.ReadMemStats(&after)
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > maxBody {
			t.Errorf("refused at the cost of %d bytes (base64: %t), want no copy of the body", bytes, request.IsBase64Encoded)
		}
	}
}

func TestInvalidProfileListsItsFields(t *testing.T) {
	refused := checkRefusal(t, fakeProfiles{}, putBody(t, `{"displayName":"","language":"x"}`), 400, "invalid_profile", "displayName")
	want := []fieldProblem{
		{Field: "displayName", Problem: "is empty; it is required"},
		{Field: "language", Problem: "is not a BCP 47 language tag such as en or pt-BR"},
	}
	if diff := cmp.Diff(want, refused.Error.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestOtherRoutesAreRefused(t *testing.T) {
	elsewhere := getRequest(t)
	elsewhere.Resource, elsewhere.Path = "/profiles", "/profiles"
	checkRefusal(t, fakeProfiles{}, elsewhere, 404, "not_found", "/profile")
	for _, method := range []string{"POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "get", ""} {
		t.Run(method, func(t *testing.T) {
			request := putRequest(t)
			request.HTTPMethod = method
			checkRefusal(t, fakeProfiles{}, request, 405, "method_not_allowed", "GET")
			response, _ := newHandler(fakeProfiles{}, new(bytes.Buffer)).Handle(t.Context(), request)
			if allow := response.Headers["Allow"]; allow != "GET, PUT" {
				t.Errorf("Allow %q, want the two methods", allow)
			}
		})
	}
}

func TestStoreErrorsReachTheClientAsCodes(t *testing.T) {
	const inner = "SELECT subject FROM profiles; dial tcp db.internal:3306; password hunter2"
	tests := map[string]struct {
		store   fakeProfiles
		status  int
		code    string
		message string
	}{
		"not found":   {failing(fmt.Errorf("get: %w", profile.ErrNotFound)), 404, "profile_not_found", "create it with PUT /profile"},
		"unavailable": {failing(fmt.Errorf("get: %w: %s", profile.ErrUnavailable, inner)), 503, "unavailable", "try again in 5 seconds"},
		"out of time": {failing(fmt.Errorf("get: %w: %s", context.DeadlineExceeded, inner)), 503, "unavailable", "try again in 5 seconds"},
		"unexpected":  {failing(errors.New(inner)), 500, "internal", "request id"},
		"panic": {fakeProfiles{
			get: func(context.Context, string) (profile.Profile, error) { panic(inner) },
			put: func(context.Context, profile.Profile) (profile.Profile, error) { panic(inner) },
		}, 500, "internal", "request id"},
		"nil store": {fakeProfiles{}, 500, "internal", "request id"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, request := range []events.APIGatewayProxyRequest{getRequest(t), putRequest(t)} {
				checkRefusal(t, test.store, request, test.status, test.code, test.message)
				response, _ := newHandler(test.store, new(bytes.Buffer)).Handle(t.Context(), request)
				if strings.Contains(response.Body, "SELECT") || strings.Contains(response.Body, "hunter2") || strings.Contains(response.Body, "db.internal") {
					t.Errorf("the client is told of the inside: %s", response.Body)
				}
				retryAfter, ok := response.Headers["Retry-After"]
				if ok != (test.status == 503) || ok && retryAfter != "5" {
					t.Errorf("Retry-After %q with status %d, want 5 with 503 only", retryAfter, test.status)
				}
			}
		})
	}
}

func TestFailuresAreLoggedOnceWithTheirCause(t *testing.T) {
	tests := map[string]struct {
		request   events.APIGatewayProxyRequest
		store     fakeProfiles
		want      map[string]any
		wantCause string
	}{
		"unexpected":  {getRequest(t), failing(errors.New("table is gone")), map[string]any{"level": "ERROR", "code": "internal", "status": 500.0}, "table is gone"},
		"panic":       {getRequest(t), fakeProfiles{}, map[string]any{"level": "ERROR", "code": "internal", "status": 500.0}, "handler_test.go"},
		"unavailable": {getRequest(t), failing(fmt.Errorf("%w: no route", profile.ErrUnavailable)), map[string]any{"level": "ERROR", "code": "unavailable", "status": 503.0}, "no route"},
		"bad body":    {putBody(t, `{"displayName":"hunter2","password":"hunter2"}`), answering(), map[string]any{"level": "INFO", "code": "invalid_profile", "status": 400.0}, ""},
		"bad claims":  {events.APIGatewayProxyRequest{Resource: "/profile", HTTPMethod: "GET", RequestContext: events.APIGatewayProxyRequestContext{RequestID: requestID}}, answering(), map[string]any{"level": "INFO", "code": "unauthenticated", "status": 401.0}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			_, _ = newHandler(test.store, &log).Handle(t.Context(), test.request)
			if lines := strings.Count(log.String(), "\n"); lines != 1 {
				t.Errorf("%d log lines, want 1:\n%s", lines, &log)
			}
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("%v: %s", err, &log)
			}
			cause, _ := line["error"].(string)
			if !strings.Contains(cause, test.wantCause) || test.wantCause == "" && cause != "" {
				t.Errorf("error %q, want %q", cause, test.wantCause)
			}
			delete(line, "error")
			delete(line, "time")
			test.want["msg"], test.want["apiRequestId"] = "request failed", requestID
			if diff := cmp.Diff(test.want, line); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
			for _, secret := range []string{"hunter2", "ada@example.com", subject} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("%q is logged: %s", secret, &log)
				}
			}
		})
	}
}

func TestOnlyAllowedOriginsMayReadAnswers(t *testing.T) {
	tests := map[string]struct {
		header, origin string
		want           string
	}{
		"first":           {"Origin", origin, origin},
		"second":          {"Origin", "https://admin.example.com", "https://admin.example.com"},
		"HTTP/2":          {"origin", origin, origin},
		"another":         {"Origin", "https://evil.example.net", ""},
		"with a suffix":   {"Origin", origin + ".evil.example.net", ""},
		"without a part":  {"Origin", "https://example.com", ""},
		"another scheme":  {"Origin", "http://app.example.com", ""},
		"null":            {"Origin", "null", ""},
		"any":             {"Origin", "*", ""},
		"empty":           {"Origin", "", ""},
		"another's place": {"Referer", origin, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, store := range []fakeProfiles{answering(), failing(errors.New("table is gone"))} {
				request := getRequest(t)
				delete(request.Headers, "origin")
				request.Headers[test.header] = test.origin
				response, _ := newHandler(store, new(bytes.Buffer)).Handle(t.Context(), request)
				if got := response.Headers["Access-Control-Allow-Origin"]; got != test.want {
					t.Errorf("Access-Control-Allow-Origin %q, want %q", got, test.want)
				}
				if response.Headers["Vary"] != "Origin" {
					t.Errorf("Vary %q, want Origin: a cache would give one origin's answer to another", response.Headers["Vary"])
				}
			}
		})
	}
}

func TestTheStoreHasLessTimeThanTheFunction(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	check := func(ctx context.Context) {
		if got, ok := ctx.Deadline(); !ok || !got.Equal(deadline.Add(-answerMargin)) {
			t.Errorf("the store's deadline is %s before the function's, want %s", deadline.Sub(got), answerMargin)
		}
	}
	store := answering()
	get, put := store.get, store.put
	store.get = func(ctx context.Context, subject string) (profile.Profile, error) {
		check(ctx)
		return get(ctx, subject)
	}
	store.put = func(ctx context.Context, p profile.Profile) (profile.Profile, error) { check(ctx); return put(ctx, p) }
	for _, request := range []events.APIGatewayProxyRequest{getRequest(t), putRequest(t)} {
		if response, _ := newHandler(store, new(bytes.Buffer)).Handle(ctx, request); response.StatusCode != 200 {
			t.Errorf("status %d, want 200", response.StatusCode)
		}
	}
}

func FuzzDecodeProfile(f *testing.F) {
	for _, seed := range []string{
		`{"displayName":"Ada","bio":"Cuts stones true.","language":"en-GB"}`,
		`{"displayName":"Ada","displayName":"Eve"}`, `{"a":[{"b":{}}]}`, `{"bio":"\ud800"}`, "{\"\xff\":1}", `{} {}`, `nul`, `{"":""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodeProfile(body)
		if err != nil {
			if refused, ok := errors.AsType[*refusal](err); !ok || refused.status != 400 || refused.Message == "" {
				t.Fatalf("error %v, want a refusal with status 400", err)
			}
			return
		}
		if !utf8.ValidString(p.DisplayName + p.Bio + p.Language) {
			t.Errorf("%q is not UTF-8", p)
		}
		// What is accepted, encoding/json reads the same way.
		var want struct {
			DisplayName string `json:"displayName"`
			Bio         string `json:"bio"`
			Language    string `json:"language"`
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if p.DisplayName != want.DisplayName || p.Bio != want.Bio || p.Language != want.Language {
			t.Errorf("read %+v, want %+v", p, want)
		}
		again, err := json.Marshal(map[string]string{"displayName": p.DisplayName, "bio": p.Bio, "language": p.Language})
		if err != nil {
			t.Fatal(err)
		}
		if same, err := decodeProfile(again); err != nil || same != p {
			t.Errorf("read %+v, %v from its own encoding; want %+v", same, err, p)
		}
	})
}

func FuzzHandle(f *testing.F) {
	for _, file := range []string{"get.json", "put.json"} {
		content, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte(`{"resource":"/profile","httpMethod":"PUT","requestContext":{"authorizer":{"claims":{"sub":"s"}}},"body":"{\"displayName\":\"Ada\"}"}`))
	f.Add([]byte(`{"resource":"/profile","httpMethod":"GET","requestContext":{"authorizer":{"claims":[{"sub":1}]}}}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		var request events.APIGatewayProxyRequest
		if json.Unmarshal(event, &request) != nil {
			return // the Lambda runtime answers it
		}
		claims, _ := request.RequestContext.Authorizer["claims"].(map[string]any)
		claimed, _ := claims["sub"].(string)
		stored := func(p profile.Profile) (profile.Profile, error) {
			if p.Subject != claimed || p.Subject == "" {
				t.Errorf("subject %q, want the claims' %q", p.Subject, claimed)
			}
			return p, nil
		}
		store := fakeProfiles{
			get: func(_ context.Context, subject string) (profile.Profile, error) {
				return stored(profile.Profile{Subject: subject})
			},
			put: func(_ context.Context, p profile.Profile) (profile.Profile, error) {
				if err := p.Validate(); err != nil {
					t.Errorf("the store was given %+v: %v", p, err)
				}
				return stored(p)
			},
		}
		var log bytes.Buffer
		response, err := newHandler(store, &log).Handle(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(response.Body)) {
			t.Errorf("the body is not JSON: %q", response.Body)
		}
		switch response.StatusCode {
		case 200, 400, 401, 404, 405, 413:
		default:
			t.Errorf("status %d: %s", response.StatusCode, &log)
		}
	})
}

// checkRefusal sends request to a handler with store and checks the error that the client gets.
func checkRefusal(t *testing.T, store fakeProfiles, request events.APIGatewayProxyRequest, status int, code, message string) errorBody {
	t.Helper()
	response, err := newHandler(store, new(bytes.Buffer)).Handle(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var body errorBody
	decoder := json.NewDecoder(strings.NewReader(response.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Fatalf("%v: %s", err, response.Body)
	}
	if response.StatusCode != status || body.Error.Code != code || !strings.Contains(body.Error.Message, message) {
		t.Errorf("%s %s: %d %s %q, want %d %s %q", request.HTTPMethod, request.Resource, response.StatusCode, body.Error.Code, body.Error.Message, status, code, message)
	}
	if !strings.HasSuffix(body.Error.Message, ".") {
		t.Errorf("message %q is no sentence", body.Error.Message)
	}
	if body.Error.RequestID != request.RequestContext.RequestID || body.Error.RequestID == "" {
		t.Errorf("request id %q, want %q", body.Error.RequestID, request.RequestContext.RequestID)
	}
	if response.Headers["Content-Type"] != "application/json" || response.Headers["Cache-Control"] != "no-store" {
		t.Errorf("headers %v, want JSON that is not stored", response.Headers)
	}
	return body
}
