package pages

import (
	"context"
	"errors"
	"net/http"

	"github.com/ashlar-cdk/ashlar/rest"
)

// Handle declares a public route that a link in an e-mail leads to: a route of [rest.HandleHTML].
// An error's response is a page, too: that of [Error], or a general one.
func Handle[S, In any](
	method, path, summary string, handle func(S, context.Context, *In) (Page, error),
) rest.Route[S] {
	return rest.HandleHTML(method, path, summary,
		func(service S, ctx context.Context, in *In) (rest.HTML, error) {
			shown, err := handle(service, ctx, in)
			return shown.html(), err
		}, errorPage)
}

// An Error is the error of a link that has its own page. Errors are compared by identity.
type Error struct {
	Response *rest.Error // where the route responds in JSON
	Page     Translation
}

func (e *Error) Error() string { return e.Response.Error() }

// Unwrap returns the error in JSON.
func (e *Error) Unwrap() error { return e.Response }

// errorPage returns the response to a failed request of a route of [Handle].
func errorPage(failure *rest.Error, acceptLanguage string) rest.HTML {
	page := somethingWentWrong
	if failure.Status == http.StatusServiceUnavailable {
		page = tryAgain
	}
	if own, ok := errors.AsType[*Error](failure); ok {
		page = own.Page
	}
	return page.In(preferredLanguage(acceptLanguage)).html()
}

// somethingWentWrong is the page of an error that has no page of its own.
var somethingWentWrong = Translation{
	"en": {
		Title: "Something went wrong",
		Text:  "We could not process your request. Try again later.",
	},
	"ko": {
		Title: "문제가 발생했습니다",
		Text:  "요청을 처리하지 못했습니다. 나중에 다시 시도해 주세요.",
	},
}

// tryAgain is the page of a temporary failure.
var tryAgain = Translation{
	"en": {
		Title: "Try again in a moment",
		Text: "We cannot process your request right now. Go back, wait a few seconds and try " +
			"again.",
	},
	"ko": {
		Title: "잠시 후 다시 시도해 주세요",
		Text:  "지금은 처리할 수 없습니다. 이전 화면으로 돌아가 몇 초 뒤에 다시 시도해 주세요.",
	},
}
