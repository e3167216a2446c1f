package rest

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/danielgtaylor/huma/v2"
)

// securityScheme names the sign-in in the OpenAPI document.
const securityScheme = "UserPool"

// A Document is the OpenAPI document of an API, of one or more tables.
type Document struct {
	api huma.API
}

// NewDocument returns a document without operations.
func NewDocument(title, version, description string) *Document {
	api := newAPI(&router{})
	document := api.OpenAPI()
	document.Info = &huma.Info{Title: title, Version: version, Description: description}
	document.Components.SecuritySchemes = map[string]*huma.SecurityScheme{securityScheme: {
		Type: "apiKey", In: "header", Name: "Authorization", // as API Gateway calls it when it exports an API
		Description: "The ID token of a user of the user pool, as it is",
	}}
	return &Document{api: api}
}

// Add puts the routes of a table into document.
func Add[S any](document *Document, table Table[S]) {
	var service S
	table.register(document.api, service)
}

// allowUnknownFields lets answers have more than their clients know of. Requests stay as strict as the handlers are.
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

// collectSchemas names the schemas that a request is made of.
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

// JSON is the document, the same for the same tables.
func (d *Document) JSON() []byte {
	d.allowUnknownFields()
	encoded, err := json.MarshalIndent(d.api.OpenAPI(), "", "  ")
	if err != nil {
		panic(fmt.Errorf("rest: %w", err))
	}
	return append(encoded, '\n')
}
