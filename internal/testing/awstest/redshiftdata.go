package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// RedshiftData is a fake Amazon Redshift Data API for one work group of Redshift Serverless with
// one database and one user: AWS_ENDPOINT_URL_REDSHIFT_DATA. It runs the SQL statements that
// create, alter and drop external schemas.
type RedshiftData struct {
	service
	URL string

	workgroup, database, secret string

	// The fields below are guarded by service.mu.
	schemas     map[string]ExternalSchema // by name
	statements  []*redshiftStatement      // the oldest first; an id is the index
	tokens      map[string]int            // the index of each token's statement
	polls       int
	finalStatus string // if set, statements end in this status and do not run
	finalReason string
}

// An ExternalSchema is the source of an external schema of a data warehouse.
type ExternalSchema struct {
	Catalog string // a database of the Glue Data Catalog
	Role    string
}

type redshiftStatement struct {
	sql    string
	polls  int // polls until it is run
	status string
	reason string
}

// StartRedshiftData returns a fake without external schemas that runs until the test ends.
func StartRedshiftData(t testing.TB, workgroup, database, secret string) *RedshiftData {
	r := &RedshiftData{
		workgroup: workgroup, database: database, secret: secret,
		schemas: map[string]ExternalSchema{}, tokens: map[string]int{},
	}
	r.URL = start(t, r.serve)
	return r
}

// PutSchema creates or replaces an external schema.
func (r *RedshiftData) PutSchema(name string, schema ExternalSchema) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schemas[name] = schema
}

// Schemas returns the external schemas by name.
func (r *RedshiftData) Schemas() map[string]ExternalSchema {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.schemas)
}

// Statements returns the SQL of all accepted statements, the oldest first. Requests with the same
// token count as one statement.
func (r *RedshiftData) Statements() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sql []string
	for _, statement := range r.statements {
		sql = append(sql, statement.sql)
	}
	return sql
}

// SetPollsUntilFinished sets how often later statements are polled before they run.
func (r *RedshiftData) SetPollsUntilFinished(polls int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.polls = polls
}

// SetFailure makes later statements end as FAILED or ABORTED for the reason. An empty status makes
// them run again.
func (r *RedshiftData) SetFailure(status, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finalStatus, r.finalReason = status, reason
}

func (r *RedshiftData) serve(w http.ResponseWriter, request *http.Request) {
	if !signed(request, "redshift-data") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	action, ok := strings.CutPrefix(request.Header.Get("X-Amz-Target"), "RedshiftData.")
	if !ok || action != "ExecuteStatement" && action != "DescribeStatement" {
		jsonError(w, http.StatusBadRequest, "UnknownOperationException", "")
		return
	}
	var in struct{ WorkgroupName, Database, SecretArn, Sql, ClientToken, Id string }
	if err := json.NewDecoder(request.Body).Decode(&in); err != nil {
		jsonError(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	named := in.WorkgroupName
	if action == "DescribeStatement" {
		named = in.Id
	}
	fault := r.record(request, Call{Action: "redshift-data:" + action, Resource: named})
	switch {
	case fault.Reset:
		reset(w)
		return
	case fault.Status != 0:
		jsonError(w, fault.Status, fault.Code, "")
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var response any
	var problem string
	if action == "ExecuteStatement" {
		response, problem = r.execute(in.WorkgroupName, in.Database, in.SecretArn, in.Sql,
			in.ClientToken)
	} else {
		response, problem = r.describe(in.Id)
	}
	switch {
	case fault.TruncateResponse:
		reset(w)
	case problem != "":
		jsonError(w, http.StatusBadRequest, "ValidationException", problem)
	default:
		writeJSON(w, http.StatusOK, response)
	}
}

// execute emulates ExecuteStatement as specified in the Amazon Redshift Data API Reference.
func (r *RedshiftData) execute(
	workgroup, database, secret, sql, token string,
) (response any, problem string) {
	if workgroup != r.workgroup || database != r.database || sql == "" || len(token) > 64 {
		return nil, fmt.Sprintf(
			"want work group %s, database %s, a statement and a token; got %q, %q, %q and %q",
			r.workgroup, r.database, workgroup, database, sql, token)
	}
	// The Data API reads the secret with the caller's permissions: "Configuring authorization for
	// the Amazon Redshift Data API" in the Amazon Redshift Management Guide.
	r.calls = append(r.calls, Call{Action: "secretsmanager:GetSecretValue", Resource: secret})
	if secret != r.secret {
		return nil, "Secrets Manager can't find the specified secret."
	}
	at, known := r.tokens[token]
	if !known {
		at = len(r.statements)
		r.statements = append(r.statements,
			&redshiftStatement{sql: sql, polls: r.polls, status: "SUBMITTED"})
		if token != "" {
			r.tokens[token] = at
		}
	}
	return map[string]any{
		"Id": fmt.Sprintf("%08d-0000-4000-8000-000000000000", at), "CreatedAt": 1793491200.0,
		"Database": database, "SecretArn": secret, "WorkgroupName": workgroup,
	}, ""
}

func (r *RedshiftData) describe(id string) (response any, problem string) {
	var at int
	n, err := fmt.Sscanf(id, "%08d-0000-4000-8000-000000000000", &at)
	if n != 1 || err != nil || at >= len(r.statements) {
		return nil, "there is no statement " + id
	}
	statement := r.statements[at]
	switch {
	case statement.status == "FINISHED" || statement.status == "FAILED" ||
		statement.status == "ABORTED":
	case statement.polls > 0:
		statement.polls--
		statement.status = "STARTED"
	case r.finalStatus != "":
		statement.status, statement.reason = r.finalStatus, r.finalReason
	default:
		statement.status, statement.reason = r.run(statement.sql)
	}
	found := map[string]any{
		"Id": id, "Status": statement.status, "QueryString": statement.sql,
		"WorkgroupName": r.workgroup, "Database": r.database,
		"CreatedAt": 1793491200.0, "UpdatedAt": 1793491200.0, "HasResultSet": false,
	}
	if statement.reason != "" {
		found["Error"] = statement.reason
	}
	return found, ""
}

// The emulated part of SQL.
var (
	createSchema = regexp.MustCompile(
		`^CREATE EXTERNAL SCHEMA IF NOT EXISTS (".+") ` +
			`FROM DATA CATALOG DATABASE ('.+') IAM_ROLE ('.+')$`)
	alterSchema = regexp.MustCompile(`^ALTER EXTERNAL SCHEMA (".+") IAM_ROLE ('.+')$`)
	dropSchema  = regexp.MustCompile(`^DROP SCHEMA IF EXISTS (".+")$`)
)

func (r *RedshiftData) run(sql string) (status, reason string) {
	if match := createSchema.FindStringSubmatch(sql); match != nil {
		if name := unquote(match[1]); r.schemas[name] == (ExternalSchema{}) {
			r.schemas[name] = ExternalSchema{Catalog: unquote(match[2]), Role: unquote(match[3])}
		}
		return "FINISHED", ""
	}
	if match := alterSchema.FindStringSubmatch(sql); match != nil {
		schema, ok := r.schemas[unquote(match[1])]
		if !ok {
			return "FAILED", "ERROR: schema " + match[1] + " does not exist"
		}
		schema.Role = unquote(match[2])
		r.schemas[unquote(match[1])] = schema
		return "FINISHED", ""
	}
	if match := dropSchema.FindStringSubmatch(sql); match != nil {
		delete(r.schemas, unquote(match[1]))
		return "FINISHED", ""
	}
	return "FAILED", "ERROR: syntax error at or near " + sql
}

// unquote returns the value of a quoted identifier or string.
func unquote(quoted string) string {
	quote := quoted[:1]
	inside := strings.ReplaceAll(quoted[1:len(quoted)-1], quote+quote, quote)
	if quote == "'" {
		inside = strings.ReplaceAll(inside, `\\`, `\`)
	}
	return inside
}
