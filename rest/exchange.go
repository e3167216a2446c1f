package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/danielgtaylor/huma/v2"
)

// An exchange is one request and its response. It implements huma.Context.
type exchange struct {
	ctx       context.Context
	request   events.APIGatewayProxyRequest
	body      []byte
	operation *huma.Operation

	err            error // if set, the response's status and body are meaningless
	status         int
	responseHeader map[string]string
	responseBody   bytes.Buffer
}

func (x *exchange) Operation() *huma.Operation { return x.operation }
func (x *exchange) Context() context.Context   { return x.ctx }
func (x *exchange) Method() string             { return x.request.HTTPMethod }

func (x *exchange) Param(name string) string { return x.request.PathParameters[name] }
func (x *exchange) Query(name string) string { return x.request.QueryStringParameters[name] }

// Header returns a header's value. Accept is always empty: there is only one content type, and huma
// panics on some values.
func (x *exchange) Header(name string) string {
	switch name {
	case "Accept":
		return ""
	case "Content-Type":
		return strings.ToLower(header(x.request, name)) // media types are case-insensitive
	default:
		return header(x.request, name)
	}
}

func (x *exchange) BodyReader() io.Reader        { return bytes.NewReader(x.body) }
func (x *exchange) SetStatus(status int)         { x.status = status }
func (x *exchange) Status() int                  { return x.status }
func (x *exchange) SetHeader(name, value string) { x.responseHeader[name] = value }
func (x *exchange) BodyWriter() io.Writer        { return &x.responseBody }

// The methods below have no meaning behind the gateway, and huma does not call them: no route has
// cookies, forms, or several headers of one name.

func (x *exchange) URL() url.URL                      { return url.URL{} }
func (x *exchange) Host() string                      { return "" }
func (x *exchange) RemoteAddr() string                { return "" }
func (x *exchange) EachHeader(_ func(_, _ string))    {}
func (x *exchange) AppendHeader(name, value string)   { x.SetHeader(name, value) }
func (x *exchange) TLS() *tls.ConnectionState         { return nil }
func (x *exchange) Version() huma.ProtoVersion        { return huma.ProtoVersion{} }
func (x *exchange) SetReadDeadline(_ time.Time) error { return nil }
func (x *exchange) GetMultipartForm() (*multipart.Form, error) {
	return nil, http.ErrNotMultipart
}

// A router collects the operations that huma registers. It does not match paths: API Gateway has
// already selected the route of a request.
type router struct {
	operations []*huma.Operation
	handlers   []func(huma.Context)
}

// Handle makes a router a huma.Adapter.
func (r *router) Handle(operation *huma.Operation, handle func(huma.Context)) {
	r.operations = append(r.operations, operation)
	r.handlers = append(r.handlers, func(ctx huma.Context) {
		ctx.(*exchange).operation = operation
		handle(ctx)
	})
}

// ServeHTTP makes a router a huma.Adapter. Nothing calls it.
func (r *router) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "API Gateway serves this", http.StatusNotImplemented)
}

// contentType is the only content type of requests and responses in JSON.
const contentType = "application/json"

func newAPI(adapter huma.Adapter) huma.API {
	return huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{},
		Formats: map[string]huma.Format{
			contentType: {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal},
		},
	}, adapter)
}
