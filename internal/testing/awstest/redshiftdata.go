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

// RedshiftData stands in for the Amazon Redshift Data API, in front of one work group of Redshift Serverless with one
// database and one user: AWS_ENDPOINT_URL_REDSHIFT_DATA. Of SQL it understands what makes, changes and drops external
// schemas.
type RedshiftData struct {
	service
	URL string

	workgroup, database, secret string

	schemas    map[string]ExternalSchema // by name; held by service.mu, as what follows
	statements []*redshiftStatement      // the oldest first; an id is the index
	tokens     map[string]int            // the statement of each token
	polls      int
	finalStatus       string // what statements come to
	finalReason     string
}

// An ExternalSchema is what a schema of a data warehouse shows.
type ExternalSchema struct {
	Catalog string // a database of the Glue Data Catalog
	Role    string
}

type redshiftStatement struct {
	sql    string
	polls  int // until it is run
	status string
	reason string
}

// StartRedshiftData returns a stand-in without external schemas that runs until the test ends.
func StartRedshiftData(t testing.TB, workgroup, database, secret string) *RedshiftData {
	r := &RedshiftData{workgroup: workgroup, database: database, secret: secret, schemas: map[string]ExternalSchema{}, tokens: map[string]int{}}
	r.URL = start(t, r.serve)
	return r
}

// PutSchema makes an external schema, or changes what it shows.
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

// Statements returns the SQL of all that was taken, the oldest first; what came twice by one token is there once.
func (r *RedshiftData) Statements() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sql []string
	for _, statement := range r.statements {
		sql = append(sql, statement.sql)
	}
	return sql
}

// SetPollsUntilFinished has later statements wait for so many looks at them before they are run.
func (r *RedshiftData) SetPollsUntilFinished(looks int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.polls = looks
}

// SetFailure has later statements end as FAILED or ABORTED, for that reason. An empty status has them run again.
func (r *RedshiftData) SetFailure(status, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finalStatus, r.finalReason = status, reason
}

func (r *RedshiftData) serve(w http.ResponseWriter, request *http.Request) {
	if !signed(request, "redshift-data") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
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
	on := in.WorkgroupName
	if action == "DescribeStatement" {
		on = in.Id
	}
	fault := r.record(request, Call{Action: "redshift-data:" + action, Resource: on})
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
	var answer any
	var wrong string
	if action == "ExecuteStatement" {
		answer, wrong = r.execute(in.WorkgroupName, in.Database, in.SecretArn, in.Sql, in.ClientToken)
	} else {
		answer, wrong = r.describe(in.Id)
	}
	switch {
	case fault.Cut:
		reset(w)
	case wrong != "":
		jsonError(w, http.StatusBadRequest, "ValidationException", wrong)
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

// execute answers as ExecuteStatement in the Amazon Redshift Data API Reference says.
func (r *RedshiftData) execute(workgroup, database, secret, sql, token string) (answer any, wrong string) {
	if workgroup != r.workgroup || database != r.database || sql == "" || len(token) > 64 {
		return nil, fmt.Sprintf("work group %s and database %s, a statement and a token, not %q, %q, %q and %q", r.workgroup, r.database, workgroup, database, sql, token)
	}
	// The Data API reads the secret in its caller's name: "Configuring authorization for the Amazon Redshift Data API" in
	// the Amazon Redshift Management Guide.
	r.calls = append(r.calls, Call{Action: "secretsmanager:GetSecretValue", Resource: secret})
	if secret != r.secret {
		return nil, "Secrets Manager can't find the specified secret."
	}
	at, known := r.tokens[token]
	if !known {
		at = len(r.statements)
		r.statements = append(r.statements, &redshiftStatement{sql: sql, polls: r.polls, status: "SUBMITTED"})
		if token != "" {
			r.tokens[token] = at
		}
	}
	return map[string]any{
		"Id": fmt.Sprintf("%08d-0000-4000-8000-000000000000", at), "CreatedAt": 1793491200.0,
		"Database": database, "SecretArn": secret, "WorkgroupName": workgroup,
	}, ""
}

func (r *RedshiftData) describe(id string) (answer any, wrong string) {
	var at int
	if n, err := fmt.Sscanf(id, "%08d-0000-4000-8000-000000000000", &at); n != 1 || err != nil || at >= len(r.statements) {
		return nil, "there is no statement " + id
	}
	statement := r.statements[at]
	switch {
	case statement.status == "FINISHED" || statement.status == "FAILED" || statement.status == "ABORTED":
	case statement.polls > 0:
		statement.polls--
		statement.status = "STARTED"
	case r.finalStatus != "":
		statement.status, statement.reason = r.finalStatus, r.finalReason
	default:
		statement.status, statement.reason = r.run(statement.sql)
	}
	found := map[string]any{
		"Id": id, "Status": statement.status, "QueryString": statement.sql, "WorkgroupName": r.workgroup, "Database": r.database,
		"CreatedAt": 1793491200.0, "UpdatedAt": 1793491200.0, "HasResultSet": false,
	}
	if statement.reason != "" {
		found["Error"] = statement.reason
	}
	return found, ""
}

// What is understood of SQL.
var (
	createSchema = regexp.MustCompile(`^CREATE EXTERNAL SCHEMA IF NOT EXISTS (".+") FROM DATA CATALOG DATABASE ('.+') IAM_ROLE ('.+')$`)
	alterSchema  = regexp.MustCompile(`^ALTER EXTERNAL SCHEMA (".+") IAM_ROLE ('.+')$`)
	dropSchema   = regexp.MustCompile(`^DROP SCHEMA IF EXISTS (".+")$`)
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

// unquote is what a quoted identifier or text stands for.
func unquote(quoted string) string {
	quote := quoted[:1]
	inside := strings.ReplaceAll(quoted[1:len(quoted)-1], quote+quote, quote)
	if quote == "'" {
		inside = strings.ReplaceAll(inside, `\\`, `\`)
	}
	return inside
}
