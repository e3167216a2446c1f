package awstest

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Cognito is a fake Amazon Cognito user pool: AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER. It has
// users only.
type Cognito struct {
	service
	URL string

	userPoolID string
	users      []CognitoUser     // guarded by service.mu
	links      map[string]string // identity → user; guarded by service.mu
}

// A CognitoUser is a user of the user pool.
type CognitoUser struct {
	Username   string
	Status     string // CONFIRMED, EXTERNAL_PROVIDER, …
	Disabled   bool
	Attributes map[string]string

	Factors   []string // the configured second factors, such as SOFTWARE_TOKEN_MFA
	Preferred string   // the preferred one of Factors
}

// maxLinks is Cognito's limit of linked identities per user.
const maxLinks = 5

// StartCognito returns a fake user pool without users that runs until the test ends.
func StartCognito(t testing.TB, userPoolID string) *Cognito {
	c := &Cognito{userPoolID: userPoolID, links: map[string]string{}}
	c.URL = start(t, c.serve)
	return c
}

// SetUsers replaces the pool's users and removes all links.
func (c *Cognito) SetUsers(users ...CognitoUser) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users, c.links = users, map[string]string{}
}

// Users returns the names of the pool's users.
func (c *Cognito) Users() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, user := range c.users {
		names = append(names, user.Username)
	}
	return names
}

// Links returns the user name of each linked identity, by the identity's provider and subject:
// Google_1234.
func (c *Cognito) Links() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	links := map[string]string{}
	for identity, user := range c.links {
		links[identity] = user
	}
	return links
}

// A cognitoError is an error of the service, with the service's code and message.
type cognitoError struct{ code, message string }

func (c *Cognito) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "cognito-idp") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	operations := map[string]func([]byte) (any, *cognitoError){
		"ListUsers":                c.listUsers,
		"AdminGetUser":             c.adminGetUser,
		"AdminLinkProviderForUser": c.adminLinkProviderForUser,
		"AdminDeleteUser":          c.adminDeleteUser,
	}
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSCognitoIdentityProviderService.")
	operation, ok := operations[name]
	if !ok {
		jsonError(w, http.StatusBadRequest, "UnknownOperationException", "")
		return
	}
	// With an unread body, the server does not notice that a client disconnects.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		jsonError(w, http.StatusBadRequest, "SerializationException", "")
		return
	}
	fault := c.record(r, Call{Action: "cognito-idp:" + name, Resource: c.userPoolID})
	switch {
	case fault.NoResponse:
		return // the operation is not executed either
	case fault.Status != 0:
		jsonError(w, fault.Status, fault.Code, "")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	response, failure := operation(body)
	if failure != nil {
		jsonError(w, http.StatusBadRequest, failure.code, failure.message)
		return
	}
	writeJSON(w, http.StatusOK, response)
}

// decode decodes a request for the fake user pool.
func (c *Cognito) decode(body []byte, userPoolID *string, request any) *cognitoError {
	if err := json.Unmarshal(body, request); err != nil {
		return &cognitoError{"SerializationException", err.Error()}
	}
	if *userPoolID != c.userPoolID {
		return &cognitoError{
			"ResourceNotFoundException", "User pool " + *userPoolID + " does not exist.",
		}
	}
	return nil
}

// filter matches the emulated part of filters: the exact value of one attribute, with escaped
// quotes and backslashes.
var filter = regexp.MustCompile(`^(email|sub) = "((?:[^"\\]|\\["\\])+)"$`)

// listUsers returns an empty page, and then one user per page: the service may do both. Searches
// are case-insensitive ("Managing and searching for user accounts" in the Amazon Cognito Developer
// Guide).
func (c *Cognito) listUsers(body []byte) (any, *cognitoError) {
	var request struct{ UserPoolId, Filter, PaginationToken string }
	if failure := c.decode(body, &request.UserPoolId, &request); failure != nil {
		return nil, failure
	}
	parts := filter.FindStringSubmatch(request.Filter)
	if parts == nil {
		return nil, &cognitoError{"InvalidParameterException", "Error while parsing filter."}
	}
	attribute, value := parts[1], strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(parts[2])
	var found []CognitoUser
	for _, user := range c.users {
		if strings.EqualFold(user.Attributes[attribute], value) {
			found = append(found, user)
		}
	}
	page, more := map[string]any{"Users": []any{}}, len(found) > 0
	if request.PaginationToken != "" {
		index, err := strconv.Atoi(request.PaginationToken)
		if err != nil || index < 0 || index >= len(found) {
			return nil, &cognitoError{"InvalidParameterException", "Invalid pagination token."}
		}
		page["Users"], more = []any{found[index].wire()}, index+1 < len(found)
		request.PaginationToken = strconv.Itoa(index + 1)
	} else {
		request.PaginationToken = "0"
	}
	if more {
		page["PaginationToken"] = request.PaginationToken
	}
	return page, nil
}

// adminGetUser returns the user's fields in a list, and the factors if there are any: the service
// omits empty fields.
func (c *Cognito) adminGetUser(body []byte) (any, *cognitoError) {
	var request struct{ UserPoolId, Username string }
	if failure := c.decode(body, &request.UserPoolId, &request); failure != nil {
		return nil, failure
	}
	at := c.index(request.Username)
	if at < 0 {
		return nil, &cognitoError{"UserNotFoundException", "User does not exist."}
	}
	user := c.users[at].wire()
	user["UserAttributes"] = user["Attributes"]
	delete(user, "Attributes")
	if factors := c.users[at].Factors; len(factors) > 0 {
		user["UserMFASettingList"] = factors
	}
	if preferred := c.users[at].Preferred; preferred != "" {
		user["PreferredMfaSetting"] = preferred
	}
	return user, nil
}

// wire returns a user as in a list, without the factors.
func (u CognitoUser) wire() map[string]any {
	type attribute struct{ Name, Value string }
	attributes := []attribute{}
	for name, value := range u.Attributes {
		attributes = append(attributes, attribute{name, value})
	}
	return map[string]any{
		"Username": u.Username, "UserStatus": u.Status, "Enabled": !u.Disabled,
		"Attributes":     attributes,
		"UserCreateDate": 1793491200.123, "UserLastModifiedDate": 1793491200.123,
	}
}

func (c *Cognito) adminLinkProviderForUser(body []byte) (any, *cognitoError) {
	type identifier struct{ ProviderName, ProviderAttributeName, ProviderAttributeValue string }
	var request struct {
		UserPoolId                  string
		DestinationUser, SourceUser identifier
	}
	if failure := c.decode(body, &request.UserPoolId, &request); failure != nil {
		return nil, failure
	}
	source, destination := request.SourceUser, request.DestinationUser.ProviderAttributeValue
	if !slices.Contains([]string{"Google", "SignInWithApple"}, source.ProviderName) {
		return nil, &cognitoError{
			"InvalidParameterException",
			"The provider " + source.ProviderName + " does not exist for User Pool " + c.userPoolID,
		}
	}
	if source.ProviderAttributeName != "Cognito_Subject" || source.ProviderAttributeValue == "" {
		return nil, &cognitoError{"InvalidParameterException", "Invalid SourceUser"}
	}
	if provider := request.DestinationUser.ProviderName; provider != "Cognito" {
		destination = provider + "_" + destination
	}
	identity := source.ProviderName + "_" + source.ProviderAttributeValue
	at := c.index(destination)
	switch {
	case at < 0,
		request.DestinationUser.ProviderName == "Cognito" &&
			c.users[at].Status == "EXTERNAL_PROVIDER":
		return nil, &cognitoError{"UserNotFoundException", "User does not exist."}
	case c.links[identity] == c.users[at].Username:
		return nil, &cognitoError{
			"InvalidParameterException", "SourceUser is already linked to DestinationUser",
		}
	case c.index(identity) >= 0:
		return nil, &cognitoError{
			"InvalidParameterException",
			"Merging is not currently supported, provide a SourceUser that has not been " +
				"signed up in order to link",
		}
	}
	linked := 0
	for _, user := range c.links {
		if user == c.users[at].Username {
			linked++
		}
	}
	if linked == maxLinks {
		return nil, &cognitoError{
			"LimitExceededException", "Exceeded the limit of linked identities",
		}
	}
	c.links[identity] = c.users[at].Username
	return struct{}{}, nil
}

func (c *Cognito) adminDeleteUser(body []byte) (any, *cognitoError) {
	var request struct{ UserPoolId, Username string }
	if failure := c.decode(body, &request.UserPoolId, &request); failure != nil {
		return nil, failure
	}
	at := c.index(request.Username)
	if at < 0 {
		return nil, &cognitoError{"UserNotFoundException", "User does not exist."}
	}
	c.users = slices.Delete(slices.Clone(c.users), at, at+1)
	return struct{}{}, nil
}

// index returns the index of a user by the case-insensitive name, or of a local user by the sub; -1
// if there is none.
func (c *Cognito) index(name string) int {
	return slices.IndexFunc(c.users, func(user CognitoUser) bool {
		return strings.EqualFold(user.Username, name) ||
			user.Status != "EXTERNAL_PROVIDER" && user.Attributes["sub"] == name
	})
}
