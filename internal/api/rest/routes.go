// Package rest serves a table of routes to API Gateway. A route is declared once, with its method, its path, who may call
// it, and its handler, whose parameter and result are the request and the response. From the table come the function's
// routing and its checks, what the gateway has to know to refuse a bad request by itself, and the OpenAPI document. A route
// that a service of AWS answers, and no function, is declared in the same way, by its types.
//
// Programs are answered in JSON. A route that people come to by a link in a mail is answered by pages.
package rest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Access says who may call a route.
type Access string

// Who may call a route.
const (
	Public        Access = "public"        // anybody
	Authenticated Access = "authenticated" // a user whose token is valid; [Caller] says who
)

// IdempotencyKeyHeader is the name of the header of an [IdempotencyKey].
const IdempotencyKeyHeader = "Idempotency-Key"

// An IdempotencyKey is a header by which a client sends a request twice and has its effect once. A request embeds it.
type IdempotencyKey struct {
	Key string `header:"Idempotency-Key" maxLength:"64" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"The same for each try of one request: a UUID, say"`
}

// A Route is one line of the table. Its handler is a method of S.
type Route[S any] struct {
	operation huma.Operation
	access    Access
	page      bool // answers people
	register  func(api huma.API, operation huma.Operation, service S)
}

// Handle declares a route. The path is written as API Gateway writes it: /posts/{postId}.
//
// handle takes a struct with the path's parameters, the query and the headers as fields with the tags path, query and
// header, and the JSON object of the request as a field Body; it returns a struct with a field Body. What the client has
// to keep to is said by huma's tags, or by a method TransformSchema where the domain has the number. A request that does
// not keep to it is refused before it reaches handle. Everything unknown in a body is refused.
//
// A success is answered 201 to POST, 204 without a body in the response, 200 otherwise.
func Handle[S, In, Out any](method, path string, access Access, summary string, handle func(S, context.Context, *In) (*Out, error)) Route[S] {
	if access != Public && access != Authenticated {
		panic(fmt.Errorf("rest: %s %s: the access is %q, want Public or Authenticated", method, path, access))
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

// HandlePage declares a route that anybody comes to by a link in a mail: a GET that shows what the link is for, which
// programs that look for malware open as well, and a POST that does it. handle takes a struct as that of [Handle] does, but
// without a Body: whatever is sent as a body is ignored. So a POST may come from the page's button, and from a mail program,
// which sends List-Unsubscribe=One-Click and neither cookies nor its origin (RFC 8058).
//
// What goes wrong is answered by a page, too.
func HandlePage[S, In any](method, path, summary string, handle func(S, context.Context, *In) (Page, error)) Route[S] {
	var none *Page
	return Route[S]{
		operation: newOperation(method, path, summary, none),
		access:    Public,
		page:      true,
		register: func(api huma.API, operation huma.Operation, service S) {
			html := map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}}
			operation.Responses = map[string]*huma.Response{
				"200":     {Description: "A page", Content: html},
				"default": {Description: "A page that says what is wrong", Content: html},
			}
			huma.Register(api, operation, func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
				shown, err := handle(service, ctx, in)
				return &huma.StreamResponse{Body: func(answer huma.Context) {
					answer.SetStatus(cmp.Or(shown.Status, http.StatusOK))
					for name, value := range PageHeaders() {
						answer.SetHeader(name, value)
					}
					_, _ = io.WriteString(answer.BodyWriter(), shown.HTML()) // a buffer
				}}, err
			})
		},
	}
}

// ServiceIntegration declares a public route without a function: the gateway integrates a service
// of AWS. In and Out are those of a handler of [Handle]; the mappings of request and response are
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
				return nil, fmt.Errorf("rest: %s %s reached a function, but is a service integration", method, path)
			})
		},
	}
}

func newOperation(method, path, summary string, response any) huma.Operation {
	return huma.Operation{
		OperationID:  huma.GenerateOperationID(method, path, response),
		Method:       method,
		Path:         path,
		Summary:      summary,
		MaxBodyBytes: -1, // the handler has looked at the length
	}
}

// A Table is the routes of one function, or of services.
type Table[S any] []Route[S]

// An Operation is a route as the gateway sees it.
type Operation struct {
	Method, Path   string
	Access         Access
	Query, Headers []string       // the parameters by name, none of which may be required
	Body           map[string]any // JSON schema, draft 4; nil when the route takes no body
}

// Operations lists the routes for the gateway.
func (t Table[S]) Operations() []Operation {
	var service S
	registered := &router{}
	api := newAPI(registered)
	t.register(api, service)
	operations := make([]Operation, len(t))
	for i, operation := range registered.operations {
		operations[i] = Operation{Method: operation.Method, Path: operation.Path, Access: t[i].access}
		for _, parameter := range operation.Parameters {
			switch {
			case parameter.In == "path":
			case parameter.Required:
				panic(fmt.Errorf("rest: %s %s: %s is required, which the gateway is not told; leave it optional", operation.Method, operation.Path, parameter.Name))
			case parameter.In == "query":
				operations[i].Query = append(operations[i].Query, parameter.Name)
			case parameter.In == "header":
				operations[i].Headers = append(operations[i].Headers, parameter.Name)
			}
		}
		if operation.RequestBody != nil {
			operations[i].Body = draft4(api.OpenAPI().Components.Schemas, operation.RequestBody.Content[contentType].Schema)
		}
	}
	return operations
}

func (t Table[S]) register(api huma.API, service S) {
	for _, route := range t {
		route.register(api, route.operation, service)
	}
}
