package rest

import (
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

// maxBody holds the longest post in any encoding: 20,000 characters of 12 bytes, as JSON may escape them. The address of a
// picture has fewer bytes than so many for its key, as which it is counted.
const maxBody = 256 << 10

// Settings are those of every function of the API. The stack fills them.
type Settings struct {
	AllowedOrigins []string `env:"ALLOWED_ORIGINS"` // the web origins that may read an answer (CORS): https://app.example.com
	ClientIDs      []string `env:"CLIENT_IDS"`      // the user pool's clients whose tokens are taken
}

// A Handler answers API Gateway's requests by a table of routes.
type Handler struct {
	settings Settings
	logger   *slog.Logger
	methods  map[string]map[string]endpoint // by path and method
}

type endpoint struct {
	access Access
	page   bool // answers people
	body   bool // takes a body
	handle func(huma.Context)
}

// NewHandler returns the handler of a function whose routes are methods of service.
func NewHandler[S any](table Table[S], service S, settings Settings, logger *slog.Logger) *Handler {
	registered := &router{}
	table.register(newAPI(registered), service)
	h := &Handler{settings: settings, logger: logger, methods: map[string]map[string]endpoint{}}
	for i, operation := range registered.operations {
		if h.methods[operation.Path] == nil {
			h.methods[operation.Path] = map[string]endpoint{}
		}
		h.methods[operation.Path][operation.Method] = endpoint{
			access: table[i].access,
			page:   table[i].page,
			body:   operation.RequestBody != nil,
			handle: registered.handlers[i],
		}
	}
	return h
}

// Handle answers one request. Its error is always nil: a failure of the function would reach the client as the
// gateway's 502.
func (h *Handler) Handle(ctx context.Context, request events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	response := events.APIGatewayProxyResponse{Headers: map[string]string{
		"Cache-Control": "no-store",
		"Vary":          "Origin",
	}}
	if origin := header(request, "Origin"); slices.Contains(h.settings.AllowedOrigins, origin) {
		response.Headers["Access-Control-Allow-Origin"] = origin
		response.Headers["Access-Control-Expose-Headers"] = "Retry-After" // a browser keeps all others from the client
	}
	answer, err := h.serve(ctx, request)
	if err != nil {
		mapped := *mapError(err) // a copy: the request's id is its own
		mapped.RequestID = request.RequestContext.RequestID
		h.log(ctx, request, &mapped, err)
		maps.Copy(response.Headers, mapped.header)
		response.StatusCode = mapped.status
		if h.methods[request.Resource][request.HTTPMethod].page {
			maps.Copy(response.Headers, PageHeaders())
			response.Body = mapped.Page().In(PreferredLanguage(header(request, "Accept-Language"))).HTML()
			return response, nil
		}
		response.Headers["Content-Type"] = contentType
		response.Body = encode(ErrorBody{Content: mapped})
		return response, nil
	}
	maps.Copy(response.Headers, answer.responseHeader)
	response.StatusCode = answer.status
	response.Body = strings.TrimSuffix(answer.responseBody.String(), "\n") // which the JSON encoder adds
	return response, nil
}

func (h *Handler) serve(ctx context.Context, request events.APIGatewayProxyRequest) (answer *exchange, err error) {
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
		notAllowed := NewError(http.StatusMethodNotAllowed, "method_not_allowed", "Use "+strings.Join(allowed, " or ")+" here.")
		notAllowed.header = map[string]string{"Allow": strings.Join(allowed, ", ")}
		return endpoint{}, notAllowed
	}
	return route, nil
}

// log writes the one line about a request that failed. What a client got wrong is its own affair and may hold
// personal data, so only the code is kept.
func (h *Handler) log(ctx context.Context, request events.APIGatewayProxyRequest, mapped *Error, err error) {
	attributes := []slog.Attr{
		slog.String("apiRequestId", mapped.RequestID),
		slog.String("route", request.HTTPMethod+" "+request.Resource),
		slog.Int("status", mapped.status),
		slog.String("code", mapped.Code),
	}
	level := slog.LevelInfo
	if mapped.status >= http.StatusInternalServerError {
		level = slog.LevelError
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	h.logger.LogAttrs(ctx, level, "request failed", attributes...)
}

// decodeBody returns the body of request, unless it is too large to be worth decoding.
func decodeBody(request events.APIGatewayProxyRequest) ([]byte, error) {
	tooLarge := NewError(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("The body is larger than %d bytes; shorten it.", maxBody))
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
		return nil, Invalid(Field{Name: "body", Problem: "is not in base64, as it is declared to be"})
	}
	if len(body) > maxBody {
		return nil, tooLarge
	}
	return body, nil
}

// header returns the value of a header, whose name comes as the client wrote it.
func header(request events.APIGatewayProxyRequest, name string) string {
	for header, value := range request.Headers {
		if strings.EqualFold(header, name) {
			return value
		}
	}
	return ""
}

func encode(body ErrorBody) string {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings have an encoding
	}
	return string(encoded)
}
