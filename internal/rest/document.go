package rest

import (
	"encoding/json"
	"fmt"

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
func Add[S Service](document *Document, table Table[S]) {
	var service S
	table.register(document.api, service)
}

// JSON is the document, the same for the same tables.
func (d *Document) JSON() []byte {
	encoded, err := json.MarshalIndent(d.api.OpenAPI(), "", "  ")
	if err != nil {
		panic(fmt.Errorf("rest: %w", err))
	}
	return append(encoded, '\n')
}
