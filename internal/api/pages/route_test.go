package pages_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/api/pages"
	"github.com/ashlar-cdk/ashlar/internal/domain"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/rest"
)

// A gate is a service with page routes and a JSON route.
type gate struct {
	answer func(ctx context.Context, way string) (pages.Page, error)
}

type way struct {
	Way string `path:"way"`
}

func (g gate) Show(ctx context.Context, in *way) (pages.Page, error) {
	return g.answer(ctx, in.Way)
}
func (g gate) Close(ctx context.Context, in *way) (*struct{}, error) {
	_, err := g.answer(ctx, in.Way)
	return nil, err
}

var gates = rest.Table[gate]{
	pages.Handle("GET", "/gates/{way}", "Show a gate", gate.Show),
	pages.Handle("POST", "/gates/{way}", "Open a gate", gate.Show),
	rest.Handle("DELETE", "/gates/{way}", rest.Public, "Close a gate", gate.Close),
}

func showLogged(
	t testing.TB, g gate, request events.APIGatewayProxyRequest, log *bytes.Buffer,
) events.APIGatewayProxyResponse {
	t.Helper()
	response, err := rest.NewHandler(gates, g, rest.Settings{},
		slog.New(slog.NewJSONHandler(log, nil))).Handle(t.Context(), request)
	if err != nil {
		t.Fatalf("error %v; the client would get the gateway's 502", err)
	}
	return response
}

func atGate(method string) resttest.Request {
	return resttest.Request{
		Route: method + " /gates/{way}", Path: map[string]string{"way": "south"},
	}
}

func TestHandle(t *testing.T) {
	shown := pages.Page{Language: "ko", Title: "남문", Text: "열까요?", Button: "열기"}
	headers := pages.Headers()
	maps.Copy(headers, map[string]string{"Cache-Control": "no-store", "Vary": "Origin"})
	for _, method := range []string{"GET", "POST"} {
		for status, want := range map[int]int{0: 200, 404: 404} {
			g := gate{answer: func(_ context.Context, way string) (pages.Page, error) {
				if way != "south" {
					t.Errorf("the handler got %q", way)
				}
				shown.Status = status
				return shown, nil
			}}
			var log bytes.Buffer
			response := showLogged(t, g, atGate(method).Event(t), &log)
			if diff := cmp.Diff(events.APIGatewayProxyResponse{
				StatusCode: want, Headers: headers, Body: strings.TrimSpace(shown.HTML()),
			}, response); diff != "" {
				t.Errorf("%s (-want +got):\n%s", method, diff)
			}
			if log.Len() > 0 {
				t.Errorf("a page logged %s", &log)
			}
		}
	}
}

func TestHandle_maps_errors_to_pages(t *testing.T) {
	const inner = "SELECT hunter2 FROM db.internal"
	errClosed := &pages.Error{
		Response: rest.NewError(410, "closed", "The gate is closed."),
		Page: pages.Translation{
			"en": {Title: "Closed", Text: "Use another gate."},
			"ko": {Title: "닫힘", Text: "다른 문을 이용해 주세요."},
		},
	}
	errGone := domain.NewError(domain.NotFound, "not_found", "There is no such gate.")
	general := pages.Translation{
		"en": {
			Title: "Something went wrong",
			Text:  "We could not process your request. Try again later.",
		},
		"ko": {Title: "문제가 발생했습니다", Text: "요청을 처리하지 못했습니다. 나중에 다시 시도해 주세요."},
	}
	want := map[string]pages.Translation{"closed": errClosed.Page, "unavailable": {
		"en": {
			Title: "Try again in a moment",
			Text: "We cannot process your request right now. Go back, wait a few seconds and try " +
				"again.",
		},
		"ko": {Title: "잠시 후 다시 시도해 주세요", Text: "지금은 처리할 수 없습니다. 이전 화면으로 돌아가 몇 초 뒤에 다시 시도해 주세요."},
	}}
	failing := func(err error) gate {
		return gate{answer: func(context.Context, string) (pages.Page, error) {
			return pages.Page{Title: "half done"}, err
		}}
	}
	for name, test := range map[string]struct {
		gate   gate
		status int
		code   string
	}{
		"its own page":          {failing(errClosed), 410, "closed"},
		"its own page, wrapped": {failing(fmt.Errorf("%w: %s", errClosed, inner)), 410, "closed"},
		"unavailable": {
			failing(fmt.Errorf("%w: %s", retry.ErrUnavailable, inner)), 503, "unavailable",
		},
		"out of time": {
			failing(fmt.Errorf("%w: %s", context.DeadlineExceeded, inner)), 503, "unavailable",
		},
		"unexpected": {failing(errors.New(inner)), 500, "internal"},
		"panic": {
			gate{answer: func(context.Context, string) (pages.Page, error) { panic(inner) }}, 500,
			"internal",
		},
		"the domain": {failing(errGone), 404, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				for acceptLanguage, language := range map[string]string{
					"ko-KR,ko;q=0.9": "ko", "de": "en",
				} {
					request := atGate(method)
					request.Headers = map[string]string{"Accept-Language": acceptLanguage}
					var log bytes.Buffer
					response := showLogged(t, test.gate, request.Event(t), &log)
					page, ok := want[test.code]
					if !ok {
						page = general
					}
					want := strings.TrimSpace(page.In(language).HTML())
					if response.StatusCode != test.status ||
						strings.TrimSpace(response.Body) != want {
						t.Errorf("%s: status %d, want %d: %s\nwant %s", method, response.StatusCode,
							test.status, response.Body, want)
					}
					for header, want := range pages.Headers() {
						if got := response.Headers[header]; got != want {
							t.Errorf("%s is %q, want %q", header, got, want)
						}
					}
					retryAfter := response.Headers["Retry-After"]
					if (retryAfter == "5") != (test.status == 503) {
						t.Errorf("Retry-After %q with status %d, want 5 with 503 only", retryAfter,
							test.status)
					}
					var line map[string]any
					if err := json.Unmarshal(log.Bytes(), &line); err != nil ||
						line["code"] != test.code || line["route"] != method+" /gates/{way}" {
						t.Errorf("%v: log %s", err, &log)
					}
				}
			}
			resttest.ErrorOf(t,
				showLogged(t, test.gate, atGate("DELETE").Event(t), new(bytes.Buffer)), test.status,
				test.code)
		})
	}
}

func TestHandle_ignores_the_body(t *testing.T) {
	const form, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	for name, send := range map[string]func(*events.APIGatewayProxyRequest){
		"one click, as a form": func(r *events.APIGatewayProxyRequest) {
			r.Headers["Content-Type"], r.Body = form, "List-Unsubscribe=One-Click"
		},
		"one click, in parts": func(r *events.APIGatewayProxyRequest) {
			r.Headers["Content-Type"], r.Body = multipart, "--x\r\nContent-Disposition: "+
				"form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--"
		},
		"one click, as bytes": func(r *events.APIGatewayProxyRequest) {
			r.Headers["Content-Type"], r.IsBase64Encoded = form, true
			r.Body = base64.StdEncoding.EncodeToString([]byte("List-Unsubscribe=One-Click"))
		},
		"nothing": func(r *events.APIGatewayProxyRequest) {
			delete(r.Headers, "Content-Type")
			r.Body = ""
		},
		"invalid JSON": func(r *events.APIGatewayProxyRequest) { r.Body = `{"` },
		"invalid base64": func(r *events.APIGatewayProxyRequest) {
			r.IsBase64Encoded, r.Body = true, "%"
		},
		"unterminated parts": func(r *events.APIGatewayProxyRequest) {
			r.Headers["Content-Type"], r.Body = multipart, "--x\r\n"
		},
		"invalid media type": func(r *events.APIGatewayProxyRequest) {
			r.Headers["Content-Type"], r.Body = ";;/", "\xff"
		},
		"too large": func(r *events.APIGatewayProxyRequest) {
			r.Body = strings.Repeat("x", 256<<10+1) // the limit of JSON
		},
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			asked := 0
			g := gate{answer: func(context.Context, string) (pages.Page, error) {
				asked++
				return pages.Page{}, nil
			}}
			request := atGate(method).Event(t)
			// mail services send none
			for _, header := range []string{"origin", "Accept", "Accept-Language", "User-Agent"} {
				delete(request.Headers, header)
			}
			send(&request)
			want := 200
			if method == "DELETE" {
				want = 204
			}
			response := showLogged(t, g, request, new(bytes.Buffer))
			if response.StatusCode != want || asked != 1 {
				t.Errorf("%s with %s: status %d after %d calls: %s", method, name,
					response.StatusCode, asked, response.Body)
			}
		}
	}
}

func TestHandle_in_operations_and_document(t *testing.T) {
	want := []rest.Operation{
		{Method: "GET", Path: "/gates/{way}", Access: rest.Public},
		{Method: "POST", Path: "/gates/{way}", Access: rest.Public},
		{Method: "DELETE", Path: "/gates/{way}", Access: rest.Public},
	}
	if diff := cmp.Diff(want, gates.Operations()); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	document := rest.NewDocument("Gates", "v1", "Gates.")
	rest.Add(document, gates)
	var got struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]any
				Headers any
			}
		}
	}
	if err := json.Unmarshal(document.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"get", "post"} {
		responses := got.Paths["/gates/{way}"][method].Responses
		for _, status := range []string{"200", "default"} {
			if content := responses[status].Content; len(content) != 1 ||
				content["text/html"] == nil || responses[status].Headers != nil {
				t.Errorf("%s has the response %s %+v, want a page", method, status,
					responses[status])
			}
		}
		if len(responses) != 2 {
			t.Errorf("%s has the responses %v", method, responses)
		}
	}
	content := got.Paths["/gates/{way}"]["delete"].Responses["default"].Content
	if content["application/json"] == nil {
		t.Errorf("errors of DELETE are %v, want JSON", content)
	}
}
