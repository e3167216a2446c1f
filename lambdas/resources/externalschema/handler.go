package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

// warehouse is the part of the Amazon Redshift Data API that runs statements.
type warehouse interface {
	ExecuteStatement(
		context.Context, *redshiftdata.ExecuteStatementInput, ...func(*redshiftdata.Options),
	) (*redshiftdata.ExecuteStatementOutput, error)
	DescribeStatement(
		context.Context, *redshiftdata.DescribeStatementInput, ...func(*redshiftdata.Options),
	) (*redshiftdata.DescribeStatementOutput, error)
}

// A handler creates external schemas.
type handler struct {
	warehouse warehouse
}

// pollInterval is the time between two polls of a statement's status.
const pollInterval = time.Second

// Handle creates or changes the schema to match the properties. Deleting the resource does not drop
// the schema: it contains no data. It would have to be dropped before the warehouse is deleted,
// which costs at least a minute of the warehouse and could block the deletion of the stack. By then
// the same schema may also belong to another resource with a new logical id.
func (h *handler) Handle(
	ctx context.Context, event cfn.Event,
) (physicalResourceID string, data map[string]any, err error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, nil
	}
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	to, err := properties(event.ResourceProperties)
	if err != nil {
		return event.PhysicalResourceID, nil, err
	}
	if err := h.apply(ctx, event, to); err != nil {
		slog.ErrorContext(ctx, "external schema failed", "schema", to.SchemaName, "error", err)
		return to.SchemaName, nil, fmt.Errorf("schema %s: %w", to.SchemaName, err)
	}
	return to.SchemaName, nil, nil
}

// apply runs the statements one after another.
func (h *handler) apply(ctx context.Context, event cfn.Event, to contract.Properties) error {
	var from *contract.Properties
	if event.RequestType == cfn.RequestUpdate {
		previous, err := properties(event.OldResourceProperties)
		// Another version of the construct wrote the properties, or they caused this rollback.
		if err != nil {
			slog.WarnContext(ctx, "previous properties not readable", "error", err)
		} else {
			from = &previous
		}
	}
	for i, sql := range statements(from, to) {
		// A redelivered event has the same client tokens, so the Data API does not run its
		// statements again. A token has at most 64 characters; CloudFormation's ids have 36.
		if err := h.run(ctx, to, sql, fmt.Sprintf("%s-%d", event.RequestID, i)); err != nil {
			return err
		}
	}
	return nil
}

// run runs a statement and waits until it has finished.
func (h *handler) run(ctx context.Context, on contract.Properties, sql, token string) error {
	input := &redshiftdata.ExecuteStatementInput{
		WorkgroupName: &on.WorkgroupName, Database: &on.DatabaseName,
		SecretArn: &on.SecretName, // a name is valid too
		Sql:       &sql, ClientToken: &token,
	}
	var started *redshiftdata.ExecuteStatementOutput
	err := retry.Do(ctx, func() (err error) {
		started, err = h.warehouse.ExecuteStatement(ctx, input)
		return err
	}, retry.If(tooManyStatements))
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return h.await(ctx, sql, started.Id)
}

// tooManyStatements reports whether the warehouse has reached its limit of active statements.
func tooManyStatements(err error) bool {
	return awsclient.Is(err, "ActiveStatementsExceededException")
}

// await polls a statement until it has finished.
func (h *handler) await(ctx context.Context, sql string, id *string) error {
	input := &redshiftdata.DescribeStatementInput{Id: id}
	for {
		found, err := h.warehouse.DescribeStatement(ctx, input)
		if err != nil {
			return fmt.Errorf("%s: statement %s: %w", sql, aws.ToString(id), err)
		}
		switch found.Status {
		case types.StatusStringFinished:
			slog.InfoContext(ctx, "statement finished", "sql", sql)
			return nil
		case types.StatusStringFailed, types.StatusStringAborted:
			return &StatementError{
				SQL: sql, Status: string(found.Status), Reason: aws.ToString(found.Error),
			}
		}
		if err := retry.Wait(ctx, pollInterval); err != nil {
			return fmt.Errorf("%s: statement %s is still %s: %w",
				sql, aws.ToString(id), found.Status, err)
		}
	}
}

// A StatementError is the error of a statement that failed or was aborted.
type StatementError struct {
	SQL, Status, Reason string
}

func (e *StatementError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.SQL, e.Status, e.Reason)
}

// properties decodes a resource's properties from CloudFormation's map.
func properties(from map[string]any) (contract.Properties, error) {
	var p contract.Properties
	encoded, err := json.Marshal(from)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(encoded, &p); err != nil {
		return p, fmt.Errorf("properties: %w", err)
	}
	var problems []error
	for _, required := range []struct{ name, value, remedy string }{
		{"WorkgroupName", p.WorkgroupName, "pass the name of the work group"},
		{"DatabaseName", p.DatabaseName, "pass the name of the namespace's database"},
		{"SecretName", p.SecretName, "pass the name of the administrator's secret"},
		{"SchemaName", p.SchemaName, "pass a name for the schema"},
		{"Catalog", p.Catalog, "pass the name of a database of the Glue Data Catalog"},
		{"RoleARN", p.RoleARN, "pass the ARN of one of the namespace's roles"},
	} {
		if required.value == "" {
			problems = append(problems,
				fmt.Errorf("%s is required; %s", required.name, required.remedy))
		}
	}
	return p, errors.Join(problems...)
}
