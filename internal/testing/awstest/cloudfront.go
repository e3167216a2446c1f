package awstest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// CloudFront is a fake of Amazon CloudFront's invalidations: AWS_ENDPOINT_URL_CLOUDFRONT.
type CloudFront struct {
	service
	URL string

	// The fields below are guarded by service.mu.
	invalidations    map[string][]Invalidation // by distribution, the oldest first
	polls, throttled int
}

// An Invalidation is an invalidation request of a distribution.
type Invalidation struct {
	Reference string // the CallerReference
	Paths     []string

	polls int // polls until it is completed
}

// StartCloudFront returns a fake with one distribution that runs until the test ends.
func StartCloudFront(t testing.TB, distribution string) *CloudFront {
	c := &CloudFront{invalidations: map[string][]Invalidation{distribution: nil}}
	c.URL = start(t, c.serve)
	return c
}

// SetPollsUntilCompleted sets how often later invalidations are reported as in progress, including
// the response to their creation.
func (c *CloudFront) SetPollsUntilCompleted(polls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.polls = polls
}

// SetThrottledRequests throttles the next requests for an invalidation.
func (c *CloudFront) SetThrottledRequests(requests int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.throttled = requests
}

// Invalidations returns the invalidations of a distribution, the oldest first.
func (c *CloudFront) Invalidations(distribution string) []Invalidation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.invalidations[distribution])
}

const cloudFrontVersion = "2020-05-31"

func (c *CloudFront) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "cloudfront") {
		cloudFrontError(w, http.StatusForbidden, "MissingAuthenticationToken",
			"Missing Authentication Token")
		return
	}
	steps := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	isCreation := len(steps) == 4 && r.Method == http.MethodPost
	if !isCreation && (len(steps) != 5 || r.Method != http.MethodGet) ||
		steps[0] != cloudFrontVersion || steps[1] != "distribution" || steps[3] != "invalidation" {
		cloudFrontError(w, http.StatusBadRequest, "InvalidAction", r.Method+" "+r.URL.Path)
		return
	}
	distribution, action := steps[2], "cloudfront:GetInvalidation"
	if isCreation {
		action = "cloudfront:CreateInvalidation"
	}
	if fault := c.record(r, Call{Action: action, Resource: distribution}); fault.Status != 0 {
		cloudFrontError(w, fault.Status, fault.Code, "")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.invalidations[distribution]
	if !ok {
		cloudFrontError(w, http.StatusNotFound, "NoSuchDistribution",
			"The specified distribution does not exist.")
		return
	}
	if isCreation {
		c.create(w, r, distribution)
		return
	}
	at := slices.IndexFunc(known, func(i Invalidation) bool {
		return invalidationID(i.Reference) == steps[4]
	})
	if at < 0 {
		cloudFrontError(w, http.StatusNotFound, "NoSuchInvalidation",
			"The specified invalidation does not exist.")
		return
	}
	known[at].polls--
	writeInvalidation(w, http.StatusOK, known[at])
}

// create emulates CreateInvalidation as specified in the Amazon CloudFront API Reference, as far as
// the caller reference is concerned.
func (c *CloudFront) create(w http.ResponseWriter, r *http.Request, distribution string) {
	var batch struct {
		XMLName  xml.Name `xml:"http://cloudfront.amazonaws.com/doc/2020-05-31/ InvalidationBatch"`
		Paths    []string `xml:"Paths>Items>Path"`
		Quantity int      `xml:"Paths>Quantity"`
		Caller   string   `xml:"CallerReference"`
	}
	if err := xml.NewDecoder(r.Body).Decode(&batch); err != nil || batch.Caller == "" {
		cloudFrontError(w, http.StatusBadRequest, "InvalidArgument",
			fmt.Sprintf("want an invalidation batch with a CallerReference: %v", err))
		return
	}
	if batch.Quantity != len(batch.Paths) || len(batch.Paths) == 0 {
		cloudFrontError(w, http.StatusBadRequest, "InconsistentQuantities",
			"The value of Quantity and the size of Items don't match.")
		return
	}
	if c.throttled > 0 {
		c.throttled--
		cloudFrontError(w, http.StatusBadRequest, "TooManyInvalidationsInProgress",
			"Processing your request will cause you to exceed the maximum number of in-progress "+
				"wildcard invalidations.")
		return
	}
	known := c.invalidations[distribution]
	at := slices.IndexFunc(known, func(i Invalidation) bool { return i.Reference == batch.Caller })
	if at >= 0 {
		if !slices.Equal(known[at].Paths, batch.Paths) {
			cloudFrontError(w, http.StatusBadRequest, "InvalidArgument",
				"Your request contains a caller reference that was used for other paths.")
			return
		}
		writeInvalidation(w, http.StatusCreated, known[at])
		return
	}
	created := Invalidation{Reference: batch.Caller, Paths: batch.Paths, polls: c.polls - 1}
	c.invalidations[distribution] = append(known, created)
	writeInvalidation(w, http.StatusCreated, created)
}

func invalidationID(reference string) string {
	return "I" + strings.ToUpper(strings.ReplaceAll(reference, "-", ""))
}

func writeInvalidation(w http.ResponseWriter, status int, invalidation Invalidation) {
	type paths struct {
		Quantity int
		Path     []string `xml:"Items>Path"`
	}
	body := struct {
		XMLName    xml.Name `xml:"http://cloudfront.amazonaws.com/doc/2020-05-31/ Invalidation"`
		ID         string   `xml:"Id"`
		Status     string
		CreateTime string
		Paths      paths  `xml:"InvalidationBatch>Paths"`
		Caller     string `xml:"InvalidationBatch>CallerReference"`
	}{
		ID:         invalidationID(invalidation.Reference),
		Status:     "Completed",
		CreateTime: "2026-11-01T00:00:00.000Z",
		Paths:      paths{len(invalidation.Paths), invalidation.Paths},
		Caller:     invalidation.Reference,
	}
	if invalidation.polls >= 0 {
		body.Status = "InProgress"
	}
	writeXML(w, status, body)
}

func cloudFrontError(w http.ResponseWriter, status int, code, message string) {
	writeXML(w, status, struct {
		XMLName   xml.Name `xml:"http://cloudfront.amazonaws.com/doc/2020-05-31/ ErrorResponse"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}{Code: code, Message: message, RequestID: requestID})
}
