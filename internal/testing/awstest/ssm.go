package awstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// SSM is a fake Parameter Store of AWS Systems Manager: AWS_ENDPOINT_URL_SSM.
type SSM struct {
	service
	URL string

	parameters map[string]string // guarded by service.mu
}

// StartSSM returns a fake without parameters that runs until the test ends.
func StartSSM(t testing.TB) *SSM {
	s := &SSM{parameters: map[string]string{}}
	s.URL = start(t, s.serve)
	return s
}

// PutParameter creates or updates a String parameter.
func (s *SSM) PutParameter(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parameters[name] = value
}

// DeleteParameter deletes a parameter.
func (s *SSM) DeleteParameter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.parameters, name)
}

// parametersPerPage is the size of a page, regardless of MaxResults: the service guarantees no
// size.
const parametersPerPage = 2

func (s *SSM) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "ssm") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	if r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParametersByPath" {
		jsonError(w, http.StatusBadRequest, "UnknownOperationException", "")
		return
	}
	var request struct{ Path, NextToken string }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		jsonError(w, http.StatusBadRequest, "SerializationException", "")
		return
	}
	fault := s.record(r, Call{Action: "ssm:GetParametersByPath", Resource: request.Path})
	if fault.Status != 0 {
		jsonError(w, fault.Status, fault.Code, "")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.parameters {
		// Without Recursive, the service returns only direct children of the path.
		below, ok := strings.CutPrefix(name, strings.TrimSuffix(request.Path, "/")+"/")
		if ok && !strings.Contains(below, "/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	from := 0
	if request.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(request.NextToken); err != nil || from > len(names) {
			jsonError(w, http.StatusBadRequest, "InvalidNextToken",
				"The specified token isn't valid.")
			return
		}
	}
	to := min(from+parametersPerPage, len(names))
	page := map[string]any{"Parameters": []any{}}
	for _, name := range names[from:to] {
		page["Parameters"] = append(page["Parameters"].([]any), map[string]any{
			"ARN":              "arn:aws:ssm:eu-central-1:111111111111:parameter" + name,
			"DataType":         "text",
			"LastModifiedDate": 1793491200.0,
			"Name":             name,
			"Type":             "String",
			"Value":            s.parameters[name],
			"Version":          1,
		})
	}
	if to < len(names) {
		page["NextToken"] = strconv.Itoa(to)
	}
	writeJSON(w, http.StatusOK, page)
}
