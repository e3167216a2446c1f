package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

// fakeWarehouse is a fake of the Data API with functions as fields.
type fakeWarehouse struct {
	execute  func(*redshiftdata.ExecuteStatementInput) error
	describe func(id string) (*redshiftdata.DescribeStatementOutput, error)
}

func (f *fakeWarehouse) ExecuteStatement(
	_ context.Context, input *redshiftdata.ExecuteStatementInput, _ ...func(*redshiftdata.Options),
) (*redshiftdata.ExecuteStatementOutput, error) {
	if err := f.execute(input); err != nil {
		return nil, err
	}
	return &redshiftdata.ExecuteStatementOutput{Id: input.ClientToken}, nil
}

func (f *fakeWarehouse) DescribeStatement(
	_ context.Context, input *redshiftdata.DescribeStatementInput, _ ...func(*redshiftdata.Options),
) (*redshiftdata.DescribeStatementOutput, error) {
	return f.describe(*input.Id)
}

func finished(string) (*redshiftdata.DescribeStatementOutput, error) {
	return &redshiftdata.DescribeStatementOutput{Status: types.StatusStringFinished}, nil
}

// validProperties returns the properties of a schema as CloudFormation's map.
func validProperties() map[string]any {
	return map[string]any{
		"WorkgroupName": "prod-warehouse",
		"DatabaseName":  "warehouse",
		"SecretName":    "redshift!prod-warehouse-admin",
		"SchemaName":    "reports",
		"Catalog":       "prod_telemetry",
		"RoleARN":       role,
	}
}

const role = "arn:aws:iam::222222222222:role/spectrum"

// createEvent returns a Create event with valid properties.
func createEvent() cfn.Event {
	return cfn.Event{
		RequestType: cfn.RequestCreate, RequestID: "request", ResourceProperties: validProperties(),
	}
}

func TestHandler_Handle_creates_a_schema_and_sets_its_role(t *testing.T) {
	type statement struct{ Workgroup, Database, Secret, Token, SQL string }
	var sent []statement
	h := &handler{warehouse: &fakeWarehouse{
		execute: func(input *redshiftdata.ExecuteStatementInput) error {
			sent = append(sent, statement{
				*input.WorkgroupName, *input.Database, *input.SecretArn,
				*input.ClientToken, *input.Sql,
			})
			return nil
		},
		describe: finished,
	}}
	event := createEvent()
	event.RequestID = "00000000-0000-4000-8000-0000000000bb"
	id, _, err := h.Handle(t.Context(), event)
	if err != nil || id != "reports" {
		t.Errorf("id %q, error %v; want reports", id, err)
	}
	want := []statement{
		{
			"prod-warehouse", "warehouse", "redshift!prod-warehouse-admin", event.RequestID + "-0",
			`CREATE EXTERNAL SCHEMA IF NOT EXISTS "reports" FROM DATA CATALOG ` +
				`DATABASE 'prod_telemetry' IAM_ROLE 'arn:aws:iam::222222222222:role/spectrum'`,
		},
		{
			"prod-warehouse", "warehouse", "redshift!prod-warehouse-admin", event.RequestID + "-1",
			`ALTER EXTERNAL SCHEMA "reports" IAM_ROLE 'arn:aws:iam::222222222222:role/spectrum'`,
		},
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

func TestStatements_drop_the_schema_only_for_another_catalog(t *testing.T) {
	from := contract.Properties{SchemaName: "reports", Catalog: "telemetry", RoleARN: "first"}
	otherRole, otherCatalog := from, from
	otherRole.RoleARN = "second"
	otherCatalog.Catalog = "other"
	otherSchema := contract.Properties{SchemaName: "telemetry", Catalog: "other"}
	for name, test := range map[string]struct {
		from  *contract.Properties
		to    contract.Properties
		drops bool
	}{
		"previous properties unknown": {nil, otherCatalog, false},
		"no change":                   {&from, from, false},
		"another role":                {&from, otherRole, false},
		"another catalog":             {&from, otherCatalog, true},
		"another schema":              {&from, otherSchema, false},
	} {
		t.Run(name, func(t *testing.T) {
			sql := statements(test.from, test.to)
			drops := sql[0] == `DROP SCHEMA IF EXISTS "reports"`
			if drops != test.drops || len(sql) != 2 && !drops {
				t.Errorf("statements %q; dropped first %t, want %t", sql, drops, test.drops)
			}
			if strings.Contains(strings.Join(sql, ";"), "CASCADE") {
				t.Errorf("statements %q, want no CASCADE", sql)
			}
		})
	}
}

func TestIdentifier_and_literal_quote_any_text(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.StringOfN(rapid.SampledFrom([]rune(`"'\ ;-ä`+"\n")), 1, 12, -1)
		name, text := hostile.Draw(t, "name"), hostile.Draw(t, "text")
		if got, rest := scan(identifier(name), '"', false); got != name || rest != "" {
			t.Errorf("%q is the name %q followed by %q", identifier(name), got, rest)
		}
		if got, rest := scan(literal(text), '\'', true); got != text || rest != "" {
			t.Errorf("%q is the text %q followed by %q", literal(text), got, rest)
		}
	})
}

// scan parses a quoted string like Redshift, and returns its value and the rest of the statement.
func scan(sql string, quote byte, escapes bool) (value, rest string) {
	var read strings.Builder
	for i := 1; i < len(sql); i++ {
		switch {
		case escapes && sql[i] == '\\':
			i++
		case sql[i] == quote && i+1 < len(sql) && sql[i+1] == quote:
			i++
		case sql[i] == quote:
			return read.String(), sql[i+1:]
		}
		read.WriteByte(sql[i])
	}
	return read.String(), "missing quote"
}

func TestHandler_Handle_stops_at_a_failed_statement(t *testing.T) {
	for _, status := range []types.StatusString{
		types.StatusStringFailed, types.StatusStringAborted,
	} {
		sent := 0
		h := &handler{warehouse: &fakeWarehouse{
			execute: func(*redshiftdata.ExecuteStatementInput) error { sent++; return nil },
			describe: func(string) (*redshiftdata.DescribeStatementOutput, error) {
				return &redshiftdata.DescribeStatementOutput{
					Status: status, Error: aws.String("ERROR: permission denied"),
				}, nil
			},
		}}
		id, _, err := h.Handle(t.Context(), createEvent())
		failure, ok := errors.AsType[*StatementError](err)
		if !ok || failure.Status != string(status) ||
			failure.Reason != "ERROR: permission denied" || id != "reports" || sent != 1 {
			t.Errorf("%s: id %q and error %v after %d statements, want a StatementError after 1",
				status, id, err, sent)
		}
	}
}

func TestHandler_Handle_reports_a_statement_that_is_still_running(t *testing.T) {
	h := &handler{warehouse: &fakeWarehouse{
		execute: func(*redshiftdata.ExecuteStatementInput) error { return nil },
		describe: func(string) (*redshiftdata.DescribeStatementOutput, error) {
			return &redshiftdata.DescribeStatementOutput{Status: types.StatusStringStarted}, nil
		},
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond) // the margin is a second
	defer cancel()
	_, _, err := h.Handle(ctx, createEvent())
	if !errors.Is(err, retry.ErrUnavailable) ||
		!strings.Contains(err.Error(), "statement request-0 is still STARTED") {
		t.Errorf("error %v, want one that names the statement", err)
	}
}

func TestHandler_Handle_does_nothing_on_delete(t *testing.T) {
	h := &handler{} // a call would panic
	event := cfn.Event{RequestType: cfn.RequestDelete, PhysicalResourceID: "the schema"}
	id, _, err := h.Handle(t.Context(), event)
	if err != nil || id != "the schema" {
		t.Errorf("id %q, error %v; want the same id", id, err)
	}
}

func TestHandler_Handle_reports_all_missing_properties_before_any_call(t *testing.T) {
	h := &handler{} // a call would panic
	event := createEvent()
	event.ResourceProperties = map[string]any{"SchemaName": "reports"}
	_, _, err := h.Handle(t.Context(), event)
	for _, name := range []string{
		"WorkgroupName", "DatabaseName", "SecretName", "Catalog", "RoleARN",
	} {
		if err == nil || !strings.Contains(err.Error(), name+" is required; pass ") {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
	if err != nil && strings.Contains(err.Error(), "SchemaName") {
		t.Errorf("error %v, want no SchemaName in it", err)
	}
	event = createEvent()
	event.ResourceProperties["Catalog"] = 7.0
	_, _, err = h.Handle(t.Context(), event)
	if err == nil || !strings.Contains(err.Error(), "properties: ") {
		t.Errorf("error %v, want one about the properties", err)
	}
}

func TestHandler_Handle_ignores_unreadable_previous_properties(t *testing.T) {
	sent := 0
	h := &handler{warehouse: &fakeWarehouse{
		execute:  func(*redshiftdata.ExecuteStatementInput) error { sent++; return nil },
		describe: finished,
	}}
	event := createEvent()
	event.RequestType = cfn.RequestUpdate
	event.OldResourceProperties = map[string]any{"Name": "reports"}
	_, _, err := h.Handle(t.Context(), event)
	if err != nil || sent != 2 {
		t.Errorf("error %v after %d statements, want none after 2", err, sent)
	}
}
