package rest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/rest"
)

const maxBody = 256 << 10 // the documented limit, in bytes

// A quarry is a service with a route of each kind. A nil handler must not be called.
type quarry struct {
	list   func(ctx context.Context, in *listStones) (*stones, error)
	cut    func(ctx context.Context, in *cutStone) (*stone, error)
	remove func(ctx context.Context, in *removeStone) (*struct{}, error)
}

type listStones struct {
	Cursor string `query:"cursor" maxLength:"10"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

type stones struct {
	Body struct {
		Stones []string `json:"stones"`
	}
}

type cutStone struct {
	Key  string `header:"Idempotency-Key" pattern:"^[!-~]{1,8}$"`
	Body struct {
		Name    string   `json:"name" minLength:"1" maxLength:"5"`
		Weight  int      `json:"weight,omitempty" minimum:"1" maximum:"9"`
		Faces   []string `json:"faces,omitempty" maxItems:"2"`
		Quality string   `json:"quality,omitempty" enum:"fine,coarse"`
		Origin  *struct {
			Place string `json:"place"`
		} `json:"origin,omitempty"`
	}
}

type stone struct {
	Body struct {
		Name string `json:"name"`
	}
}

type removeStone struct {
	ID string `path:"stoneId" format:"uuid"`
}

var errGone = domain.NewError(domain.NotFound, "not_found", "There is no such stone.")

func (q quarry) List(ctx context.Context, in *listStones) (*stones, error) {
	return q.list(ctx, in)
}
func (q quarry) Cut(ctx context.Context, in *cutStone) (*stone, error) { return q.cut(ctx, in) }
func (q quarry) Remove(ctx context.Context, in *removeStone) (*struct{}, error) {
	return q.remove(ctx, in)
}

var routes = rest.Table[quarry]{
	rest.Handle("GET", "/stones", rest.Public, "List stones", quarry.List).WithThrottle(7, 9),
	rest.Handle("POST", "/stones", rest.Authenticated, "Cut a stone", quarry.Cut),
	rest.Handle("DELETE", "/stones/{stoneId}", rest.Authenticated, "Remove a stone", quarry.Remove),
}

func handle(
	t testing.TB, q quarry, request events.APIGatewayProxyRequest,
) events.APIGatewayProxyResponse {
	t.Helper()
	return handleLogged(t, q, request, new(bytes.Buffer))
}

func handleLogged(
	t testing.TB, q quarry, request events.APIGatewayProxyRequest, log *bytes.Buffer,
) events.APIGatewayProxyResponse {
	t.Helper()
	settings := rest.Settings{
		AllowedOrigins: []string{"https://admin.example.com", resttest.Origin},
		ClientIDs:      []string{"other", resttest.ClientID},
	}
	response, err := rest.NewHandler(routes, q, settings,
		slog.New(slog.NewJSONHandler(log, nil))).Handle(t.Context(), request)
	if err != nil {
		t.Fatalf("error %v; the client would get the gateway's 502", err)
	}
	return response
}

func cut(body string) resttest.Request {
	return resttest.Request{Route: "POST /stones", Subject: resttest.Subject, Body: body}
}

// cutting returns a quarry whose cut always succeeds.
func cutting() quarry {
	return quarry{cut: func(_ context.Context, in *cutStone) (*stone, error) {
		out := &stone{}
		out.Body.Name = in.Body.Name
		return out, nil
	}}
}

func TestHandler_Handle_success(t *testing.T) {
	var cutIn cutStone
	var listIn listStones
	var removeIn removeStone
	q := quarry{
		list: func(_ context.Context, in *listStones) (*stones, error) {
			listIn = *in
			out := &stones{}
			out.Body.Stones = []string{"<granite>"}
			return out, nil
		},
		cut: func(_ context.Context, in *cutStone) (*stone, error) {
			cutIn = *in
			return cutting().cut(t.Context(), in)
		},
		remove: func(_ context.Context, in *removeStone) (*struct{}, error) {
			removeIn = *in
			return nil, nil
		},
	}
	headers := map[string]string{
		"Content-Type":                  "application/json",
		"Cache-Control":                 "no-store",
		"Vary":                          "Origin",
		"Access-Control-Allow-Origin":   resttest.Origin,
		"Access-Control-Expose-Headers": "Retry-After",
	}
	check := func(request resttest.Request, want events.APIGatewayProxyResponse) {
		t.Helper()
		var log bytes.Buffer
		if diff := cmp.Diff(want, handleLogged(t, q, request.Event(t), &log)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", request.Route, diff)
		}
		if log.Len() > 0 {
			t.Errorf("a success logged %s", &log)
		}
	}
	check(resttest.Request{
		Route: "GET /stones", Query: map[string]string{"cursor": "c", "limit": "7"},
	},
		events.APIGatewayProxyResponse{
			StatusCode: 200, Headers: headers, Body: `{"stones":["<granite>"]}`,
		})
	if listIn.Cursor != "c" || listIn.Limit != 7 {
		t.Errorf("the handler got %+v", listIn)
	}
	request := cut(
		`{"name":"Ada","weight":3,"faces":["a"],"quality":"fine","origin":{"place":"Bath"}}`)
	request.Headers = map[string]string{"idempotency-KEY": "once"}
	check(request,
		events.APIGatewayProxyResponse{StatusCode: 201, Headers: headers, Body: `{"name":"Ada"}`})
	if cutIn.Key != "once" || cutIn.Body.Name != "Ada" || cutIn.Body.Weight != 3 ||
		len(cutIn.Body.Faces) != 1 || cutIn.Body.Origin.Place != "Bath" {
		t.Errorf("the handler got %+v", cutIn)
	}
	delete(headers, "Content-Type") // there is no body
	id := "00000000-0000-7000-8000-000000000001"
	check(resttest.Request{
		Route: "DELETE /stones/{stoneId}", Path: map[string]string{"stoneId": id},
		Subject: resttest.Subject,
	},
		events.APIGatewayProxyResponse{StatusCode: 204, Headers: headers})
	if removeIn.ID != id {
		t.Errorf("the handler got %+v", removeIn)
	}
}

func TestHandler_Handle_applies_defaults_of_parameters(t *testing.T) {
	for _, query := range []map[string]string{nil, {"limit": "", "cursor": ""}, {"unknown": "x"}} {
		var got listStones
		q := quarry{list: func(_ context.Context, in *listStones) (*stones, error) {
			got = *in
			return &stones{}, nil
		}}
		response := handle(t, q, resttest.Request{Route: "GET /stones", Query: query}.Event(t))
		if response.StatusCode != 200 {
			t.Errorf("%v: status %d: %s", query, response.StatusCode, response.Body)
		}
		if (got != listStones{Limit: 20}) {
			t.Errorf("%v: the handler got %+v", query, got)
		}
	}
}

func TestHandler_Handle_compares_media_types_case_insensitively(t *testing.T) {
	request := cut(`{"name":"Ada"}`)
	for _, contentType := range []string{
		"application/json", "Application/JSON", "application/json; charset=UTF-8",
	} {
		request.Headers = map[string]string{"Content-Type": contentType}
		if response := handle(t, cutting(), request.Event(t)); response.StatusCode != 201 {
			t.Errorf("%s: status %d: %s", contentType, response.StatusCode, response.Body)
		}
	}
}

func TestHandler_Handle_ignores_Accept(t *testing.T) {
	request := cut(`{"name":"Ada"}`)
	for _, accept := range []string{"text/html", "a;,b", "text/html;q,*/*", "application/cbor"} {
		request.Headers = map[string]string{"Accept": accept}
		response := handle(t, cutting(), request.Event(t))
		if response.StatusCode != 201 || response.Headers["Content-Type"] != "application/json" {
			t.Errorf("%s: status %d of type %s: %s", accept, response.StatusCode,
				response.Headers["Content-Type"], response.Body)
		}
	}
}

func TestHandler_Handle_decodes_base64(t *testing.T) {
	request := cut(base64.StdEncoding.EncodeToString([]byte(` {"name" : "\u0041da" } `))).Event(t)
	request.IsBase64Encoded = true
	got := resttest.Body[struct{ Name string }](t, handle(t, cutting(), request), 201)
	if got.Name != "Ada" {
		t.Errorf("name %q, want Ada", got.Name)
	}
}

func TestHandler_Handle_rejects_invalid_requests(t *testing.T) {
	tests := map[string]struct {
		request resttest.Request
		status  int
		code    string
		field   string
		message string
	}{
		"no body":    {cut(``), 400, "invalid_request", "body", "body is required"},
		"only space": {cut(" \n"), 400, "invalid_request", "body", "not valid JSON"},
		"cut short": {
			cut(`{"name":"Ada"`), 400, "invalid_request", "body", "not valid JSON",
		},
		"trailing data": {
			cut(`{"name":"Ada"}{}`), 400, "invalid_request", "body", "not valid JSON",
		},
		"a form": {
			cut(`name=Ada`), 400, "invalid_request", "body", "not valid JSON",
		},
		"not UTF-8": {
			cut("{\"name\":\"Ad\xe4\"}"), 400, "invalid_request", "body", "UTF-8",
		},
		"byte order mark": {
			cut("\ufeff" + `{"name":"Ada"}`), 400, "invalid_request", "body", "not valid JSON",
		},
		"too deep": {
			cut(strings.Repeat("[", maxBody)), 400, "invalid_request", "body", "not valid JSON",
		},
		"a list": {
			cut(`[{"name":"Ada"}]`), 400, "invalid_request", "body", "expected object",
		},
		"a string": {cut(`"Ada"`), 400, "invalid_request", "body", "expected object"},
		"null":     {cut(`null`), 400, "invalid_request", "body", "expected object"},
		"unknown field": {
			cut(`{"name":"Ada","admin":true}`), 400, "invalid_request", "admin",
			"unexpected property",
		},
		"field in Go's case": {
			cut(`{"Name":"Ada"}`), 400, "invalid_request", "Name", "unexpected property",
		},
		"duplicate field": {
			cut(`{"name":"Ada","name":"Eve"}`), 400, "invalid_request", "body",
			`duplicate field "name"; send it once`,
		},
		"duplicate by escape": {
			cut(`{"name":"Ada","\u006eame":"Eve"}`), 400, "invalid_request", "body",
			`duplicate field "name"`,
		},
		"duplicate in an object": {
			cut(`{"name":"Ada","faces":["name"],"origin":{"place":"a","place":"b"}}`), 400,
			"invalid_request", "body", `duplicate field "place"`,
		},
		"unknown in an object": {
			cut(`{"name":"Ada","origin":{"place":"a","x":1}}`), 400, "invalid_request", "origin.x",
			"unexpected property",
		},
		"wrong type": {
			cut(`{"name":7}`), 400, "invalid_request", "name", "expected string",
		},
		"null field": {
			cut(`{"name":null}`), 400, "invalid_request", "name", "expected string",
		},
		"missing field": {cut(`{}`), 400, "invalid_request", "body", "name to be present"},
		"too long": {
			cut(`{"name":"äöüäöü"}`), 400, "invalid_request", "name", "length <= 5",
		},
		"too small": {
			cut(`{"name":"Ada","weight":-1}`), 400, "invalid_request", "weight", ">= 1",
		},
		"too many": {
			cut(`{"name":"Ada","faces":["a","b","c"]}`), 400, "invalid_request", "faces",
			"length <= 2",
		},
		"not in the enum": {
			cut(`{"name":"Ada","quality":"bad"}`), 400, "invalid_request", "quality", "one of",
		},
		"too large by one": {
			cut(`{"name":"` + strings.Repeat("a", maxBody-10) + `"}`), 413, "body_too_large", "",
			"262144 bytes",
		},
		"limit not a number": {
			resttest.Request{Route: "GET /stones", Query: map[string]string{"limit": "1 OR 1=1"}},
			400, "invalid_request", "limit", "integer",
		},
		"limit of zero": {
			resttest.Request{Route: "GET /stones", Query: map[string]string{"limit": "0"}}, 400,
			"invalid_request", "limit", ">= 1",
		},
		"limit too large": {
			resttest.Request{Route: "GET /stones", Query: map[string]string{"limit": "101"}}, 400,
			"invalid_request", "limit", "<= 100",
		},
		"cursor too long": {resttest.Request{
			Route: "GET /stones", Query: map[string]string{"cursor": "01234567890"},
		}, 400, "invalid_request", "cursor", "length <= 10"},
		"id not a UUID": {resttest.Request{
			Route: "DELETE /stones/{stoneId}", Path: map[string]string{"stoneId": "1' OR '1"},
			Subject: resttest.Subject,
		}, 400, "invalid_request", "stoneId", "uuid"},
		"another resource": {
			resttest.Request{Route: "GET /pebbles"}, 404, "not_found", "", "does not exist",
		},
		"another method": {
			resttest.Request{Route: "PATCH /stones"}, 405, "method_not_allowed", "", "GET or POST",
		},
	}
	form := cut(`name=Ada`)
	form.Headers = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	tests["a form with its media type"] = struct {
		request resttest.Request
		status  int
		code    string
		field   string
		message string
	}{form, 415, "unsupported_media_type", "", "application/json"}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plain := test.request.Event(t)
			encoded := plain
			encoded.Body = base64.StdEncoding.EncodeToString([]byte(plain.Body))
			encoded.IsBase64Encoded = true
			for _, request := range []events.APIGatewayProxyRequest{plain, encoded} {
				refused := resttest.ErrorOf(t, handle(t, quarry{}, request), test.status, test.code)
				if !strings.Contains(refused.Message, test.message) {
					t.Errorf("message %q, want %q in it", refused.Message, test.message)
				}
				named := false
				for _, field := range refused.Fields {
					named = named || field.Field == test.field
				}
				if named != (test.field != "") {
					t.Errorf("fields %+v, want %q", refused.Fields, test.field)
				}
			}
		})
	}
}

func TestHandler_Handle_reports_all_problems(t *testing.T) {
	refused := resttest.ErrorOf(t, handle(t, quarry{}, cut(`{"weight":0,"x":1}`).Event(t)), 400,
		"invalid_request")
	fields := map[string]bool{}
	for _, field := range refused.Fields {
		fields[field.Field] = true
	}
	if diff := cmp.Diff([]string{"body", "weight", "x"},
		slices.Sorted(maps.Keys(fields))); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestHandler_Handle_never_repeats_user_input(t *testing.T) {
	for _, body := range []string{
		`{"name":"hunter2hunter2"}`, `{"name":["hunter2"]}`, `{"name":"hunter2"`,
		`{"name":"Ada","quality":"hunter2"}`,
	} {
		var log bytes.Buffer
		response := handleLogged(t, quarry{}, cut(body).Event(t), &log)
		if response.StatusCode != 400 || strings.Contains(response.Body+log.String(), "hunter2") {
			t.Errorf("%s: response %d %s, log %s", body, response.StatusCode, response.Body, &log)
		}
	}
}

func TestHandler_Handle_rejects_invalid_base64(t *testing.T) {
	request := cut("{}").Event(t)
	request.IsBase64Encoded = true
	refused := resttest.ErrorOf(t, handle(t, quarry{}, request), 400, "invalid_request")
	if !strings.Contains(refused.Message, "base64") {
		t.Errorf("message %q", refused.Message)
	}
}

func TestHandler_Handle_accepts_the_largest_body(t *testing.T) {
	body := `{"name":"Ada"}`
	body += strings.Repeat(" ", maxBody-len(body))
	if response := handle(t, cutting(), cut(body).Event(t)); response.StatusCode != 201 {
		t.Errorf("status %d, want 201: %s", response.StatusCode, response.Body)
	}
}

func TestHandler_Handle_rejects_a_large_body_without_a_copy(t *testing.T) {
	request := cut(strings.Repeat("a", 4<<20)).Event(t)
	h := rest.NewHandler(routes, quarry{}, rest.Settings{ClientIDs: []string{resttest.ClientID}},
		slog.New(slog.DiscardHandler))
	for _, request.IsBase64Encoded = range []bool{false, true} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		response, _ := h.Handle(t.Context(), request)
		runtime.ReadMemStats(&after)
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > maxBody ||
			response.StatusCode != 413 {
			t.Errorf("status %d, %d bytes allocated (base64: %t), want no copy of the body",
				response.StatusCode, bytes, request.IsBase64Encoded)
		}
	}
}

func TestCaller_is_from_the_claims(t *testing.T) {
	idToken := cut(`{"name":"Ada"}`).Event(t)
	idToken.Headers["sub"] = "another-user"
	idToken.QueryStringParameters = map[string]string{"sub": "another-user"}
	idToken.RequestContext.Authorizer["sub"] = "another-user"
	idToken.RequestContext.Authorizer["principalId"] = "another-user"
	accessToken := cut(`{"name":"Ada"}`).Event(t)
	accessToken.RequestContext.Authorizer = map[string]any{"claims": map[string]any{
		"token_use": "access", "client_id": resttest.ClientID, "sub": resttest.Subject,
		"username": resttest.Username(resttest.Subject),
	}}
	for _, request := range []events.APIGatewayProxyRequest{idToken, accessToken} {
		var caller rest.Claims
		q := quarry{cut: func(ctx context.Context, _ *cutStone) (*stone, error) {
			caller = rest.Caller(ctx)
			return &stone{}, nil
		}}
		if response := handle(t, q, request); response.StatusCode != 201 {
			t.Errorf("status %d, want 201: %s", response.StatusCode, response.Body)
		}
		if (caller != rest.Claims{
			Subject: resttest.Subject, Username: resttest.Username(resttest.Subject),
		}) {
			t.Errorf("caller %+v, want the claims'", caller)
		}
	}
}

func TestHandler_Handle_rejects_invalid_claims(t *testing.T) {
	claims := func(change func(map[string]any)) map[string]any {
		claims, _ := cut("").Event(t).RequestContext.Authorizer["claims"].(map[string]any)
		change(claims)
		return map[string]any{"claims": claims}
	}
	set := func(name string, value any) map[string]any {
		return claims(func(claims map[string]any) { claims[name] = value })
	}
	tests := map[string]map[string]any{
		"no authorizer":     nil,
		"no claims":         {},
		"null claims":       {"claims": nil},
		"claims are text":   {"claims": `{"sub":"` + resttest.Subject + `"}`},
		"claims are a list": {"claims": []any{map[string]any{"sub": resttest.Subject}}},
		"claims elsewhere": {
			"sub": resttest.Subject, "principalId": resttest.Subject, "token_use": "id",
			"aud": resttest.ClientID,
		},
		"no sub":           claims(func(claims map[string]any) { delete(claims, "sub") }),
		"null sub":         set("sub", nil),
		"empty sub":        set("sub", ""),
		"sub is a number":  set("sub", 7.0),
		"sub is a list":    set("sub", []any{resttest.Subject}),
		"sub with a space": set("sub", resttest.Subject+" "),
		"sub too long":     set("sub", strings.Repeat("a", 129)),
		"sub in other case": claims(
			func(claims map[string]any) { claims["Sub"] = claims["sub"]; delete(claims, "sub") }),
		"no user name": claims(func(claims map[string]any) {
			delete(claims, "cognito:username")
		}),
		"no token_use":      claims(func(claims map[string]any) { delete(claims, "token_use") }),
		"a refresh token":   set("token_use", "refresh"),
		"another client":    set("aud", "stranger"),
		"no client":         claims(func(claims map[string]any) { delete(claims, "aud") }),
		"clients in a list": set("aud", []any{resttest.ClientID}),
		"access by aud":     set("token_use", "access"), // an access token's client is in client_id
		"id by client_id": claims(func(claims map[string]any) {
			claims["client_id"] = claims["aud"]
			delete(claims, "aud")
		}),
	}
	for name, authorizer := range tests {
		t.Run(name, func(t *testing.T) {
			for _, request := range []resttest.Request{
				cut(`{"name":"Ada"}`),
				{Route: "DELETE /stones/{stoneId}", Subject: resttest.Subject},
			} {
				event := request.Event(t)
				event.RequestContext.Authorizer = authorizer
				resttest.ErrorOf(t, handle(t, quarry{}, event), 401, "unauthenticated")
			}
		})
	}
}

func TestHandler_Handle_maps_errors(t *testing.T) {
	const inner = "SELECT id FROM stones; dial tcp db.internal:3306; password hunter2"
	failing := func(err error) quarry {
		return quarry{cut: func(context.Context, *cutStone) (*stone, error) { return nil, err }}
	}
	tests := map[string]struct {
		quarry  quarry
		status  int
		code    string
		message string
		log     map[string]any
	}{
		"the domain's": {
			failing(fmt.Errorf("cut: %w: %s", errGone, inner)), 404, "not_found", "no such stone",
			map[string]any{"level": "INFO", "status": 404.0, "code": "not_found"},
		},
		"a conflict": {
			failing(fmt.Errorf("cut: %w: %s",
				domain.NewError(domain.Conflict, "taken", "Choose another stone."), inner)),
			409, "taken", "Choose another stone.",
			map[string]any{"level": "INFO", "status": 409.0, "code": "taken"},
		},
		"forbidden": {failing(fmt.Errorf(
			"cut: %w: %s", domain.NewError(domain.Forbidden, "closed", "Please sign out."), inner,
		)), 403, "closed", "sign out",
			map[string]any{"level": "INFO", "status": 403.0, "code": "closed"}},
		"of no kind": {
			failing(&domain.Error{Code: "odd", Message: "Odd."}), 500, "odd", "Odd.",
			map[string]any{"level": "ERROR", "status": 500.0, "code": "odd", "error": "odd: Odd."},
		},
		"temporary failure": {
			failing(fmt.Errorf("cut: %w: %s", retry.ErrUnavailable, inner)), 503, "unavailable",
			"Try again in 5 seconds",
			map[string]any{
				"level": "ERROR", "status": 503.0, "code": "unavailable", "error": inner,
			},
		},
		"the API's own": {
			failing(
				fmt.Errorf("cut: %w: %s", rest.NewError(410, "expired", "Start again."), inner)),
			410, "expired", "Start again.",
			map[string]any{"level": "INFO", "status": 410.0, "code": "expired"},
		},
		"several problems": {
			failing(&validate.Error{Problems: []validate.Problem{
				{Field: "name", Problem: "is taken"}, {Field: "weight", Problem: "is odd"},
			}}),
			400, "invalid_request", "name is taken. weight is odd.",
			map[string]any{"level": "INFO", "status": 400.0, "code": "invalid_request"},
		},
		"temporary failure of another module": {
			failing(fmt.Errorf("cut: %w: %s", rest.ErrUnavailable, inner)), 503, "unavailable",
			"Try again in 5 seconds",
			map[string]any{
				"level": "ERROR", "status": 503.0, "code": "unavailable", "error": inner,
			},
		},
		"the handler's own": {
			failing(rest.Invalid(rest.Field{Name: "name", Problem: "is taken"})), 400,
			"invalid_request", "name is taken.",
			map[string]any{"level": "INFO", "status": 400.0, "code": "invalid_request"},
		},
		"out of time": {
			failing(fmt.Errorf("cut: %w: %s", context.DeadlineExceeded, inner)), 503, "unavailable",
			"Try again in 5 seconds",
			map[string]any{
				"level": "ERROR", "status": 503.0, "code": "unavailable", "error": inner,
			},
		},
		"unexpected": {
			failing(errors.New(inner)), 500, "internal", "request ID",
			map[string]any{"level": "ERROR", "status": 500.0, "code": "internal", "error": inner},
		},
		"panic": {
			quarry{cut: func(context.Context, *cutStone) (*stone, error) { panic(inner) }}, 500,
			"internal", "request ID",
			map[string]any{"level": "ERROR", "status": 500.0, "code": "internal", "error": inner},
		},
		"nil handler": {quarry{}, 500, "internal", "request ID", map[string]any{
			"level": "ERROR", "status": 500.0, "code": "internal", "error": "nil pointer",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			response := handleLogged(t, test.quarry, cut(`{"name":"Ada"}`).Event(t), &log)
			refused := resttest.ErrorOf(t, response, test.status, test.code)
			if !strings.Contains(refused.Message, test.message) {
				t.Errorf("message %q, want %q in it", refused.Message, test.message)
			}
			if strings.Contains(response.Body, "SELECT") ||
				strings.Contains(response.Body, "hunter2") ||
				strings.Contains(response.Body, "db.internal") {
				t.Errorf("the response contains internal details: %s", response.Body)
			}
			retryAfter, ok := response.Headers["Retry-After"]
			if ok != (test.status == 503) || ok && retryAfter != "5" {
				t.Errorf("Retry-After %q with status %d, want 5 with 503 only", retryAfter,
					test.status)
			}
			var line map[string]any
			// also if there are two lines
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("%v: %s", err, &log)
			}
			if line["route"] != "POST /stones" || line["apiRequestId"] != resttest.RequestID {
				t.Errorf("log %v, want the route and the request", line)
			}
			for name, want := range test.log {
				if text, ok := want.(string); ok &&
					!strings.Contains(fmt.Sprint(line[name]), text) || !ok && line[name] != want {
					t.Errorf("%s in the log is %v, want %v", name, line[name], want)
				}
			}
			if _, ok := line["error"]; ok != (test.log["error"] != nil) {
				t.Errorf("log %v; only internal errors are logged", line)
			}
		})
	}
}

func TestHandler_Handle_keeps_a_margin_before_the_deadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(10*time.Second))
	defer cancel()
	var left time.Duration
	q := quarry{cut: func(ctx context.Context, _ *cutStone) (*stone, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return &stone{}, nil
	}}
	settings := rest.Settings{ClientIDs: []string{resttest.ClientID}}
	if _, err := rest.NewHandler(routes, q, settings,
		slog.New(slog.DiscardHandler)).Handle(ctx, cut(`{"name":"Ada"}`).Event(t)); err != nil {
		t.Fatal(err)
	}
	if left < 8*time.Second || left > 9*time.Second {
		t.Errorf("the handler has %s of the function's 10 s, want 9 s", left)
	}
}

func TestHandler_Handle_allows_only_configured_origins(t *testing.T) {
	for origin, want := range map[string]string{
		resttest.Origin: resttest.Origin, "https://evil.example.com": "", "": "",
		"https://app.example.com.evil.example": "",
	} {
		for _, q := range []quarry{cutting(), {}} { // a success and an error
			request := cut(`{"name":"Ada"}`).Event(t)
			request.Headers["origin"] = origin
			if got := handle(t, q, request).Headers["Access-Control-Allow-Origin"]; got != want {
				t.Errorf("origin %q: allowed is %q", origin, got)
			}
		}
	}
}

func TestNewHandler_panics_without_clients(t *testing.T) {
	defer func() {
		const want = "rest: POST /stones needs a token, but Settings.ClientIDs is empty; " +
			"set CLIENT_IDS, or declare the route Public"
		if reason := fmt.Sprint(recover()); reason != want {
			t.Errorf("panic %s, want %s", reason, want)
		}
	}()
	rest.NewHandler(routes, quarry{}, rest.Settings{}, slog.Default())
}

func TestTable_Operations(t *testing.T) {
	want := []rest.Operation{
		{
			Method: "GET", Path: "/stones", Access: rest.Public, Query: []string{"cursor", "limit"},
			RateLimit: 7, BurstLimit: 9,
		},
		{
			Method: "POST", Path: "/stones", Access: rest.Authenticated,
			Headers: []string{"Idempotency-Key"},
		},
		{Method: "DELETE", Path: "/stones/{stoneId}", Access: rest.Authenticated},
	}
	got := routes.Operations()
	body, err := json.Marshal(got[1].Body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Body = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	const schema = `{"additionalProperties":false,"properties":{` +
		`"faces":{"items":{"type":"string"},"maxItems":2,"type":["array","null"]},` +
		`"name":{"maxLength":5,"minLength":1,"type":"string"},` +
		`"origin":{"additionalProperties":false,"properties":{"place":{"type":"string"}},` +
		`"required":["place"],"type":"object"},` +
		`"quality":{"enum":["fine","coarse"],"type":"string"},` +
		`"weight":{"maximum":9,"minimum":1,"type":"integer"}},"required":["name"],"type":"object"}`
	if string(body) != schema {
		t.Errorf("schema\n%s\nwant\n%s", body, schema)
	}
}

type (
	tree struct {
		Body struct {
			Root branch `json:"root"`
		}
	}
	branch struct {
		Branches []branch `json:"branches"`
	}
	named struct {
		Body struct {
			Names map[string]string `json:"names"`
		}
	}
	required struct {
		Name string `query:"name" required:"true"`
	}
)

func take[T any](quarry, context.Context, *T) (*struct{}, error) { return nil, nil }

func TestTable_Operations_panics_on_unsupported_routes(t *testing.T) {
	for want, mistake := range map[string]func(){
		"type #/components/schemas/Branch is recursive": func() {
			operations(rest.Handle("PUT", "/a", rest.Public, "", take[tree]))
		},
		"schema of a request is not supported": func() {
			operations(rest.Handle("PUT", "/a", rest.Public, "", take[named]))
		},
		"the path has no parameter {stoneId}; add it": func() {
			operations(rest.Handle("GET", "/a/{id}", rest.Public, "", take[removeStone]))
		},
		"name is required": func() {
			operations(rest.Handle("GET", "/a", rest.Public, "", take[required]))
		},
		`access is "everybody"`: func() {
			rest.Handle("GET", "/a", "everybody", "", take[struct{}])
		},
		`get /a: the method is "get"; pass one of DELETE, GET, HEAD, PATCH, POST, PUT`: func() {
			rest.Handle("get", "/a", rest.Public, "", take[struct{}])
		},
		`the path is "a"; pass one that begins with /`: func() {
			rest.Handle("GET", "a", rest.Public, "", take[struct{}])
		},
		"GET /a: errorPage is required": func() {
			rest.HandleHTML("GET", "/a", "", func(
				quarry, context.Context, *struct{},
			) (rest.HTML, error) {
				return rest.HTML{}, nil
			}, nil)
		},
		"GET /a is in the table twice; remove one": func() {
			route := rest.Handle("GET", "/a", rest.Public, "", take[struct{}])
			rest.Table[quarry]{route, route}.Operations()
		},
	} {
		func() {
			defer func() {
				if reason := fmt.Sprint(recover()); !strings.Contains(reason, want) {
					t.Errorf("panic %s, want %q in it", reason, want)
				}
			}()
			mistake()
		}()
	}
}

func operations(route rest.Route[quarry]) { rest.Table[quarry]{route}.Operations() }

func TestDocument_JSON(t *testing.T) {
	document := rest.NewDocument("Quarry", "v1", "Stones.")
	rest.Add(document, routes)
	var got struct {
		Paths map[string]map[string]struct {
			Security    []map[string]any
			Responses   map[string]any
			OperationID string `json:"operationId"`
		}
		Components struct {
			Schemas map[string]struct {
				Properties           map[string]any
				AdditionalProperties any
			}
		}
	}
	if err := json.Unmarshal(document.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Paths["/stones"]["get"].Security != nil || got.Paths["/stones"]["post"].Security == nil {
		t.Errorf("%+v, want GET public and POST not", got.Paths["/stones"])
	}
	for status, operation := range map[string]string{"200": "get", "201": "post"} {
		responses := got.Paths["/stones"][operation].Responses
		if responses[status] == nil || responses["default"] == nil {
			t.Errorf("%s has the responses %v, want %s and default", operation,
				slices.Sorted(maps.Keys(responses)), status)
		}
	}
	for name, want := range map[string]any{
		"CutStoneBody": false, "OriginStruct": false, "StonesBody": nil, "ErrorBody": nil,
		"Error": nil,
	} {
		schema, ok := got.Components.Schemas[name]
		if !ok || schema.AdditionalProperties != want {
			t.Errorf("%s (%t) may have more properties: %v, want %v; there are %v", name, ok,
				schema.AdditionalProperties, want, slices.Sorted(maps.Keys(got.Components.Schemas)))
		}
	}
	if got.Components.Schemas["ErrorBody"].Properties["error"] == nil {
		t.Errorf("schemas %v, want the shape of errors",
			slices.Sorted(maps.Keys(got.Components.Schemas)))
	}
}

func FuzzBody(f *testing.F) {
	f.Add(`{"name":"Ada","weight":3,"faces":["a"],"quality":"fine","origin":{"place":"Bath"}}`)
	f.Add(`{"name":"Ada","name":"Eve"}`)
	f.Add(`[[[{"a":[{"a":1,"a":2}]}]]]`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, body string) {
		response := handle(t, cutting(), cut(body).Event(t))
		if response.StatusCode != 201 {
			if response.StatusCode != 400 && response.StatusCode != 413 {
				t.Errorf("status %d: %s", response.StatusCode, response.Body)
			}
			return
		}
		var sent, got map[string]any
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatalf("%q was accepted: %v", body, err)
		}
		if err := json.Unmarshal([]byte(response.Body), &got); err != nil ||
			got["name"] != sent["name"] {
			t.Errorf("%q was parsed as %q (%v)", body, response.Body, err)
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add("00000000-0000-7000-8000-000000000001", "cursor", "7", "key", "*/*",
		"application/json; charset=utf-8")
	f.Add("1' OR '1", "\xff", "1e3", "a b", "a;,b", ";")
	f.Add("", "", "", "", "text/html;q,*/*", "Application/JSON")
	f.Fuzz(func(t *testing.T, id, cursor, limit, key, accept, contentType string) {
		q := cutting()
		q.list = func(_ context.Context, in *listStones) (*stones, error) {
			if in.Limit < 1 || in.Limit > 100 || in.Cursor != cursor {
				t.Errorf("the query %q, %q is %+v", cursor, limit, in)
			}
			return &stones{}, nil
		}
		q.remove = func(_ context.Context, in *removeStone) (*struct{}, error) {
			if in.ID != id {
				t.Errorf("the id %q is %q", id, in.ID)
			}
			return nil, nil
		}
		keyed := cut(`{"name":"Ada"}`)
		keyed.Headers = map[string]string{
			"Idempotency-Key": key, "Accept": accept, "Content-Type": contentType,
		}
		for _, request := range []resttest.Request{
			{Route: "GET /stones", Query: map[string]string{"cursor": cursor, "limit": limit}},
			{
				Route: "DELETE /stones/{stoneId}", Path: map[string]string{"stoneId": id},
				Subject: resttest.Subject,
			},
			keyed,
		} {
			if response := handle(t, q, request.Event(t)); response.StatusCode >= 300 &&
				response.StatusCode != 400 && response.StatusCode != 415 {
				t.Errorf("%s: status %d: %s", request.Route, response.StatusCode, response.Body)
			}
		}
	})
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"claims":{"sub":"` + resttest.Subject + `","token_use":"id","aud":"` +
		resttest.ClientID + `","cognito:username":"ada"}}`)
	f.Add(`{"claims":{"sub":"a\u0000","token_use":"access","client_id":"` + resttest.ClientID +
		`","username":"ada"}}`)
	f.Add(`{"claims":[]}`)
	f.Fuzz(func(t *testing.T, authorizer string) {
		request := cut(`{"name":"Ada"}`).Event(t)
		request.RequestContext.Authorizer = nil
		if json.Unmarshal([]byte(authorizer), &request.RequestContext.Authorizer) != nil {
			return // API Gateway sends JSON
		}
		q := quarry{cut: func(ctx context.Context, _ *cutStone) (*stone, error) {
			claims, _ := request.RequestContext.Authorizer["claims"].(map[string]any)
			if caller := rest.Caller(ctx); caller.Subject != claims["sub"] ||
				caller.Subject == "" ||
				claims["aud"] != resttest.ClientID && claims["client_id"] != resttest.ClientID {
				t.Errorf("%s is %+v", authorizer, caller)
			}
			return &stone{}, nil
		}}
		if response := handle(t, q, request); response.StatusCode != 201 &&
			response.StatusCode != 401 {
			t.Errorf("status %d: %s", response.StatusCode, response.Body)
		}
	})
}
