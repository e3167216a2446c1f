package rest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Access is who may call a route.
type Access string

// The kinds of access.
const (
	Public        Access = "public"        // everyone
	Authenticated Access = "authenticated" // users with a valid token; [Caller] returns the user
)

// IdempotencyKeyHeader is the name of the header of an [IdempotencyKey].
const IdempotencyKeyHeader = "Idempotency-Key"

// An IdempotencyKey is the header that makes a POST idempotent: a retry with the same key has no
// second effect. A request embeds it.
type IdempotencyKey struct {
	Key idempotencyKey `header:"Idempotency-Key"`
}

type idempotencyKey string

// TransformSchema sets the limits of a key.
func (idempotencyKey) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	schema.Description = "Unique key of the request, such as a UUID; send the same one with each " +
		"retry"
	schema.Pattern, schema.PatternDescription = "^[!-~]+$", "visible ASCII"
	longest := 64
	schema.MaxLength = &longest
	return schema
}

// A Route is one line of the table. Its handler is a method of S.
type Route[S any] struct {
	operation   huma.Operation
	access      Access
	errorPage   func(err *Error, acceptLanguage string) HTML // nil if the route responds in JSON
	rate, burst int
	register    func(api huma.API, operation huma.Operation, service S)
}

// WithThrottle returns the route with its own throttle at the gateway: requests a second in steady
// state, and in a burst. It is for routes that accept less than the others. The default is the
// API's.
func (r Route[S]) WithThrottle(rate, burst int) Route[S] {
	r.rate, r.burst = rate, burst
	return r
}

// Handle declares a route. The path is in API Gateway's syntax: /posts/{postId}.
//
// handle takes a struct with the path's parameters, the query and the headers as fields with the
// tags path, query and header, and the JSON object of the request as a field Body; it returns a
// struct with a field Body. Constraints are declared by huma's tags, or by a method TransformSchema
// where the domain defines the limit. A request that violates one is rejected before it reaches
// handle, and so is a body with unknown fields.
//
// The status of a success is 201 for POST, 204 for a response without a body, and 200 otherwise.
func Handle[S, In, Out any](
	method, path string, access Access, summary string,
	handle func(S, context.Context, *In) (*Out, error),
) Route[S] {
	if access != Public && access != Authenticated {
		panic(fmt.Errorf("rest: %s %s: access is %q; pass Public or Authenticated",
			method, path, access))
	}
	var none *Out
	operation := newOperation(method, path, summary, none)
	if method == http.MethodPost {
		operation.DefaultStatus = http.StatusCreated
	}
	if access == Authenticated {
		operation.Security = []map[string][]string{{securityScheme: {}}}
	}
	return Route[S]{
		operation: operation,
		access:    access,
		register: func(api huma.API, operation huma.Operation, service S) {
			huma.Register(api, operation, func(ctx context.Context, in *In) (*Out, error) {
				return handle(service, ctx, in)
			})
		},
	}
}

// HTML is the response of a route of [HandleHTML].
type HTML struct {
	Status  int               // default: 200; an error's page has the error's status
	Headers map[string]string // besides Content-Type; default: none
	Body    string
}

func (h HTML) headers() map[string]string {
	headers := map[string]string{"Content-Type": "text/html; charset=utf-8"}
	maps.Copy(headers, h.Headers)
	return headers
}

// HandleHTML declares a public route that responds with HTML. It is for links in e-mails: a GET
// only shows a page, since malware scanners open links too; a POST, which the page's button sends,
// acts. The input of handle is a struct as for [Handle], but without a Body: any body is ignored.
// So a POST may also come from a mail program, which sends List-Unsubscribe=One-Click and neither
// cookies nor its origin (RFC 8058).
//
// errorPage renders the response to a failed request in the language that the client accepts, the
// value of its header Accept-Language.
func HandleHTML[S, In any](
	method, path, summary string, handle func(S, context.Context, *In) (HTML, error),
	errorPage func(err *Error, acceptLanguage string) HTML,
) Route[S] {
	if errorPage == nil {
		panic(fmt.Errorf("rest: %s %s: errorPage is required; pass a function that renders errors",
			method, path))
	}
	var none *HTML
	return Route[S]{
		operation: newOperation(method, path, summary, none),
		access:    Public,
		errorPage: errorPage,
		register: func(api huma.API, operation huma.Operation, service S) {
			content := map[string]*huma.MediaType{
				"text/html": {Schema: &huma.Schema{Type: huma.TypeString}},
			}
			operation.Responses = map[string]*huma.Response{
				"200":     {Description: "HTML page", Content: content},
				"default": {Description: "HTML page that describes the error", Content: content},
			}
			huma.Register(api, operation,
				func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
					shown, err := handle(service, ctx, in)
					return &huma.StreamResponse{Body: func(answer huma.Context) {
						answer.SetStatus(cmp.Or(shown.Status, http.StatusOK))
						for name, value := range shown.headers() {
							answer.SetHeader(name, value)
						}
						_, _ = io.WriteString(answer.BodyWriter(), shown.Body) // to a buffer
					}}, err
				})
		},
	}
}

// ServiceIntegration declares a public route without a function: the gateway integrates an AWS
// service. In and Out are those of a handler of [Handle]; the mappings of request and response are
// declared with the gateway. A success has this status.
//
// Its table is a Table[any], which has no handlers.
func ServiceIntegration[In, Out any](method, path, summary string, status int) Route[any] {
	var none *Out
	operation := newOperation(method, path, summary, none)
	operation.DefaultStatus = status
	return Route[any]{
		operation: operation,
		access:    Public,
		register: func(api huma.API, operation huma.Operation, _ any) {
			huma.Register(api, operation, func(context.Context, *In) (*Out, error) {
				return nil, fmt.Errorf("rest: %s %s is a service integration; it has no function",
					method, path)
			})
		},
	}
}

// methods are the HTTP methods of routes.
var methods = []string{
	http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost,
	http.MethodPut,
}

func newOperation(method, path, summary string, response any) huma.Operation {
	if !slices.Contains(methods, method) {
		panic(fmt.Errorf("rest: %s %s: the method is %q; pass one of %s", method, path, method,
			strings.Join(methods, ", ")))
	}
	if !strings.HasPrefix(path, "/") {
		panic(fmt.Errorf("rest: %s %s: the path is %q; pass one that begins with /", method, path,
			path))
	}
	return huma.Operation{
		OperationID:  huma.GenerateOperationID(method, path, response),
		Method:       method,
		Path:         path,
		Summary:      summary,
		MaxBodyBytes: -1, // the handler has checked the length
	}
}

// A Table is the routes of one function, or service integrations.
type Table[S any] []Route[S]

// An Operation is the gateway's part of a route.
type Operation struct {
	Method, Path   string
	Access         Access
	Query, Headers []string       // names of the parameters; none may be required
	Body           map[string]any // JSON schema, draft 4; nil if the route takes no body

	// The route's throttle: requests a second, in steady state and in a burst. 0: the API's.
	RateLimit, BurstLimit int
}

// Operations returns the routes for the gateway.
func (t Table[S]) Operations() []Operation {
	var service S
	registered := &router{}
	api := newAPI(registered)
	t.register(api, service)
	operations := make([]Operation, len(t))
	for i, operation := range registered.operations {
		operations[i] = Operation{
			Method: operation.Method, Path: operation.Path, Access: t[i].access,
			RateLimit: t[i].rate, BurstLimit: t[i].burst,
		}
		for _, parameter := range operation.Parameters {
			switch {
			case parameter.In == "path":
				if !strings.Contains(operation.Path, "{"+parameter.Name+"}") {
					panic(fmt.Errorf("rest: %s %s: the path has no parameter {%s}; "+
						"add it, or remove the field",
						operation.Method, operation.Path, parameter.Name))
				}
			case parameter.Required:
				panic(fmt.Errorf("rest: %s %s: parameter %s is required; make it optional",
					operation.Method, operation.Path, parameter.Name))
			case parameter.In == "query":
				operations[i].Query = append(operations[i].Query, parameter.Name)
			case parameter.In == "header":
				operations[i].Headers = append(operations[i].Headers, parameter.Name)
			}
		}
		if operation.RequestBody != nil {
			schema := operation.RequestBody.Content[contentType].Schema
			operations[i].Body = draft4(api.OpenAPI().Components.Schemas, schema)
		}
	}
	return operations
}

func (t Table[S]) register(api huma.API, service S) {
	routes := map[string]bool{}
	for _, route := range t {
		name := route.operation.Method + " " + route.operation.Path
		if routes[name] {
			panic(fmt.Errorf("rest: %s is in the table twice; remove one", name))
		}
		routes[name] = true
		route.register(api, route.operation, service)
	}
}
