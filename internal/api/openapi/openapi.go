// Package openapi is the document of the whole API, for its clients: docs/openapi.json.
package openapi

import (
	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/eventsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
)

// Document returns the OpenAPI document, from all tables of routes.
func Document() []byte {
	document := rest.NewDocument("Ashlar", "v1", "The API of the Ashlar platform.")
	rest.Add(document, accountsapi.Routes)
	rest.Add(document, eventsapi.Routes)
	rest.Add(document, postsapi.Routes)
	rest.Add(document, uploadsapi.Routes)
	rest.Add(document, subscriptionsapi.Routes)
	return document.JSON()
}
