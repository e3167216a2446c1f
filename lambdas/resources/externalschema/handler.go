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
	ExecuteStatement(context.Context, *redshiftdata.ExecuteStatementInput, ...func(*redshiftdata.Options)) (*redshiftdata.ExecuteStatementOutput, error)
	DescribeStatement(context.Context, *redshiftdata.DescribeStatementInput, ...func(*redshiftdata.Options)) (*redshiftdata.DescribeStatementOutput, error)
}

// A handler makes external schemas.
type handler struct {
	warehouse warehouse
}

// pollInterval is how long the function waits between two looks at a statement.
const pollInterval = time.Second

// Handle makes the schema be what the properties say, whatever it was before. A deleted resource leaves its schema: it
// holds nothing, and it would have to go before the warehouse does, which costs a minute of the warehouse at least and
// could keep the stack from being deleted. The same schema may also have another resource by then, under a new logical
// id.
func (h *handler) Handle(ctx context.Context, event cfn.Event) (physicalResourceID string, data map[string]any, err error) {
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
		slog.ErrorContext(ctx, "the schema is not as it should be", "schema", to.SchemaName, "error", err)
		return to.SchemaName, nil, fmt.Errorf("schema %s: %w", to.SchemaName, err)
	}
	return to.SchemaName, nil, nil
}

// apply runs the statements one after another.
func (h *handler) apply(ctx context.Context, event cfn.Event, to contract.Properties) error {
	var from *contract.Properties
	if event.RequestType == cfn.RequestUpdate {
		former, err := properties(event.OldResourceProperties)
		if err != nil { // another version of the construct has written them, or they are why this is a rollback
			slog.WarnContext(ctx, "the former properties are not readable", "error", err)
		} else {
			from = &former
		}
	}
	for i, sql := range statements(from, to) {
		// The same event has the same tokens, by which the Data API knows what it runs or has run already. A token has 64
		// characters at most, and CloudFormation's ids have 36.
		if err := h.run(ctx, to, sql, fmt.Sprintf("%s-%d", event.RequestID, i)); err != nil {
			return err
		}
	}
	return nil
}

// run waits until the statement is finished.
func (h *handler) run(ctx context.Context, on contract.Properties, sql, token string) error {
	input := &redshiftdata.ExecuteStatementInput{
		WorkgroupName: &on.WorkgroupName, Database: &on.DatabaseName, SecretArn: &on.SecretName, // which takes a name as well
		Sql: &sql, ClientToken: &token,
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

// tooManyStatements reports whether other statements have to end before the warehouse takes one.
func tooManyStatements(err error) bool {
	return awsclient.Is(err, "ActiveStatementsExceededException")
}

// await polls a statement until it has finished.
func (h *handler) await(ctx context.Context, sql string, id *string) error {
	for {
		found, err := h.warehouse.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: id})
		if err != nil {
			return fmt.Errorf("%s: statement %s: %w", sql, aws.ToString(id), err)
		}
		switch found.Status {
		case types.StatusStringFinished:
			slog.InfoContext(ctx, "done", "sql", sql)
			return nil
		case types.StatusStringFailed, types.StatusStringAborted:
			return &StatementError{SQL: sql, Status: string(found.Status), Reason: aws.ToString(found.Error)}
		}
		if err := retry.Wait(ctx, pollInterval); err != nil {
			return fmt.Errorf("%s: statement %s is %s still: %w", sql, aws.ToString(id), found.Status, err)
		}
	}
}

// A StatementError is a statement that the warehouse did not run to its end.
type StatementError struct {
	SQL, Status, Reason string
}

func (e *StatementError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.SQL, e.Status, e.Reason)
}

// properties reads a resource's properties, of which CloudFormation makes a map.
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
		{"WorkgroupName", p.WorkgroupName, "pass the work group's"},
		{"DatabaseName", p.DatabaseName, "pass the database's in the namespace"},
		{"SecretName", p.SecretName, "pass that of the administrator's secret"},
		{"SchemaName", p.SchemaName, "pass what the schema will be called"},
		{"Catalog", p.Catalog, "pass the name of a database of the Glue Data Catalog"},
		{"RoleARN", p.RoleARN, "pass that of a role which the namespace has"},
	} {
		if required.value == "" {
			problems = append(problems, fmt.Errorf("%s is required; %s", required.name, required.remedy))
		}
	}
	return p, errors.Join(problems...)
}
