package awstest_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

func TestRedshiftData(t *testing.T) {
	warehouse := awstest.StartRedshiftData(t, "reports", "warehouse", "redshift!reports-admin")
	client := redshiftdata.New(redshiftdata.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &warehouse.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	execute := func(workgroup, secret, sql, token string) (string, error) {
		output, err := client.ExecuteStatement(t.Context(), &redshiftdata.ExecuteStatementInput{
			WorkgroupName: &workgroup, Database: aws.String("warehouse"), SecretArn: &secret,
			Sql: &sql, ClientToken: &token,
		})
		if err != nil {
			return "", err
		}
		return *output.Id, nil
	}
	describe := func(id string) *redshiftdata.DescribeStatementOutput {
		t.Helper()
		output, err := client.DescribeStatement(t.Context(),
			&redshiftdata.DescribeStatementInput{Id: &id})
		if err != nil {
			t.Fatal(err)
		}
		return output
	}
	const create = `CREATE EXTERNAL SCHEMA IF NOT EXISTS "re""ports" ` +
		`FROM DATA CATALOG DATABASE 'tele''metry\\' IAM_ROLE 'role'`

	warehouse.SetPollsUntilFinished(1)
	id, err := execute("reports", "redshift!reports-admin", create, "token")
	if err != nil {
		t.Fatal(err)
	}
	if status := describe(id).Status; status != types.StatusStringStarted ||
		len(warehouse.Schemas()) > 0 {
		t.Errorf("first poll: %s with schemas %v, want STARTED without schemas",
			status, warehouse.Schemas())
	}
	if status := describe(id).Status; status != types.StatusStringFinished {
		t.Errorf("second poll: %s, want FINISHED", status)
	}
	want := map[string]awstest.ExternalSchema{`re"ports`: {Catalog: `tele'metry\`, Role: "role"}}
	if diff := cmp.Diff(want, warehouse.Schemas()); diff != "" {
		t.Errorf("schemas (-want +got):\n%s", diff)
	}
	again, err := execute("reports", "redshift!reports-admin", create, "token")
	if again != id || err != nil {
		t.Errorf("the same token: %s, %v, want the same statement %s", again, err, id)
	}

	warehouse.SetPollsUntilFinished(0)
	for sql, reason := range map[string]string{
		"DROP DATABASE warehouse": "ERROR: syntax error at or near DROP DATABASE warehouse",

		`ALTER EXTERNAL SCHEMA "other" IAM_ROLE 'role'`: `ERROR: schema "other" does not exist`,
	} {
		id, err := execute("reports", "redshift!reports-admin", sql, sql[:10])
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(id); got.Status != types.StatusStringFailed ||
			aws.ToString(got.Error) != reason {
			t.Errorf("%s: %s %s, want FAILED %s", sql, got.Status, aws.ToString(got.Error), reason)
		}
	}
	for _, invalid := range [][2]string{{"other", "redshift!reports-admin"}, {"reports", "other"}} {
		_, err := execute(invalid[0], invalid[1], create, "another")
		if code(err) != "ValidationException" {
			t.Errorf("work group %s and secret %s: error %v, want ValidationException",
				invalid[0], invalid[1], err)
		}
	}
	_, err = client.ListSchemas(t.Context(),
		&redshiftdata.ListSchemasInput{Database: aws.String("warehouse")})
	if code(err) != "UnknownOperationException" {
		t.Errorf("another operation: error %v, want UnknownOperationException", err)
	}
	warehouse.SetFault(awstest.Fault{
		Status: http.StatusBadRequest, Code: "AccessDeniedException",
		Action: "redshift-data:ExecuteStatement",
	})
	_, err = execute("reports", "redshift!reports-admin", create, "denied")
	if code(err) != "AccessDeniedException" {
		t.Errorf("fault: error %v, want AccessDeniedException", err)
	}
}
