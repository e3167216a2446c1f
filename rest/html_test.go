package rest_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/rest"
)

// A gate is a service with a route that responds with HTML.
type gate func() (rest.HTML, error)

func (g gate) Show(context.Context, *struct{}) (rest.HTML, error) { return g() }

func errorPage(err *rest.Error, acceptLanguage string) rest.HTML {
	body := acceptLanguage + " " + err.Error() + " " + err.RequestID
	if cause := errors.Unwrap(err); cause != nil {
		body += " " + cause.Error()
	}
	return rest.HTML{
		Status: 200, Headers: map[string]string{"Referrer-Policy": "no-referrer"}, Body: body,
	}
}

func TestHandleHTML(t *testing.T) {
	table := rest.Table[gate]{
		rest.HandleHTML("GET", "/gate", "Show the gate", gate.Show, errorPage),
	}
	const html = "text/html; charset=utf-8"
	headers := func(more ...string) map[string]string {
		headers := map[string]string{
			"Cache-Control": "no-store", "Vary": "Origin", "Content-Type": html,
		}
		for i := 0; i < len(more); i += 2 {
			headers[more[i]] = more[i+1]
		}
		return headers
	}
	for name, test := range map[string]struct {
		html rest.HTML
		err  error
		want events.APIGatewayProxyResponse
	}{
		"a page": {
			rest.HTML{Body: "<p>Open"}, nil,
			events.APIGatewayProxyResponse{StatusCode: 200, Headers: headers(), Body: "<p>Open"},
		},
		"its own status and headers": {
			rest.HTML{
				Status: 404,
				Headers: map[string]string{
					"Content-Type": "text/html", "X-Frame-Options": "DENY",
				},
				Body: "<p>Gone",
			}, nil,
			events.APIGatewayProxyResponse{
				StatusCode: 404,
				Headers:    headers("Content-Type", "text/html", "X-Frame-Options", "DENY"),
				Body:       "<p>Gone",
			},
		},
		"an error": {
			rest.HTML{Body: "<p>Open"}, errors.New("the hinge broke"),
			events.APIGatewayProxyResponse{
				StatusCode: 500,
				Headers:    headers("Referrer-Policy", "no-referrer"),
				Body: "ko internal: Internal error. Report it with this request ID. " +
					resttest.RequestID + " the hinge broke",
			},
		},
		"a temporary failure": {
			rest.HTML{}, rest.ErrUnavailable,
			events.APIGatewayProxyResponse{
				StatusCode: 503,
				Headers:    headers("Referrer-Policy", "no-referrer", "Retry-After", "5"),
				Body: "ko unavailable: The service is temporarily unavailable. " +
					"Try again in 5 seconds. " + resttest.RequestID + " temporarily unavailable",
			},
		},
	} {
		service := gate(func() (rest.HTML, error) { return test.html, test.err })
		request := resttest.Request{
			Route: "GET /gate", Headers: map[string]string{"accept-language": "ko"},
		}.Event(t)
		delete(request.Headers, "Accept-Language")
		handler := rest.NewHandler(table, service, rest.Settings{},
			slog.New(slog.DiscardHandler))
		got, err := handler.Handle(t.Context(), request)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}
