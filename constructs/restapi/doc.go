// Package restapi provisions a REST API on API Gateway: functions and AWS services behind a Cognito
// authorizer, with CORS, request validation, throttling, logs and traces.
//
// [API.AddRoutes] connects a function whose routes are a table of package rest; [API.Handle] adds
// any other method. API Gateway rejects a request without a valid token, with a body that does not
// match the schema, or above the throttle, before a function is called. Its own errors have the
// form of package rest.
//
// # Resources
//
// A regional API with one stage, a request validator, a JSON model for each body, gateway
// responses, the preflight of each path (CORS), an authorizer if a method needs one, the log
// groups of access and execution logs, and the role by which API Gateway writes logs. An account
// has one such role in a region, for all its APIs.
//
// # Costs
//
// AWS bills requests and the data transferred out, the ingestion and storage of logs, traces
// (X-Ray), and the detailed metrics of each method that is called (CloudWatch). An API without
// requests costs nothing but the storage of its logs.
//
// # What cannot be undone
//
// The URL has the API's ID and the version. If the API is replaced, or Version changes, clients
// must get another URL. The role for logs stays when the stack is deleted.
package restapi
