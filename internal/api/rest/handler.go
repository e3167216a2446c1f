package rest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/danielgtaylor/huma/v2"

	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
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
type Handler[S Service] struct {
	service  S
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

// NewHandler returns the handler of a function whose handlers are service's.
func NewHandler[S Service](table Table[S], service S, settings Settings, logger *slog.Logger) *Handler[S] {
	registered := &router{}
	table.register(newAPI(registered), service)
	h := &Handler[S]{service: service, settings: settings, logger: logger, methods: map[string]map[string]endpoint{}}
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
func (h *Handler[S]) Handle(ctx context.Context, request events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
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
		refused := *h.refuse(err) // a copy: the request's id is its own
		refused.RequestID = request.RequestContext.RequestID
		h.log(ctx, request, &refused, err)
		for name, value := range refused.header {
			response.Headers[name] = value
		}
		response.StatusCode = refused.status
		if h.methods[request.Resource][request.HTTPMethod].page {
			maps.Copy(response.Headers, PageHeaders())
			response.Body = Failure(refused.Code).In(PreferredLanguage(header(request, "Accept-Language"))).HTML()
			return response, nil
		}
		response.Headers["Content-Type"] = contentType
		response.Body = encode(ErrorBody{Content: refused})
		return response, nil
	}
	for name, value := range answer.responseHeader {
		response.Headers[name] = value
	}
	response.StatusCode = answer.status
	response.Body = strings.TrimSuffix(answer.responseBody.String(), "\n") // which the JSON encoder adds
	return response, nil
}

func (h *Handler[S]) serve(ctx context.Context, request events.APIGatewayProxyRequest) (answer *exchange, err error) {
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

func (h *Handler[S]) route(request events.APIGatewayProxyRequest) (endpoint, error) {
	methods, ok := h.methods[request.Resource]
	if !ok {
		return endpoint{}, NewError(http.StatusNotFound, "not_found", "There is nothing here.")
	}
	route, ok := methods[request.HTTPMethod]
	if !ok {
		var allowed []string
		for method := range methods {
			allowed = append(allowed, method)
		}
		slices.Sort(allowed)
		refused := NewError(http.StatusMethodNotAllowed, "method_not_allowed", "Use "+strings.Join(allowed, " or ")+" here.")
		refused.header = map[string]string{"Allow": strings.Join(allowed, ", ")}
		return endpoint{}, refused
	}
	return route, nil
}

// refuse says what the client is told about err.
func (h *Handler[S]) refuse(err error) *Error {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused
	}
	if refused := h.service.Refuse(err); refused != nil {
		return refused
	}
	if invalid, ok := errors.AsType[*validate.Error](err); ok {
		fields := make([]Field, len(invalid.Problems))
		for i, problem := range invalid.Problems {
			fields[i] = Field{Name: problem.Field, Problem: problem.Problem}
		}
		return Invalid(fields...)
	}
	switch {
	case errors.Is(err, accounts.ErrDeleted):
		return NewError(http.StatusForbidden, "account_deleted", "You have deleted your account; sign out.")
	case errors.Is(err, links.ErrInvalid):
		return NewError(http.StatusBadRequest, "invalid_link", "The token is not that of a link in one of our mails; take all of it.")
	case errors.Is(err, links.ErrExpired):
		return NewError(http.StatusGone, "expired_link", "The link is too old; take that of a newer mail.")
	case errors.Is(err, token.ErrInvalid):
		return NewError(http.StatusBadRequest, "invalid_cursor", "This list did not give out the cursor; begin again without one.")
	case errors.Is(err, token.ErrExpired):
		return NewError(http.StatusBadRequest, "expired_cursor", "The cursor is too old; begin again without one.")
	case errors.Is(err, retry.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return unavailable()
	default:
		return NewError(http.StatusInternalServerError, "internal", "Something went wrong on our side; report it with this request id.")
	}
}

// log writes the one line about a request that failed. What a client got wrong is its own affair and may hold
// personal data, so only the code is kept.
func (h *Handler[S]) log(ctx context.Context, request events.APIGatewayProxyRequest, refused *Error, err error) {
	attributes := []slog.Attr{
		slog.String("apiRequestId", refused.RequestID),
		slog.String("route", request.HTTPMethod+" "+request.Resource),
		slog.Int("status", refused.status),
		slog.String("code", refused.Code),
	}
	level := slog.LevelInfo
	if refused.status >= http.StatusInternalServerError {
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
