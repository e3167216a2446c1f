package apitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/rest"
)

// A Gateway emulates API Gateway: it is an HTTP server in front of functions, for real clients. It
// has no authorizer: the token of a request is the subject of the signed-in user.
type Gateway struct {
	mux *http.ServeMux
	mu  sync.Mutex // a function processes one event at a time
}

// NewGateway returns a gateway without routes.
func NewGateway() *Gateway {
	return &Gateway{mux: http.NewServeMux()}
}

// Handle routes requests of these routes to f.
func (g *Gateway) Handle(t testing.TB, f *Function, routes []rest.Operation) {
	for _, route := range routes {
		pattern := route.Method + " /v1" + route.Path
		g.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			request := resttest.Request{
				Route: route.Method + " " + route.Path,
				Path:  map[string]string{}, Query: map[string]string{},
				Headers: map[string]string{},
			}
			for _, match := range parameter.FindAllStringSubmatch(route.Path, -1) {
				request.Path[match[1]] = r.PathValue(match[1])
			}
			for name, values := range r.URL.Query() {
				request.Query[name] = values[len(values)-1]
			}
			for name, values := range r.Header {
				request.Headers[name] = values[len(values)-1]
			}
			if request.Headers["Content-Type"] == "" {
				request.Headers["Content-Type"] = "application/json" // the gateway's default
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("gateway: %v", err)
			}
			request.Body = string(body)
			if route.Access == rest.Authenticated {
				if request.Subject = r.Header.Get("Authorization"); request.Subject == "" {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(http.StatusUnauthorized)
					_, _ = io.WriteString(w,
						`{"error":{"code":"unauthenticated","message":"Sign in.","requestId":""}}`)
					return
				}
			}
			response, err := g.do(t, f, request)
			if err != nil {
				t.Errorf("gateway: %v", err)
				http.Error(w, `{"message": "Internal server error"}`, http.StatusBadGateway)
				return
			}
			for name, value := range response.Headers {
				w.Header().Set(name, value)
			}
			w.WriteHeader(response.StatusCode)
			_, _ = io.WriteString(w, response.Body) // fails only if the client has disconnected
		})
	}
}

// do runs on the server's goroutine, which must not end the test.
func (g *Gateway) do(
	t testing.TB, f *Function, request resttest.Request,
) (events.APIGatewayProxyResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return f.invoke(t.Context(), request.Event(t), timeout)
}

// Serve runs the gateway until t ends and returns its endpoint.
func (g *Gateway) Serve(t testing.TB) string {
	server := httptest.NewServer(g.mux)
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}
