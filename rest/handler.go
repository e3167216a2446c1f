package rest

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/danielgtaylor/huma/v2"

	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
)

// maxBody is in bytes. It is enough for 20,000 characters in any encoding: JSON's escape of a
// character has at most 12 bytes.
const maxBody = 256 << 10

// Settings configures a function of the API. It is part of the function's settings (package
// lambdaenv). AddRoutes of the construct restapi fills it.
type Settings struct {
	// AllowedOrigins are the web origins that may read a response (CORS): https://app.example.com.
	// Default: none.
	AllowedOrigins []string `env:"ALLOWED_ORIGINS,optional"`
	// ClientIDs are the user pool's app clients whose tokens are accepted. Required by routes that
	// are [Authenticated].
	ClientIDs []string `env:"CLIENT_IDS,optional"`
}

// A Handler handles API Gateway's requests by a table of routes.
type Handler struct {
	settings Settings
	logger   *slog.Logger
	methods  map[string]map[string]endpoint // by path and method
}

type endpoint struct {
	access    Access
	errorPage func(err *Error, acceptLanguage string) HTML // nil in a route that responds in JSON
	body      bool                                         // takes a body
	handle    func(huma.Context)
}

// NewHandler returns the handler of a function whose routes are methods of service. It logs failed
// requests; the default logger is [slog.Default]. It panics when a route is [Authenticated] and
// settings have no clients.
func NewHandler[S any](table Table[S], service S, settings Settings, logger *slog.Logger) *Handler {
	registered := &router{}
	table.register(newAPI(registered), service)
	h := &Handler{
		settings: settings, logger: cmp.Or(logger, slog.Default()),
		methods: map[string]map[string]endpoint{},
	}
	for i, operation := range registered.operations {
		if table[i].access == Authenticated && len(settings.ClientIDs) == 0 {
			panic(fmt.Errorf("rest: %s %s needs a token, but Settings.ClientIDs is empty; "+
				"set CLIENT_IDS, or declare the route Public", operation.Method, operation.Path))
		}
		if h.methods[operation.Path] == nil {
			h.methods[operation.Path] = map[string]endpoint{}
		}
		h.methods[operation.Path][operation.Method] = endpoint{
			access:    table[i].access,
			errorPage: table[i].errorPage,
			body:      operation.RequestBody != nil,
			handle:    registered.handlers[i],
		}
	}
	return h
}

// Handle handles one request. Its error is always nil: the client would get a failed invocation as
// the gateway's 502.
func (h *Handler) Handle(
	ctx context.Context, request events.APIGatewayProxyRequest,
) (events.APIGatewayProxyResponse, error) {
	response := events.APIGatewayProxyResponse{Headers: map[string]string{
		"Cache-Control": "no-store",
		"Vary":          "Origin",
	}}
	if origin := header(request, "Origin"); slices.Contains(h.settings.AllowedOrigins, origin) {
		response.Headers["Access-Control-Allow-Origin"] = origin
		// A browser hides all other headers from the client.
		response.Headers["Access-Control-Expose-Headers"] = "Retry-After"
	}
	answer, err := h.serve(ctx, request)
	if err != nil {
		mapped := *mapError(err) // a copy, since it gets the data of this request
		mapped.RequestID, mapped.cause = request.RequestContext.RequestID, err
		h.log(ctx, request, &mapped, err)
		maps.Copy(response.Headers, mapped.header)
		response.StatusCode = mapped.Status
		if page := h.methods[request.Resource][request.HTTPMethod].errorPage; page != nil {
			html := page(&mapped, header(request, "Accept-Language"))
			maps.Copy(response.Headers, html.headers())
			response.Body = html.Body
			return response, nil
		}
		response.Headers["Content-Type"] = contentType
		response.Body = encode(errorBody{Content: mapped})
		return response, nil
	}
	maps.Copy(response.Headers, answer.responseHeader)
	response.StatusCode = answer.status
	// The JSON encoder adds a line feed.
	response.Body = strings.TrimSuffix(answer.responseBody.String(), "\n")
	return response, nil
}

func (h *Handler) serve(
	ctx context.Context, request events.APIGatewayProxyRequest,
) (answer *exchange, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	route, err := h.route(request)
	if err != nil {
		return nil, err
	}
	if route.access != Public {
		claims, err := h.settings.claims(request)
		if err != nil {
			return nil, err
		}
		ctx = context.WithValue(ctx, callerKey{}, claims)
	}
	var body []byte
	if route.body {
		if body, err = decodeBody(request); err != nil {
			return nil, err
		}
	}
	answer = &exchange{ctx: ctx, request: request, body: body, responseHeader: map[string]string{}}
	route.handle(answer)
	return answer, answer.err
}

func (h *Handler) route(request events.APIGatewayProxyRequest) (endpoint, error) {
	methods, ok := h.methods[request.Resource]
	if !ok {
		return endpoint{}, NewError(http.StatusNotFound, "not_found", "This route does not exist.")
	}
	route, ok := methods[request.HTTPMethod]
	if !ok {
		var allowed []string
		for method := range methods {
			allowed = append(allowed, method)
		}
		slices.Sort(allowed)
		notAllowed := NewError(http.StatusMethodNotAllowed, "method_not_allowed",
			"Use "+strings.Join(allowed, " or ")+" here.")
		notAllowed.header = map[string]string{"Allow": strings.Join(allowed, ", ")}
		return endpoint{}, notAllowed
	}
	return route, nil
}

// log writes the one log line of a failed request. Of a client's error, it logs only the code: the
// message may contain personal data.
func (h *Handler) log(
	ctx context.Context, request events.APIGatewayProxyRequest, mapped *Error, err error,
) {
	attributes := []slog.Attr{
		slog.String("apiRequestId", mapped.RequestID),
		slog.String("route", request.HTTPMethod+" "+request.Resource),
		slog.Int("status", mapped.Status),
		slog.String("code", mapped.Code),
	}
	level := slog.LevelInfo
	if mapped.Status >= http.StatusInternalServerError {
		level = slog.LevelError
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	h.logger.LogAttrs(ctx, level, "request failed", attributes...)
}

// decodeBody returns the body of request. It rejects a body that is too large before decoding it.
func decodeBody(request events.APIGatewayProxyRequest) ([]byte, error) {
	tooLarge := NewError(http.StatusRequestEntityTooLarge, "body_too_large",
		fmt.Sprintf("The body is larger than %d bytes; shorten it.", maxBody))
	if !request.IsBase64Encoded {
		if len(request.Body) > maxBody {
			return nil, tooLarge
		}
		return []byte(request.Body), nil
	}
	if len(request.Body) > base64.StdEncoding.EncodedLen(maxBody) {
		return nil, tooLarge
	}
	body, err := base64.StdEncoding.DecodeString(request.Body)
	if err != nil {
		return nil, Invalid(Field{Name: "body", Problem: "is not valid base64"})
	}
	if len(body) > maxBody {
		return nil, tooLarge
	}
	return body, nil
}

// header returns the value of a header. Names are case-insensitive: API Gateway passes the client's
// spelling.
func header(request events.APIGatewayProxyRequest, name string) string {
	for header, value := range request.Headers {
		if strings.EqualFold(header, name) {
			return value
		}
	}
	return ""
}

func encode(body errorBody) string {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // cannot happen: strings are always encoded
	}
	return string(encoded)
}
