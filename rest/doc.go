// Package rest provides a handler of API Gateway's requests from a table of routes. A route is
// declared once, with its method, its path, its access, and its handler, whose parameter and result
// are the request and the response. The table defines the function's routing and validation, the
// schemas by which the gateway rejects invalid requests, and the OpenAPI document. A service
// integration, a route without a function, is declared in the same way, by its types.
//
// A function of an API consists of its table, which is a package of its own, since the stack
// imports it too:
//
//	var Routes = rest.Table[*Handlers]{
//		rest.Handle("GET", "/stones/{stoneId}", rest.Public, "Get a stone", (*Handlers).getStone),
//		rest.Handle("POST", "/stones", rest.Authenticated, "Cut a stone", (*Handlers).cutStone),
//	}
//
//	type Stone struct {
//		Name   string `json:"name" minLength:"1" maxLength:"80"`
//		Weight int    `json:"weight,omitempty" minimum:"1" doc:"In kilograms"`
//	}
//
//	func (h *Handlers) cutStone(
//		ctx context.Context, in *struct{ Body Stone },
//	) (*struct{ Body Stone }, error) {
//		if err := h.Store.Put(ctx, rest.Caller(ctx).Subject, in.Body); err != nil {
//			return nil, err
//		}
//		return &struct{ Body Stone }{in.Body}, nil
//	}
//
// of its main:
//
//	type Settings struct {
//		API rest.Settings
//	}
//
//	func main() {
//		settings := lambdaenv.MustLoad[Settings]()
//		handlers := &stones.Handlers{…}
//		handler := rest.NewHandler(stones.Routes, handlers, settings.API, slog.Default())
//		lambda.Start(handler.Handle)
//	}
//
// and of two lines in its stack, which declare the function and the gateway's methods, and fill
// rest.Settings:
//
//	fn := gofunction.New(stack, "Stones", gofunction.Props{Package: "…", Settings: Settings{}})
//	api.AddRoutes(fn, stones.Routes.Operations())
//
// # Requests
//
// A request is validated by the tags of its type before the handler gets it: those of
// [huma], and a method TransformSchema where a limit is a value of Go. A body is one JSON object in
// UTF-8 of at most 256 KiB, without unknown or duplicate fields. All query parameters and headers
// are optional. A handler has one second less than the function's timeout.
//
// # Responses
//
// Responses are JSON, or HTML in routes of [HandleHTML]. They are never cached. Pages of the
// allowed origins may read them (CORS).
//
// # Errors
//
// An error's response is
//
//	{"error":{"code":"not_found","message":"There is no such stone.","requestId":"…"}}
//
// with fields, a list of {"field","problem"}, if the request is invalid. Errors of the gateway that
// the construct restapi declares have the same form. A handler returns an error of [NewError] or
// [Invalid], which may be wrapped. It wraps [ErrUnavailable] for a temporary failure, which is 503
// with Retry-After. Any other error is 500, and only the log has its text. A failed request is
// logged once: with the code, and an error of the server with its text.
//
// [huma]: https://huma.rocks/features/request-validation/
package rest
