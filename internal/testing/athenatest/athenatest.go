// Package athenatest emulates Amazon Athena over HTTP, in the service's wire format. It runs the
// queries on Trino, the engine that Athena is built on. Trino reads the Parquet files of tables, as
// declared in the Glue Data Catalog, from the test's S3 server. The package records the IAM actions
// that a policy has to allow, and fails calls and queries on purpose.
//
// Trino is not Athena: it has no work groups, no limits, and some additional functions.
package athenatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
)

// WorkGroup and Database are the names that a function is configured with.
const (
	WorkGroup = "reports"
	Database  = "telemetry"
)

// ResultsBucket is the bucket to which the work group writes results.
const ResultsBucket = "athena-results"

// A Server is a fake Athena with one work group and one database: AWS_ENDPOINT_URL_ATHENA.
type Server struct {
	awstest.Recorder
	URL string

	trino  *trino
	tables []Table
	// ctx is the context of the queries, which outlive the requests that start them.
	ctx context.Context //nolint:containedctx // see above

	mu         sync.Mutex
	executions []*execution
	outcome    func(Query) Outcome
	page       int
}

// A Query is a query that was started.
type Query struct {
	ID         string
	Token      string
	SQL        string
	Parameters []string
	State      string // QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED
	Submitted  time.Time
}

// An Outcome is the configured outcome of a query. The zero Outcome runs the query on Trino.
type Outcome struct {
	State     string   // FAILED, CANCELLED or SUCCEEDED
	Columns   []string // of the result of a query that SUCCEEDED; the result has no rows
	Reason    string
	Category  int32 // of a failed query's error: 1 system, 2 user, 3 other
	Retryable bool
	Hang      bool // run until the query is stopped
}

type execution struct {
	Query
	reason    string
	category  int32
	retryable bool
	completed time.Time
	result    result
	cancel    context.CancelFunc
}

// Start returns a fake Athena without tables that reads from the S3 server objects and runs until
// the test ends.
func Start(t testing.TB, objects *s3test.Server) *Server {
	t.Helper()
	url, err := engine()
	if err != nil {
		t.Fatalf("athenatest: %v", err)
	}
	catalog := "test" + strings.ReplaceAll(uuid.NewString(), "-", "")
	s := &Server{trino: &trino{url, catalog, Database}, ctx: t.Context(), page: 1000}
	objects.Bucket(t, catalog) // for the catalog's own files
	for _, statement := range []string{
		"CREATE CATALOG " + catalog + " USING hive " + withClause(
			[2]string{`"hive.metastore"`, "'file'"},
			[2]string{`"hive.metastore.catalog.dir"`, literal("s3://" + catalog + "/")},
			[2]string{`"hive.partition-projection-enabled"`, "'true'"},
			[2]string{`"hive.recursive-directories"`, "'true'"}, // as Athena does
			[2]string{`"fs.hadoop.enabled"`, "'false'"},
			[2]string{`"fs.native-s3.enabled"`, "'true'"},
			[2]string{`"s3.endpoint"`, literal(objects.DirectURL)},
			[2]string{`"s3.region"`, literal(objects.Client.Options().Region)},
			[2]string{`"s3.path-style-access"`, "'true'"},
		),
		"CREATE SCHEMA " + Database,
	} {
		if _, err := s.trino.run(t.Context(), statement); err != nil {
			t.Fatalf("athenatest: %s: %v", statement, err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		server.CloseClientConnections() // Close would wait for requests without a response
		server.Close()
		if _, err := s.trino.run(context.Background(), "DROP CATALOG "+catalog); err != nil {
			t.Errorf("athenatest: %v", err)
		}
	})
	s.URL = server.URL
	return s
}

// SetOutcome sets the function that returns the outcome of each query that is started from now on.
// A nil f resets it.
func (s *Server) SetOutcome(f func(Query) Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcome = f
}

// SetPageSize sets the maximum number of rows in a page of results, including the row of column
// names. The default is Athena's, 1000.
func (s *Server) SetPageSize(rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = rows
}

// Queries returns the queries that were started so far, the oldest first.
func (s *Server) Queries() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	var queries []Query
	for _, execution := range s.executions {
		queries = append(queries, execution.Query)
	}
	return queries
}

// Run runs a statement for the test itself and returns its rows. Values are nil, strings,
// [json.Number] or bools.
func (s *Server) Run(t testing.TB, statement string) [][]any {
	t.Helper()
	result, err := s.trino.run(t.Context(), statement)
	if err != nil {
		t.Fatalf("athenatest: %s: %v", statement, err)
	}
	return result.rows
}

// An apiError is an error response: "Common errors" and the errors of each action in the Amazon
// Athena API Reference.
type apiError struct{ code, message string }

func (e *apiError) Error() string { return e.code + ": " + e.message }

func invalid(format string, arguments ...any) error {
	return &apiError{"InvalidRequestException", fmt.Sprintf(format, arguments...)}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Authorization")
	if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=") ||
		!strings.Contains(authorization, "/athena/aws4_request") {
		writeError(w, http.StatusForbidden, "MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "AmazonAthena.")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has disconnected
	}
	var do func([]byte) (any, error)
	switch operation {
	case "StartQueryExecution":
		do = call(s.start)
	case "GetQueryExecution":
		do = call(s.get)
	case "GetQueryResults":
		do = call(s.results)
	case "StopQueryExecution":
		do = call(s.stop)
	default:
		writeError(w, http.StatusBadRequest, "UnknownOperationException", "")
		return
	}
	needed := s.actions(operation, body)
	s.Record(needed...)
	fault := awstest.Fault{}
	for _, call := range needed {
		if fault == (awstest.Fault{}) {
			fault = s.FaultOf(call)
		}
	}
	switch {
	case fault.NoResponse:
		<-r.Context().Done()
		return
	case fault.Reset:
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		writeError(w, fault.Status, fault.Code, "on purpose")
		return
	}
	response, err := do(body)
	if fault.TruncateResponse {
		panic(http.ErrAbortHandler)
	}
	if failure, ok := errors.AsType[*apiError](err); ok {
		writeError(w, http.StatusBadRequest, failure.code, failure.message)
		return
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	write(w, http.StatusOK, response)
}

// call returns a handler that decodes the request of f and calls f.
func call[T any](f func(T) (any, error)) func([]byte) (any, error) {
	return func(body []byte) (any, error) {
		var request T
		if err := json.Unmarshal(body, &request); err != nil {
			return nil, err
		}
		return f(request)
	}
}

func write(w http.ResponseWriter, status int, response any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(response) // a client that has disconnected reports its own error
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	write(w, status, map[string]string{"__type": code, "Message": message})
}

// actions returns the IAM actions that a policy has to allow. Athena reads the catalog and the
// tables' files, and writes results, with the permissions of the caller that starts a query:
// "Identity and access management in Athena" in the Amazon Athena User Guide. It requests no
// partitions of a table with partition projection. No call names the key that encrypts the files.
func (s *Server) actions(operation string, body []byte) []awstest.Call {
	needed := []awstest.Call{{Action: "athena:" + operation, Resource: "workgroup/" + WorkGroup}}
	results := "arn:aws:s3:::" + ResultsBucket
	switch operation {
	case "StartQueryExecution":
		var request startRequest
		_ = json.Unmarshal(body, &request) // invalid JSON is rejected later
		needed = append(needed,
			awstest.Call{Action: "glue:GetDatabase", Resource: "database/" + Database})
		for _, table := range s.tablesIn(request.QueryString) {
			location := strings.TrimPrefix(table.StorageDescriptor.Location, "s3://")
			name, prefix, _ := strings.Cut(location, "/")
			tableARN, bucket := "table/"+Database+"/"+table.Name, "arn:aws:s3:::"+name
			needed = append(needed,
				awstest.Call{Action: "glue:GetTable", Resource: tableARN},
				awstest.Call{Action: "s3:GetBucketLocation", Resource: bucket},
				awstest.Call{Action: "s3:ListBucket", Resource: bucket},
				awstest.Call{Action: "s3:GetObject", Resource: bucket + "/" + prefix + "*"})
		}
		needed = append(needed,
			awstest.Call{Action: "s3:GetBucketLocation", Resource: results},
			awstest.Call{Action: "s3:ListBucketMultipartUploads", Resource: results},
			awstest.Call{Action: "s3:ListMultipartUploadParts", Resource: results + "/*"},
			awstest.Call{Action: "s3:AbortMultipartUpload", Resource: results + "/*"},
			awstest.Call{Action: "s3:PutObject", Resource: results + "/*"})
	case "GetQueryResults":
		needed = append(needed, awstest.Call{Action: "s3:GetObject", Resource: results + "/*"})
	}
	return needed
}

type startRequest struct {
	QueryString           string
	ClientRequestToken    string
	ExecutionParameters   []string
	WorkGroup             string
	QueryExecutionContext struct{ Database string }
}

func (s *Server) start(request startRequest) (any, error) {
	if n := len(request.ClientRequestToken); n < 32 || n > 128 {
		return nil, invalid("the token has %d characters", n)
	}
	if n := len(request.QueryString); n < 1 || n > 262_144 {
		return nil, invalid("the query has %d bytes", n)
	}
	if request.WorkGroup != WorkGroup {
		return nil, invalid("WorkGroup %s is not found.", request.WorkGroup)
	}
	if request.QueryExecutionContext.Database != Database {
		return nil, invalid("Database %s is not found.", request.QueryExecutionContext.Database)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, earlier := range s.executions {
		if earlier.Token != request.ClientRequestToken {
			continue
		}
		if earlier.SQL != request.QueryString ||
			!slices.Equal(earlier.Parameters, request.ExecutionParameters) {
			return nil, invalid("Idempotent parameters do not match")
		}
		return map[string]string{"QueryExecutionId": earlier.ID}, nil
	}
	ctx, cancel := context.WithCancel(s.ctx)
	started := &execution{
		Query: Query{
			ID:         uuid.NewString(),
			Token:      request.ClientRequestToken,
			SQL:        request.QueryString,
			Parameters: request.ExecutionParameters,
			State:      "QUEUED",
			Submitted:  time.Now().Truncate(time.Millisecond),
		},
		cancel: cancel,
	}
	s.executions = append(s.executions, started)
	var outcome Outcome
	if s.outcome != nil {
		outcome = s.outcome(started.Query)
	}
	go s.run(ctx, started, outcome)
	return map[string]string{"QueryExecutionId": started.ID}, nil
}

// run runs a query to its end.
func (s *Server) run(ctx context.Context, started *execution, outcome Outcome) {
	defer started.cancel()
	s.mu.Lock()
	if started.State == "QUEUED" {
		started.State = "RUNNING"
	}
	s.mu.Unlock()
	var completed result
	var err error
	switch {
	case outcome.Hang:
		<-ctx.Done()
	case outcome.State == "":
		statement := started.SQL
		if len(started.Parameters) > 0 {
			statement = "EXECUTE IMMEDIATE " + literal(started.SQL) + " USING " +
				strings.Join(started.Parameters, ", ")
		}
		completed, err = s.trino.run(ctx, statement)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if started.State == "CANCELLED" {
		return
	}
	started.completed = time.Now()
	failure, failed := errors.AsType[*trinoError](err)
	switch {
	case outcome.State != "":
		started.State, started.reason = outcome.State, outcome.Reason
		started.category, started.retryable = outcome.Category, outcome.Retryable
		for _, name := range outcome.Columns {
			started.result.columns = append(started.result.columns,
				trinoColumn{Name: name, Type: "varchar"})
		}
	case failed:
		started.State, started.reason, started.category = "FAILED", failure.Error(), 2
	case err != nil:
		started.State, started.reason = "FAILED", err.Error()
		started.category, started.retryable = 1, true
	default:
		started.State, started.result = "SUCCEEDED", completed
	}
}

type idRequest struct{ QueryExecutionId string } //nolint:revive // AWS's name

// find returns the query with the id. The caller holds s.mu.
func (s *Server) find(id string) (*execution, error) {
	for _, execution := range s.executions {
		if execution.ID == id {
			return execution, nil
		}
	}
	return nil, invalid("QueryExecution %s was not found", id)
}

func (s *Server) get(request idRequest) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.find(request.QueryExecutionId)
	if err != nil {
		return nil, err
	}
	status := map[string]any{
		"State": found.State, "SubmissionDateTime": float64(found.Submitted.UnixMilli()) / 1000,
	}
	if found.reason != "" {
		status["StateChangeReason"] = found.reason
	}
	if found.State == "FAILED" {
		status["AthenaError"] = map[string]any{
			"ErrorCategory": found.category, "Retryable": found.retryable,
			"ErrorMessage": found.reason,
		}
	}
	return map[string]any{"QueryExecution": map[string]any{
		"QueryExecutionId": found.ID, "Query": found.SQL, "WorkGroup": WorkGroup,
		"StatementType": "DML", "Status": status,
	}}, nil
}

func (s *Server) stop(request idRequest) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.find(request.QueryExecutionId)
	if err != nil {
		return nil, err
	}
	if found.State == "QUEUED" || found.State == "RUNNING" {
		found.State, found.reason = "CANCELLED", "Query cancelled by user"
		found.completed = time.Now()
		found.cancel()
	}
	return struct{}{}, nil
}

type resultsRequest struct {
	QueryExecutionId string //nolint:revive // AWS's name
	NextToken        string
	MaxResults       *int
}

type datum struct {
	VarCharValue *string `json:",omitempty"`
}

type row struct{ Data []datum }

// results returns a page of results. The first row of the first page has the names of the columns:
// "Work with query results" in the Amazon Athena User Guide.
func (s *Server) results(request resultsRequest) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.find(request.QueryExecutionId)
	if err != nil {
		return nil, err
	}
	if found.State != "SUCCEEDED" {
		return nil, invalid("Query has not yet finished. Current state: %s", found.State)
	}
	size := s.page
	if request.MaxResults != nil {
		if *request.MaxResults < 1 || *request.MaxResults > 1000 {
			return nil, invalid("MaxResults is more than maximum allowed length 1000.")
		}
		size = min(size, *request.MaxResults)
	}
	names := row{}
	info := []map[string]string{}
	for _, column := range found.result.columns {
		kind, _, _ := strings.Cut(column.Type, "(")
		names.Data = append(names.Data, datum{&column.Name})
		info = append(info, map[string]string{
			"Name": column.Name, "Label": column.Name, "Type": kind, "Nullable": "UNKNOWN",
		})
	}
	rows := []row{names}
	for _, values := range found.result.rows {
		converted := row{}
		for _, value := range values {
			converted.Data = append(converted.Data, text(value))
		}
		rows = append(rows, converted)
	}
	from := 0
	if request.NextToken != "" {
		_, err := fmt.Sscanf(request.NextToken, found.ID+"/%d", &from)
		if err != nil || from > len(rows) {
			return nil, invalid("Invalid NextToken")
		}
	}
	to := min(from+size, len(rows))
	metadata := map[string]any{"ColumnInfo": info}
	response := map[string]any{
		"ResultSet": map[string]any{"Rows": rows[from:to], "ResultSetMetadata": metadata},
	}
	if to < len(rows) {
		response["NextToken"] = fmt.Sprintf("%s/%d", found.ID, to)
	}
	return response, nil
}

// text returns a value in Athena's wire format.
func text(value any) datum {
	if value == nil {
		return datum{}
	}
	s := fmt.Sprint(value)
	return datum{&s}
}
