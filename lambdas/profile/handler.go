package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/profile"
	"github.com/ashlar-cdk/ashlar/internal/validate"
)

const (
	// maxBody is many times what a valid profile needs in any encoding, and little enough to be looked at in full.
	maxBody = 16 << 10

	// answerMargin is what the store leaves of the function's time: enough to roll back, log and answer on a share of a
	// CPU. A client is then told to try again, where a function that hit its own deadline is killed and leaves the
	// gateway to say that something went wrong.
	answerMargin = time.Second

	// retryAfter is in seconds. Most of what makes the database unavailable is over by then; a failover takes a minute
	// or two, and clients that come back every few seconds do it no harm.
	retryAfter = "5"
)

// profiles is where profiles are kept.
type profiles interface {
	Get(ctx context.Context, subject string) (profile.Profile, error)
	Put(ctx context.Context, p profile.Profile) (profile.Profile, error)
}

// A handler answers API Gateway's requests for the signed-in user's profile.
type handler struct {
	profiles       profiles
	allowedOrigins []string
	logger         *slog.Logger
}

// A refusal is an error as the client sees it.
type refusal struct {
	Code      string         `json:"code"`
	Message   string         `json:"message"`
	RequestID string         `json:"requestId"`
	Fields    []fieldProblem `json:"fields,omitempty"`

	status int
	header map[string]string
}

type fieldProblem struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
}

func (r *refusal) Error() string { return r.Code + ": " + r.Message }

// representation is a profile as the client sees it. The subject is the client's own, and stays out.
type representation struct {
	DisplayName string    `json:"displayName"`
	Bio         string    `json:"bio"`
	Language    string    `json:"language"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

// Handle answers one request. Its error is always nil: a failure of the function would reach the client as the
// gateway's 502.
func (h *handler) Handle(ctx context.Context, request events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	header := map[string]string{
		"Content-Type":  "application/json",
		"Cache-Control": "no-store",
		"Vary":          "Origin",
	}
	if origin := headerValue(request, "Origin"); slices.Contains(h.allowedOrigins, origin) {
		header["Access-Control-Allow-Origin"] = origin
		header["Access-Control-Expose-Headers"] = "Retry-After" // a browser keeps all others from the client
	}
	answer, err := h.serve(ctx, request)
	if err != nil {
		refused := refuse(err)
		refused.RequestID = request.RequestContext.RequestID
		h.log(ctx, refused, err)
		for name, value := range refused.header {
			header[name] = value
		}
		return respond(refused.status, header, map[string]*refusal{"error": refused}), nil
	}
	return respond(http.StatusOK, header, representation{
		DisplayName: answer.DisplayName,
		Bio:         answer.Bio,
		Language:    answer.Language,
		CreatedAt:   answer.CreatedAt.UTC(),
		UpdatedAt:   answer.UpdatedAt.UTC(),
	}), nil
}

func (h *handler) serve(ctx context.Context, request events.APIGatewayProxyRequest) (answer profile.Profile, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerMargin))
		defer cancel()
	}
	if request.Resource != "/profile" {
		return profile.Profile{}, &refusal{status: http.StatusNotFound, Code: "not_found", Message: "There is nothing here; the profile is at /profile."}
	}
	if request.HTTPMethod != http.MethodGet && request.HTTPMethod != http.MethodPut {
		return profile.Profile{}, &refusal{
			status: http.StatusMethodNotAllowed, header: map[string]string{"Allow": "GET, PUT"},
			Code: "method_not_allowed", Message: "Read the profile with GET or replace it with PUT.",
		}
	}
	subject, err := subjectOf(request)
	if err != nil {
		return profile.Profile{}, err
	}
	if request.HTTPMethod == http.MethodGet {
		return h.profiles.Get(ctx, subject)
	}
	body, err := bodyOf(request)
	if err != nil {
		return profile.Profile{}, err
	}
	p, err := decodeProfile(body)
	if err != nil {
		return profile.Profile{}, err
	}
	p.Subject = subject
	if err := p.Validate(); err != nil {
		return profile.Profile{}, err
	}
	return h.profiles.Put(ctx, p)
}

// log writes the one line about a request that failed. What a client got wrong is its own affair and may hold
// personal data, so only the code is kept.
func (h *handler) log(ctx context.Context, refused *refusal, err error) {
	attributes := []slog.Attr{
		slog.String("apiRequestId", refused.RequestID),
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

// refuse says what the client is told about err.
func refuse(err error) *refusal {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	if invalid, ok := errors.AsType[*validate.Error](err); ok {
		return refuseProfile(invalid)
	}
	switch {
	case errors.Is(err, profile.ErrNotFound):
		return &refusal{status: http.StatusNotFound, Code: "profile_not_found", Message: "You have no profile yet; create it with PUT /profile."}
	case errors.Is(err, profile.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &refusal{
			status: http.StatusServiceUnavailable, header: map[string]string{"Retry-After": retryAfter},
			Code: "unavailable", Message: "Profiles are unavailable for the moment; try again in " + retryAfter + " seconds.",
		}
	default:
		return &refusal{status: http.StatusInternalServerError, Code: "internal", Message: "Something went wrong on our side; report it with this request id."}
	}
}

func refuseProfile(invalid *validate.Error) *refusal {
	refused := &refusal{status: http.StatusBadRequest, Code: "invalid_profile"}
	var sentences []string
	for _, problem := range invalid.Problems {
		refused.Fields = append(refused.Fields, fieldProblem{Field: problem.Field, Problem: problem.Problem})
		sentences = append(sentences, problem.Field+" "+problem.Problem+".")
	}
	refused.Message = strings.Join(sentences, " ")
	return refused
}

// subjectOf returns who is signed in. Only the claims that API Gateway's authoriser has verified say so.
func subjectOf(request events.APIGatewayProxyRequest) (string, error) {
	claims, _ := request.RequestContext.Authorizer["claims"].(map[string]any)
	subject, _ := claims["sub"].(string)
	if !profile.ValidSubject(subject) {
		return "", &refusal{status: http.StatusUnauthorized, Code: "unauthenticated", Message: "Sign in and send your token in the Authorization header."}
	}
	return subject, nil
}

// bodyOf returns the body of request, unless it is too large to be worth decoding.
func bodyOf(request events.APIGatewayProxyRequest) ([]byte, error) {
	tooLarge := &refusal{
		status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
		Message: fmt.Sprintf("The body is larger than %d bytes; shorten it.", maxBody),
	}
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
		return nil, invalidJSON("The body is not in base64, as it is declared to be")
	}
	if len(body) > maxBody {
		return nil, tooLarge
	}
	return body, nil
}

// headerValue returns the value of a header, whose name comes as the client wrote it.
func headerValue(request events.APIGatewayProxyRequest, name string) string {
	for header, value := range request.Headers {
		if strings.EqualFold(header, name) {
			return value
		}
	}
	return ""
}

func respond(status int, header map[string]string, body any) events.APIGatewayProxyResponse {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // only a time beyond the year 9999, which no column holds, has no encoding
	}
	return events.APIGatewayProxyResponse{StatusCode: status, Headers: header, Body: string(encoded)}
}
