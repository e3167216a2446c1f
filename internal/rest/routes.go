// Package rest serves a table of routes to API Gateway. A route is declared once, with its method, its path, who may call
// it, and its handler, whose parameter and result are the request and the response. From the table come the function's
// routing and its checks, what the gateway has to know to refuse a bad request by itself, and the OpenAPI document.
package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Access says who may call a route.
type Access string

// Who may call a route.
const (
	Public   Access = "public"    // anybody
	SignedIn Access = "signed-in" // a user whose token is valid; [Caller] says who
)

// IdempotencyKeyHeader is the name of the header of an [IdempotencyKey].
const IdempotencyKeyHeader = "Idempotency-Key"

// An IdempotencyKey is a header by which a client sends a request twice and has its effect once. A request embeds it.
type IdempotencyKey struct {
	Key string `header:"Idempotency-Key" maxLength:"64" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"The same for each try of one request: a UUID, say"`
}

// A Service is what a function's handlers are methods of.
type Service interface {
	// Refuse says what the client is told about an error of a handler: nil when it is none that the client could do
	// something about.
	Refuse(err error) *Error
}

// A Route is one line of the table.
type Route[S Service] struct {
	operation huma.Operation
	access    Access
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
func Handle[S Service, In, Out any](method, path string, access Access, summary string, handle func(S, context.Context, *In) (*Out, error)) Route[S] {
	if access != Public && access != SignedIn {
		panic(fmt.Errorf("rest: %s %s: the access is %q, want Public or SignedIn", method, path, access))
	}
	var none *Out
	operation := huma.Operation{
		OperationID:  huma.GenerateOperationID(method, path, none),
		Method:       method,
		Path:         path,
		Summary:      summary,
		MaxBodyBytes: -1, // the handler has looked at the length
	}
	if method == http.MethodPost {
		operation.DefaultStatus = http.StatusCreated
	}
	if access == SignedIn {
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

// A Table is the routes of one function.
type Table[S Service] []Route[S]

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
