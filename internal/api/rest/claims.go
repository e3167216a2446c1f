package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// Claims say who calls. They are from a token that API Gateway's authoriser has verified.
type Claims struct {
	Subject  string // the user's sub, by which everything of his is kept
	Username string // the user's name in the user pool
}

type callerKey struct{}

// Caller returns who calls a route that is [Authenticated]. It panics in any other.
func Caller(ctx context.Context) Claims {
	return ctx.Value(callerKey{}).(Claims)
}

// claims returns who is signed in. Only the claims that API Gateway's authoriser has verified say so. That the token is
// one of the API's own clients is looked at here as well, since an authoriser trusts every client of the user pool. The
// claims are those of "Using the ID token" and "Using the access token" in the Amazon Cognito Developer Guide: an ID token
// names its client in aud, an access token in client_id.
func (s Settings) claims(request events.APIGatewayProxyRequest) (Claims, error) {
	unauthenticated := NewError(http.StatusUnauthorized, "unauthenticated", "Sign in and send your token in the Authorization header.")
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
	if !slices.Contains(s.ClientIDs, client) || validate.UserName(caller.Subject) != "" || validate.UserName(caller.Username) != "" {
		return Claims{}, unauthenticated
	}
	return caller, nil
}
