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

// Cognito stands in for the users of one Amazon Cognito user pool: AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER.
type Cognito struct {
	service
	URL string

	userPoolID string
	users      []CognitoUser     // held by service.mu
	links      map[string]string // identity → user; held by service.mu
}

// A CognitoUser is somebody in the user pool.
type CognitoUser struct {
	Username   string
	Status     string // CONFIRMED, EXTERNAL_PROVIDER, …
	Disabled   bool
	Attributes map[string]string

	Factors   []string // the second factors that are set up, such as SOFTWARE_TOKEN_MFA
	Preferred string   // the one of them that is asked for first
}

// maxLinks is how many identities Cognito links to one user.
const maxLinks = 5

// StartCognito returns a stand-in for a user pool without users that runs until the test ends.
func StartCognito(t testing.TB, userPoolID string) *Cognito {
	c := &Cognito{userPoolID: userPoolID, links: map[string]string{}}
	c.URL = start(t, c.serve)
	return c
}

// SetUsers makes these the pool's users, without links.
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

// Links returns the name of the user that each linked identity signs in as, by its provider and subject: Google_1234.
func (c *Cognito) Links() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	links := map[string]string{}
	for identity, user := range c.links {
		links[identity] = user
	}
	return links
}

// A cognitoError is the service's, in its own words.
type cognitoError struct{ code, message string }

func (c *Cognito) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "cognito-idp") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
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
	body, err := io.ReadAll(r.Body) // while there is any left, the server does not notice a caller who gives up
	if err != nil {
		jsonError(w, http.StatusBadRequest, "SerializationException", "")
		return
	}
	fault := c.record(r, Call{Action: "cognito-idp:" + name, Resource: c.userPoolID})
	switch {
	case fault.Silent:
		return // what was asked for is not done either
	case fault.Status != 0:
		jsonError(w, fault.Status, fault.Code, "")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, failure := operation(body)
	if failure != nil {
		jsonError(w, http.StatusBadRequest, failure.code, failure.message)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// decode reads a request for the stand-in's user pool.
func (c *Cognito) decode(body []byte, userPoolID *string, request any) *cognitoError {
	if err := json.Unmarshal(body, request); err != nil {
		return &cognitoError{"SerializationException", err.Error()}
	}
	if *userPoolID != c.userPoolID {
		return &cognitoError{"ResourceNotFoundException", "User pool " + *userPoolID + " does not exist."}
	}
	return nil
}

// filter is what is understood of filters: one attribute's exact value, in which quotes and backslashes are escaped.
var filter = regexp.MustCompile(`^(email|sub) = "((?:[^"\\]|\\["\\])+)"$`)

// listUsers answers one user a page, and an empty page before the first: both are what the service may do. Searches
// disregard case ("Managing and searching for user accounts" in the Amazon Cognito Developer Guide).
func (c *Cognito) listUsers(body []byte) (any, *cognitoError) {
	var request struct{ UserPoolId, Filter, PaginationToken string }
	if failure := c.decode(body, &request.UserPoolId, &request); failure != nil {
		return nil, failure
	}
	asked := filter.FindStringSubmatch(request.Filter)
	if asked == nil {
		return nil, &cognitoError{"InvalidParameterException", "Error while parsing filter."}
	}
	attribute, value := asked[1], strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(asked[2])
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

// adminGetUser answers what a list has, and the factors if there are any: the service leaves out what is empty.
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

// wire is a user as in a list, which does not have the factors.
func (u CognitoUser) wire() map[string]any {
	type attribute struct{ Name, Value string }
	attributes := []attribute{}
	for name, value := range u.Attributes {
		attributes = append(attributes, attribute{name, value})
	}
	return map[string]any{
		"Username": u.Username, "UserStatus": u.Status, "Enabled": !u.Disabled, "Attributes": attributes,
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
		return nil, &cognitoError{"InvalidParameterException", "The provider " + source.ProviderName + " does not exist for User Pool " + c.userPoolID}
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
	case at < 0, request.DestinationUser.ProviderName == "Cognito" && c.users[at].Status == "EXTERNAL_PROVIDER":
		return nil, &cognitoError{"UserNotFoundException", "User does not exist."}
	case c.links[identity] == c.users[at].Username:
		return nil, &cognitoError{"InvalidParameterException", "SourceUser is already linked to DestinationUser"}
	case c.index(identity) >= 0:
		return nil, &cognitoError{"InvalidParameterException", "Merging is not currently supported, provide a SourceUser that has not been signed up in order to link"}
	}
	linked := 0
	for _, user := range c.links {
		if user == c.users[at].Username {
			linked++
		}
	}
	if linked == maxLinks {
		return nil, &cognitoError{"LimitExceededException", "Exceeded the limit of linked identities"}
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

// index finds a user by name, whose case the pool disregards, or a local one by the sub; it is -1 if there is none.
func (c *Cognito) index(name string) int {
	return slices.IndexFunc(c.users, func(user CognitoUser) bool {
		return strings.EqualFold(user.Username, name) || user.Status != "EXTERNAL_PROVIDER" && user.Attributes["sub"] == name
	})
}
