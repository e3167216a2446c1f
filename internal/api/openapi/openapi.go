// Package openapi provides the OpenAPI document of the complete API: docs/openapi.json.
package openapi

import (
	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/eventsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Document returns the OpenAPI document of all tables of routes.
func Document() []byte {
	document := rest.NewDocument("Ashlar", "v1", "API of the Ashlar platform")
	rest.Add(document, accountsapi.Routes)
	rest.Add(document, eventsapi.Routes)
	rest.Add(document, postsapi.Routes)
	rest.Add(document, uploadsapi.Routes)
	rest.Add(document, subscriptionsapi.Routes)
	return document.JSON()
}
