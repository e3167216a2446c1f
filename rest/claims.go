package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// Claims identify the caller. They are from a token that API Gateway's authorizer has verified.
type Claims struct {
	Subject  string // the user's sub, the key of all of the user's data
	Username string // the user's name in the user pool
}

type callerKey struct{}

// Caller returns the claims of the caller of an [Authenticated] route. It panics in any other
// route.
func Caller(ctx context.Context) Claims {
	return ctx.Value(callerKey{}).(Claims)
}

// claims returns the claims of the signed-in user. It reads only claims that API Gateway's
// authorizer has verified. It also checks that the token was issued to one of the API's own
// clients, since an authorizer accepts every client of the user pool. The claims are those of
// "Using the ID token" and "Using the access token" in the Amazon Cognito Developer Guide: an ID
// token names its client in aud, an access token in client_id.
func (s Settings) claims(request events.APIGatewayProxyRequest) (Claims, error) {
	unauthenticated := NewError(http.StatusUnauthorized, "unauthenticated",
		"Sign in and send your token in the Authorization header.")
	claims, _ := request.RequestContext.Authorizer["claims"].(map[string]any)
	text := func(name string) string {
		value, _ := claims[name].(string)
		return value
	}
	var client, username string
	switch text("token_use") {
	case "id":
		client, username = text("aud"), text("cognito:username")
	case "access":
		client, username = text("client_id"), text("username")
	default:
		return Claims{}, unauthenticated
	}
	caller := Claims{Subject: text("sub"), Username: username}
	if !slices.Contains(s.ClientIDs, client) || validate.UserName(caller.Subject) != "" ||
		validate.UserName(caller.Username) != "" {
		return Claims{}, unauthenticated
	}
	return caller, nil
}
