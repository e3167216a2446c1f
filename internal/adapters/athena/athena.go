// Package athena runs the queries of reports in Amazon Athena.
package athena

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// Queries are those of a work group, which says where results go and how much a query may read.
type Queries struct {
	WorkGroup string
	Database  string
	API       interface {
		StartQueryExecution(context.Context, *athena.StartQueryExecutionInput, ...func(*athena.Options)) (*athena.StartQueryExecutionOutput, error)
		GetQueryExecution(context.Context, *athena.GetQueryExecutionInput, ...func(*athena.Options)) (*athena.GetQueryExecutionOutput, error)
		GetQueryResults(context.Context, *athena.GetQueryResultsInput, ...func(*athena.Options)) (*athena.GetQueryResultsOutput, error)
		StopQueryExecution(context.Context, *athena.StopQueryExecutionInput, ...func(*athena.Options)) (*athena.StopQueryExecutionOutput, error)
	}
}

// Start is that of [reports.Queries]. Athena takes tokens of 32 to 128 characters.
func (q *Queries) Start(ctx context.Context, token, sql string, parameters ...string) (string, error) {
	input := &athena.StartQueryExecutionInput{
		ClientRequestToken:    &token,
		QueryString:           &sql,
		WorkGroup:             &q.WorkGroup,
		QueryExecutionContext: &types.QueryExecutionContext{Database: &q.Database},
	}
	for _, parameter := range parameters {
		input.ExecutionParameters = append(input.ExecutionParameters, literal(parameter))
	}
	started, err := q.API.StartQueryExecution(ctx, input)
	if err != nil {
		return "", awsclient.Wrap("start a query", err)
	}
	return aws.ToString(started.QueryExecutionId), nil
}

// literal is a string of SQL. Athena takes parameters as they would be in the query: "Use parameterized queries" in the Amazon
// Athena User Guide.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Get is that of [reports.Queries].
func (q *Queries) Get(ctx context.Context, id string) (reports.Execution, error) {
	found, err := q.API.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: &id})
	if err != nil {
		return reports.Execution{}, awsclient.Wrap("look at a query", err)
	}
	if found.QueryExecution == nil || found.QueryExecution.Status == nil || found.QueryExecution.Status.SubmissionDateTime == nil {
		return reports.Execution{}, errors.New("look at a query: Athena says nothing of it")
	}
	status := found.QueryExecution.Status
	return reports.Execution{
		State:     state(status),
		Reason:    aws.ToString(status.StateChangeReason),
		Submitted: *status.SubmissionDateTime,
	}, nil
}

// system is the category of errors that are Athena's own: "Athena error catalog" in the Amazon Athena User Guide.
const system = 1

// limitExceeded is in the reason of a query that has read more than its work group lets it, which Athena cancels.
const limitExceeded = "scanned limit was exceeded"

func state(status *types.QueryExecutionStatus) reports.State {
	switch status.State {
	case types.QueryExecutionStateSucceeded:
		return reports.Succeeded
	case types.QueryExecutionStateFailed:
		if failure := status.AthenaError; failure != nil && !failure.Retryable && aws.ToInt32(failure.ErrorCategory) != system {
			return reports.FailedPermanently
		}
		return reports.Failed
	case types.QueryExecutionStateCancelled:
		if strings.Contains(aws.ToString(status.StateChangeReason), limitExceeded) {
			return reports.FailedPermanently
		}
		return reports.Failed // somebody has stopped it, or a run of the function that had no time for it
	}
	return reports.Running
}

// Rows is that of [reports.Queries].
func (q *Queries) Rows(ctx context.Context, id string) (names []string, rows [][]*string, err error) {
	pages := athena.NewGetQueryResultsPaginator(q.API, &athena.GetQueryResultsInput{QueryExecutionId: &id})
	for first := true; pages.HasMorePages(); first = false {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, awsclient.Wrap("read the result of a query", err)
		}
		if page.ResultSet == nil || page.ResultSet.ResultSetMetadata == nil {
			return nil, nil, errors.New("read the result of a query: Athena does not name its columns")
		}
		found := page.ResultSet.Rows
		if first {
			for _, column := range page.ResultSet.ResultSetMetadata.ColumnInfo {
				names = append(names, aws.ToString(column.Name))
			}
			// The first row of a query's result has the names as well.
			if len(found) == 0 || !slices.EqualFunc(values(found[0]), names, func(v *string, name string) bool { return v != nil && *v == name }) {
				return nil, nil, errors.New("read the result of a query: its first row has not the names of its columns")
			}
			found = found[1:]
		}
		for _, row := range found {
			rows = append(rows, values(row))
		}
	}
	return names, rows, nil
}

func values(row types.Row) []*string {
	found := make([]*string, len(row.Data))
	for i, datum := range row.Data {
		found[i] = datum.VarCharValue
	}
	return found
}

// Stop is that of [reports.Queries].
func (q *Queries) Stop(ctx context.Context, id string) error {
	_, err := q.API.StopQueryExecution(ctx, &athena.StopQueryExecutionInput{QueryExecutionId: &id})
	return awsclient.Wrap("stop a query", err)
}
