package rest_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/rest"
)

type report struct {
	Body struct {
		Cracks []struct {
			_ struct{} `additionalProperties:"true"`

			Stone string `json:"stone" maxLength:"5"`
		} `json:"cracks" maxItems:"3" nullable:"false"`
	}
}

// integrated has a route of a service integration.
var integrated = rest.Table[any]{
	rest.ServiceIntegration[report, stone]("POST", "/cracks", "Report cracks", 202),
}

func TestServiceIntegration_is_known_to_the_gateway(t *testing.T) {
	got := integrated.Operations()
	body, err := json.Marshal(got[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	got[0].Body = nil
	if diff := cmp.Diff([]rest.Operation{{Method: "POST", Path: "/cracks", Access: rest.Public}},
		got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	const schema = `{"additionalProperties":false,"properties":{"cracks":{"items":` +
		`{"additionalProperties":true,"properties":{"stone":{"maxLength":5,"type":"string"}},` +
		`"required":["stone"],"type":"object"}` +
		`,"maxItems":3,"type":"array"}},"required":["cracks"],"type":"object"}`
	if string(body) != schema {
		t.Errorf("schema\n%s\nwant\n%s", body, schema)
	}
}

func TestServiceIntegration_is_in_the_document(t *testing.T) {
	document := rest.NewDocument("Quarry", "v1", "Stones.")
	rest.Add(document, integrated)
	var got struct {
		Paths map[string]map[string]struct {
			Security    []any
			RequestBody any
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(document.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	route := got.Paths["/cracks"]["post"]
	if route.Security != nil || route.RequestBody == nil || route.Responses["202"] == nil ||
		route.Responses["default"] == nil || len(route.Responses) != 2 {
		t.Errorf("%+v, want a public route with a body, and the responses 202 and default", route)
	}
}

func TestServiceIntegration_is_not_served_by_a_function(t *testing.T) {
	var log bytes.Buffer
	handler := rest.NewHandler(integrated, nil, rest.Settings{},
		slog.New(slog.NewJSONHandler(&log, nil)))
	response, err := handler.Handle(t.Context(),
		resttest.Request{Route: "POST /cracks", Body: `{"cracks":[]}`}.Event(t))
	if err != nil {
		t.Fatal(err)
	}
	resttest.ErrorOf(t, response, 500, "internal")
	if !strings.Contains(log.String(), "POST /cracks is a service integration") {
		t.Errorf("log %s", log.String())
	}
}
