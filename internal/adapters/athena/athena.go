// Package athena implements reports.Queries with Amazon Athena.
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

// Queries runs queries in a work group, which defines where results are stored and how much data a
// query may read.
type Queries struct {
	WorkGroup string
	Database  string
	API       interface {
		StartQueryExecution(
			context.Context, *athena.StartQueryExecutionInput, ...func(*athena.Options),
		) (*athena.StartQueryExecutionOutput, error)
		GetQueryExecution(
			context.Context, *athena.GetQueryExecutionInput, ...func(*athena.Options),
		) (*athena.GetQueryExecutionOutput, error)
		GetQueryResults(
			context.Context, *athena.GetQueryResultsInput, ...func(*athena.Options),
		) (*athena.GetQueryResultsOutput, error)
		StopQueryExecution(
			context.Context, *athena.StopQueryExecutionInput, ...func(*athena.Options),
		) (*athena.StopQueryExecutionOutput, error)
	}
}

// Start implements [reports.Queries]. Athena accepts tokens of 32 to 128 characters.
func (q *Queries) Start(
	ctx context.Context, token, sql string, parameters ...string,
) (string, error) {
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

// literal returns a string literal of SQL. Athena takes parameters as they are written in a query:
// "Use parameterized queries" in the Amazon Athena User Guide.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Get implements [reports.Queries].
func (q *Queries) Get(ctx context.Context, id string) (reports.Execution, error) {
	found, err := q.API.GetQueryExecution(ctx,
		&athena.GetQueryExecutionInput{QueryExecutionId: &id})
	if err != nil {
		return reports.Execution{}, awsclient.Wrap("get a query", err)
	}
	if found.QueryExecution == nil || found.QueryExecution.Status == nil ||
		found.QueryExecution.Status.SubmissionDateTime == nil {
		return reports.Execution{}, errors.New("get a query: Athena returned no status")
	}
	status := found.QueryExecution.Status
	return reports.Execution{
		State:     state(status),
		Reason:    aws.ToString(status.StateChangeReason),
		Submitted: *status.SubmissionDateTime,
	}, nil
}

// system is the category of Athena's own errors: "Athena error catalog" in the Amazon Athena User
// Guide.
const system = 1

// limitExceeded is part of the reason of a query that Athena cancelled because it read more than
// its work group allows.
const limitExceeded = "scanned limit was exceeded"

func state(status *types.QueryExecutionStatus) reports.State {
	switch status.State {
	case types.QueryExecutionStateSucceeded:
		return reports.Succeeded
	case types.QueryExecutionStateFailed:
		if failure := status.AthenaError; failure != nil && !failure.Retryable &&
			aws.ToInt32(failure.ErrorCategory) != system {
			return reports.FailedPermanently
		}
		return reports.Failed
	case types.QueryExecutionStateCancelled:
		if strings.Contains(aws.ToString(status.StateChangeReason), limitExceeded) {
			return reports.FailedPermanently
		}
		return reports.Failed // a user stopped it, or a run of the function that ran out of time
	}
	return reports.Running
}

// Rows implements [reports.Queries].
func (q *Queries) Rows(
	ctx context.Context, id string,
) (names []string, rows [][]*string, err error) {
	pages := athena.NewGetQueryResultsPaginator(q.API,
		&athena.GetQueryResultsInput{QueryExecutionId: &id})
	for first := true; pages.HasMorePages(); first = false {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, awsclient.Wrap("get a query's results", err)
		}
		if page.ResultSet == nil || page.ResultSet.ResultSetMetadata == nil {
			return nil, nil, errors.New("get a query's results: Athena returned no columns")
		}
		found := page.ResultSet.Rows
		if first {
			for _, column := range page.ResultSet.ResultSetMetadata.ColumnInfo {
				names = append(names, aws.ToString(column.Name))
			}
			// The first row of a query's result repeats the names of the columns.
			named := func(v *string, name string) bool { return v != nil && *v == name }
			if len(found) == 0 || !slices.EqualFunc(values(found[0]), names, named) {
				return nil, nil, errors.New("get a query's results: the first row is no header")
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

// Stop implements [reports.Queries].
func (q *Queries) Stop(ctx context.Context, id string) error {
	_, err := q.API.StopQueryExecution(ctx, &athena.StopQueryExecutionInput{QueryExecutionId: &id})
	return awsclient.Wrap("stop a query", err)
}
