package awstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// SSM stands in for AWS Systems Manager's Parameter Store: AWS_ENDPOINT_URL_SSM.
type SSM struct {
	service
	URL string

	parameters map[string]string // held by service.mu
}

// StartSSM returns a stand-in without parameters that runs until the test ends.
func StartSSM(t testing.TB) *SSM {
	s := &SSM{parameters: map[string]string{}}
	s.URL = start(t, s.serve)
	return s
}

// PutParameter makes a String parameter, or gives it another value.
func (s *SSM) PutParameter(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parameters[name] = value
}

// DeleteParameter takes a parameter away.
func (s *SSM) DeleteParameter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.parameters, name)
}

// parametersPerPage is how many parameters a page has, however many are asked for: the service promises no number.
const parametersPerPage = 2

func (s *SSM) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "ssm") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
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
		// Not what lies deeper, unless the request is Recursive.
		if below, ok := strings.CutPrefix(name, strings.TrimSuffix(request.Path, "/")+"/"); ok && !strings.Contains(below, "/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	from := 0
	if request.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(request.NextToken); err != nil || from > len(names) {
			jsonError(w, http.StatusBadRequest, "InvalidNextToken", "The specified token isn't valid.")
			return
		}
	}
	to := min(from+parametersPerPage, len(names))
	answer := map[string]any{"Parameters": []any{}}
	for _, name := range names[from:to] {
		answer["Parameters"] = append(answer["Parameters"].([]any), map[string]any{
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
		answer["NextToken"] = strconv.Itoa(to)
	}
	writeJSON(w, http.StatusOK, answer)
}
