package awstest

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
)

// CloudFormation stands in for the address that CloudFormation presigns for the answer to each event of a custom
// resource.
type CloudFormation struct {
	url     string
	responses chan CustomResourceResponse
}

// A CustomResourceResponse is what the function behind a custom resource tells CloudFormation.
type CustomResourceResponse struct {
	Status             string // SUCCESS or FAILED
	Reason             string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
	Data               map[string]any
}

// StartCloudFormation returns a stand-in that runs until the test ends.
func StartCloudFormation(t testing.TB) *CloudFormation {
	c := &CloudFormation{responses: make(chan CustomResourceResponse, 1)}
	c.url = start(t, func(_ http.ResponseWriter, r *http.Request) {
		var answer CustomResourceResponse
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || r.Method != http.MethodPut {
			t.Errorf("awstest: %s to the ResponseURL (%v), want PUT of a JSON object", r.Method, err)
		}
		select {
		case c.responses <- answer:
		default:
			t.Error("awstest: an event was answered twice")
		}
	})
	return c
}

// Event reads the event in file and has it answered here.
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

// Response returns the answer to the last event, which the function must have been invoked with.
func (c *CloudFormation) Response(t testing.TB) CustomResourceResponse {
	t.Helper()
	select {
	case answer := <-c.responses:
		return answer
	default:
		t.Fatal("awstest: CloudFormation was told nothing, and would wait until the resource's ServiceTimeout")
		return CustomResourceResponse{}
	}
}
