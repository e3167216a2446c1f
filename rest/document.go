package rest

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/danielgtaylor/huma/v2"
)

// securityScheme is the name of the security scheme in the OpenAPI document.
const securityScheme = "UserPool"

// A Document is the OpenAPI document of an API that has one or more tables of routes.
type Document struct {
	api huma.API
}

// NewDocument returns a document without operations.
func NewDocument(title, version, description string) *Document {
	api := newAPI(&router{})
	document := api.OpenAPI()
	document.Info = &huma.Info{Title: title, Version: version, Description: description}
	document.Components.SecuritySchemes = map[string]*huma.SecurityScheme{securityScheme: {
		Type: "apiKey", In: "header", Name: "Authorization", // as API Gateway exports it
		Description: "ID token of a user of the user pool, without the prefix Bearer",
	}}
	return &Document{api: api}
}

// Add adds the routes of a table to document.
func Add[S any](document *Document, table Table[S]) {
	var service S
	table.register(document.api, service)
}

// allowUnknownFields allows additional properties in responses, so that a new field breaks no
// client. Requests stay as strict as the handlers are.
func (d *Document) allowUnknownFields() {
	schemas := d.api.OpenAPI().Components.Schemas
	requests := map[string]bool{}
	for _, item := range d.api.OpenAPI().Paths {
		for _, operation := range []*huma.Operation{item.Post, item.Put, item.Patch, item.Delete} {
			if operation != nil && operation.RequestBody != nil {
				collectSchemas(requests, schemas, operation.RequestBody.Content[contentType].Schema)
			}
		}
	}
	for name, schema := range schemas.Map() {
		if !requests[name] {
			schema.AdditionalProperties = nil
		}
	}
}

// collectSchemas adds the names of the schemas that a request consists of to requests.
func collectSchemas(requests map[string]bool, schemas huma.Registry, schema *huma.Schema) {
	if schema.Ref != "" {
		requests[path.Base(schema.Ref)] = true
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	if schema.Items != nil {
		collectSchemas(requests, schemas, schema.Items)
	}
	for _, property := range schema.Properties {
		collectSchemas(requests, schemas, property)
	}
}

// JSON returns the document as JSON. It is deterministic.
func (d *Document) JSON() []byte {
	d.allowUnknownFields()
	encoded, err := json.MarshalIndent(d.api.OpenAPI(), "", "  ")
	if err != nil {
		panic(fmt.Errorf("rest: %w", err))
	}
	return append(encoded, '\n')
}
