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

// fakeWarehouse is the Data API as functions.
type fakeWarehouse struct {
	execute  func(*redshiftdata.ExecuteStatementInput) error
	describe func(id string) (*redshiftdata.DescribeStatementOutput, error)
}

func (f *fakeWarehouse) ExecuteStatement(_ context.Context, input *redshiftdata.ExecuteStatementInput, _ ...func(*redshiftdata.Options)) (*redshiftdata.ExecuteStatementOutput, error) {
	if err := f.execute(input); err != nil {
		return nil, err
	}
	return &redshiftdata.ExecuteStatementOutput{Id: input.ClientToken}, nil
}

func (f *fakeWarehouse) DescribeStatement(_ context.Context, input *redshiftdata.DescribeStatementInput, _ ...func(*redshiftdata.Options)) (*redshiftdata.DescribeStatementOutput, error) {
	return f.describe(*input.Id)
}

func finished(string) (*redshiftdata.DescribeStatementOutput, error) {
	return &redshiftdata.DescribeStatementOutput{Status: types.StatusStringFinished}, nil
}

// wanted are the properties of a schema, as CloudFormation has them.
func wanted() map[string]any {
	return map[string]any{
		"WorkgroupName": "prod-warehouse", "DatabaseName": "warehouse", "SecretName": "redshift!prod-warehouse-admin",
		"SchemaName": "reports", "Catalog": "prod_telemetry", "RoleARN": "arn:aws:iam::222222222222:role/spectrum",
	}
}

func TestASchemaIsMadeAndGivenItsRole(t *testing.T) {
	type statement struct{ Workgroup, Database, Secret, Token, SQL string }
	var sent []statement
	h := &handler{warehouse: &fakeWarehouse{
		execute: func(input *redshiftdata.ExecuteStatementInput) error {
			sent = append(sent, statement{*input.WorkgroupName, *input.Database, *input.SecretArn, *input.ClientToken, *input.Sql})
			return nil
		},
		describe: finished,
	}}
	const request = "00000000-0000-4000-8000-0000000000bb"
	id, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate, RequestID: request, ResourceProperties: wanted()})
	if err != nil || id != "reports" {
		t.Errorf("id %q, error %v; want reports", id, err)
	}
	want := []statement{
		{
			"prod-warehouse", "warehouse", "redshift!prod-warehouse-admin", request + "-0",
			`CREATE EXTERNAL SCHEMA IF NOT EXISTS "reports" FROM DATA CATALOG DATABASE 'prod_telemetry' IAM_ROLE 'arn:aws:iam::222222222222:role/spectrum'`,
		},
		{
			"prod-warehouse", "warehouse", "redshift!prod-warehouse-admin", request + "-1",
			`ALTER EXTERNAL SCHEMA "reports" IAM_ROLE 'arn:aws:iam::222222222222:role/spectrum'`,
		},
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

func TestOnlyAnotherCatalogTakesTheSchemaAway(t *testing.T) {
	from := contract.Properties{SchemaName: "reports", Catalog: "telemetry", RoleARN: "arn:aws:iam::222222222222:role/first"}
	for name, test := range map[string]struct {
		from  *contract.Properties
		to    contract.Properties
		drops bool
	}{
		"nobody knows what was": {nil, contract.Properties{SchemaName: "reports", Catalog: "other"}, false},
		"the same":              {&from, from, false},
		"another role":          {&from, contract.Properties{SchemaName: "reports", Catalog: "telemetry", RoleARN: "second"}, false},
		"another catalog":       {&from, contract.Properties{SchemaName: "reports", Catalog: "other"}, true},
		"another schema":        {&from, contract.Properties{SchemaName: "telemetry", Catalog: "other"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			sql := statements(test.from, test.to)
			if drops := sql[0] == `DROP SCHEMA IF EXISTS "reports"`; drops != test.drops || len(sql) != 2 && !drops || strings.Contains(strings.Join(sql, ";"), "CASCADE") {
				t.Errorf("statements %q; dropped first %t, want %t", sql, drops, test.drops)
			}
		})
	}
}

// TestNamesStayNames: whatever a name or a text is, the statement has it in one piece.
func TestNamesStayNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.StringOfN(rapid.SampledFrom([]rune(`"'\ ;-ä`+"\n")), 1, 12, -1)
		name, text := hostile.Draw(t, "name"), hostile.Draw(t, "text")
		if got, rest := scan(identifier(name), '"', false); got != name || rest != "" {
			t.Errorf("%q is the name %q and then %q", identifier(name), got, rest)
		}
		if got, rest := scan(literal(text), '\'', true); got != text || rest != "" {
			t.Errorf("%q is the text %q and then %q", literal(text), got, rest)
		}
	})
}

// scan reads one quoted piece as Redshift does, and returns what it stands for and what is left.
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
	return read.String(), "no end"
}

func TestAStatementThatFailsIsTheLast(t *testing.T) {
	for _, status := range []types.StatusString{types.StatusStringFailed, types.StatusStringAborted} {
		sent := 0
		h := &handler{warehouse: &fakeWarehouse{
			execute: func(*redshiftdata.ExecuteStatementInput) error { sent++; return nil },
			describe: func(string) (*redshiftdata.DescribeStatementOutput, error) {
				return &redshiftdata.DescribeStatementOutput{Status: status, Error: aws.String("ERROR: permission denied")}, nil
			},
		}}
		id, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: wanted()})
		failure, ok := errors.AsType[*StatementError](err)
		if !ok || failure.Status != string(status) || failure.Reason != "ERROR: permission denied" || id != "reports" || sent != 1 {
			t.Errorf("%s: id %q and error %v after %d statements, want a StatementError after 1", status, id, err, sent)
		}
	}
}

func TestAStatementThatTakesTooLongIsSaidToGoOn(t *testing.T) {
	h := &handler{warehouse: &fakeWarehouse{
		execute: func(*redshiftdata.ExecuteStatementInput) error { return nil },
		describe: func(string) (*redshiftdata.DescribeStatementOutput, error) {
			return &redshiftdata.DescribeStatementOutput{Status: types.StatusStringStarted}, nil
		},
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond) // a second of which is the margin
	defer cancel()
	_, _, err := h.Handle(ctx, cfn.Event{RequestType: cfn.RequestCreate, RequestID: "request", ResourceProperties: wanted()})
	if !errors.Is(err, retry.ErrUnavailable) || !strings.Contains(err.Error(), "statement request-0 is STARTED still") {
		t.Errorf("error %v, want one that names the statement", err)
	}
}

func TestDeleteCallsNothing(t *testing.T) {
	h := &handler{} // a call would panic
	id, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestDelete, PhysicalResourceID: "whatever was made"})
	if err != nil || id != "whatever was made" {
		t.Errorf("id %q, error %v; want the id as it was", id, err)
	}
}

func TestAllThatIsMissingIsSaidAtOnceBeforeAnyCall(t *testing.T) {
	h := &handler{} // a call would panic
	_, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: map[string]any{"SchemaName": "reports"}})
	for _, name := range []string{"WorkgroupName", "DatabaseName", "SecretName", "Catalog", "RoleARN"} {
		if err == nil || !strings.Contains(err.Error(), name+" is required; pass ") {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
	if err != nil && strings.Contains(err.Error(), "SchemaName") {
		t.Errorf("error %v, though there is a SchemaName", err)
	}
	properties := wanted()
	properties["Catalog"] = 7.0
	if _, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: properties}); err == nil || !strings.Contains(err.Error(), "properties: ") {
		t.Errorf("error %v, want one about the properties", err)
	}
}

func TestFormerPropertiesThatNobodyCanReadDoNotStopAnUpdate(t *testing.T) {
	sent := 0
	h := &handler{warehouse: &fakeWarehouse{
		execute:  func(*redshiftdata.ExecuteStatementInput) error { sent++; return nil },
		describe: finished,
	}}
	_, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestUpdate, ResourceProperties: wanted(), OldResourceProperties: map[string]any{"Name": "reports"}})
	if err != nil || sent != 2 {
		t.Errorf("error %v after %d statements, want none after 2", err, sent)
	}
}
