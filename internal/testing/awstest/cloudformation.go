package awstest

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
)

// CloudFormation is a fake of the presigned ResponseURL to which a custom resource's function sends
// its response to each event.
type CloudFormation struct {
	url       string
	responses chan CustomResourceResponse
}

// A CustomResourceResponse is the response of a custom resource's function to CloudFormation.
type CustomResourceResponse struct {
	Status             string // SUCCESS or FAILED
	Reason             string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
	Data               map[string]any
}

// StartCloudFormation returns a fake that runs until the test ends.
func StartCloudFormation(t testing.TB) *CloudFormation {
	c := &CloudFormation{responses: make(chan CustomResourceResponse, 1)}
	c.url = start(t, func(_ http.ResponseWriter, r *http.Request) {
		var response CustomResourceResponse
		err := json.NewDecoder(r.Body).Decode(&response)
		if err != nil || r.Method != http.MethodPut {
			t.Errorf("awstest: %s to the ResponseURL (%v), want PUT of a JSON object",
				r.Method, err)
		}
		select {
		case c.responses <- response:
		default:
			t.Error("awstest: the function responded twice to an event")
		}
	})
	return c
}

// Event returns the event in file with the fake's ResponseURL.
func (c *CloudFormation) Event(t testing.TB, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("awstest: %v", err)
	}
	var event map[string]any
	if err := json.Unmarshal(content, &event); err != nil {
		t.Fatalf("awstest: %s: %v", file, err)
	}
	event["ResponseURL"] = c.url + "/response?X-Amz-Signature=example"
	content, err = json.Marshal(event)
	if err != nil {
		t.Fatalf("awstest: %v", err)
	}
	return content
}

// Response returns the response to the last event. The function must have been invoked with the
// event.
func (c *CloudFormation) Response(t testing.TB) CustomResourceResponse {
	t.Helper()
	select {
	case response := <-c.responses:
		return response
	default:
		t.Fatal(
			"awstest: no response; CloudFormation would wait until the resource's ServiceTimeout")
		return CustomResourceResponse{}
	}
}
