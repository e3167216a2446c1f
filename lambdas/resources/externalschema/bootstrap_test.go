package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

const roles = "arn:aws:iam::222222222222:role/Prod-Warehouse-WarehouseSpectrum-"

// first and second are what testdata/create.json and testdata/update.json ask for.
var (
	first  = map[string]awstest.ExternalSchema{"reports": {Catalog: "prod_telemetry", Role: roles + "1"}}
	second = map[string]awstest.ExternalSchema{"reports": {Catalog: "prod_telemetry_2", Role: roles + "2"}}
)

// A deployment is the built function with the services that it calls.
type deployment struct {
	fn             *lambdatest.Function
	warehouse      *awstest.RedshiftData
	cloudFormation *awstest.CloudFormation
}

func start(t *testing.T, bootstrap string) *deployment {
	warehouse := awstest.StartRedshiftData(t, "prod-warehouse", "warehouse", "redshift!prod-warehouse-admin")
	return &deployment{
		fn:             lambdatest.New(t, bootstrap, map[string]string{"AWS_ENDPOINT_URL_REDSHIFT_DATA": warehouse.URL}),
		warehouse:      warehouse,
		cloudFormation: awstest.StartCloudFormation(t),
	}
}

// send sends the event in testdata, with other properties if there are any.
func (d *deployment) send(t *testing.T, file string, properties map[string]any) awstest.CustomResourceResponse {
	t.Helper()
	body := d.cloudFormation.Event(t, "testdata/"+file)
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		t.Fatal(err)
	}
	for name, value := range properties {
		event["ResourceProperties"].(map[string]any)[name] = value
	}
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.fn.Invoke(t.Context(), body, time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, d.fn.Logs())
	}
	return d.cloudFormation.Response(t)
}

// succeeds sends the event, and wants the warehouse to have these schemas then.
func (d *deployment) succeeds(t *testing.T, file string, properties map[string]any, want map[string]awstest.ExternalSchema) {
	t.Helper()
	if got := d.send(t, file, properties); got.Status != "SUCCESS" {
		t.Fatalf("response %+v, want SUCCESS\n%s", got, d.fn.Logs())
	}
	d.has(t, want)
}

// fails sends the event, and wants an answer that says why.
func (d *deployment) fails(t *testing.T, file string, why string) {
	t.Helper()
	got := d.send(t, file, nil)
	if got.Status != "FAILED" || !strings.Contains(got.Reason, why) || got.PhysicalResourceID != "reports" {
		t.Fatalf("response %+v, want FAILED for %s", got, why)
	}
}

func (d *deployment) has(t *testing.T, want map[string]awstest.ExternalSchema) {
	t.Helper()
	if diff := cmp.Diff(want, d.warehouse.Schemas()); diff != "" {
		t.Errorf("schemas (-want +got):\n%s", diff)
	}
}

func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	t.Run("life", func(t *testing.T) { testLife(t, bootstrap) })
	t.Run("faults", func(t *testing.T) { testFaults(t, bootstrap) })
}

// testLife drives the built function through the life of a schema.
func testLife(t *testing.T, bootstrap string) {
	d := start(t, bootstrap)

	t.Run("create makes the schema, and waits for it", func(t *testing.T) {
		d.warehouse.SetPollsUntilFinished(1)
		defer d.warehouse.SetPollsUntilFinished(0)
		d.succeeds(t, "create.json", nil, first)
	})
	t.Run("an event that comes twice runs nothing more", func(t *testing.T) {
		before := len(d.warehouse.Statements())
		d.succeeds(t, "create.json", nil, first)
		if now := len(d.warehouse.Statements()); now != before {
			t.Errorf("%d statements more, want none", now-before)
		}
	})
	t.Run("an update to another catalog and role changes both", func(t *testing.T) {
		d.succeeds(t, "update.json", nil, second)
	})
	t.Run("create gives a schema that was left the new role", func(t *testing.T) {
		d := start(t, bootstrap)
		d.warehouse.PutSchema("reports", awstest.ExternalSchema{Catalog: "prod_telemetry", Role: roles + "0"})
		d.succeeds(t, "create.json", nil, first)
	})
	t.Run("whatever the names are, the statements are the same", func(t *testing.T) {
		d := start(t, bootstrap)
		const name = `re"ports"; DROP SCHEMA IF EXISTS "other`
		const catalog = `tele'metry\' IAM_ROLE 'x`
		other := awstest.ExternalSchema{Catalog: "other", Role: "other"}
		d.warehouse.PutSchema("other", other)
		d.succeeds(t, "create.json", map[string]any{"SchemaName": name, "Catalog": catalog},
			map[string]awstest.ExternalSchema{name: {Catalog: catalog, Role: roles + "1"}, "other": other})
	})
	t.Run("delete leaves the schema", func(t *testing.T) {
		calls := len(d.warehouse.Calls())
		d.succeeds(t, "delete.json", nil, second)
		if now := len(d.warehouse.Calls()); now != calls {
			t.Errorf("%d calls, want none", now-calls)
		}
	})

	awstest.CheckActions(t, "calls.txt", d.warehouse.Calls())
}

// testFaults breaks the Data API and the warehouse behind it.
func testFaults(t *testing.T, bootstrap string) {
	for name, fault := range map[string]awstest.Fault{
		"fails for a moment":          {Status: http.StatusInternalServerError, Code: "InternalServerException", Times: 1},
		"throttles for a moment":      {Status: http.StatusBadRequest, Code: "ThrottlingException", Times: 1},
		"is full for a moment":        {Status: http.StatusBadRequest, Code: "ActiveStatementsExceededException", Action: "redshift-data:ExecuteStatement", Times: 1},
		"ends the connection":         {Reset: true, Times: 1},
		"does not answer":             {Silent: true, Times: 1},
		"loses the answer to a begin": {Cut: true, Action: "redshift-data:ExecuteStatement", Times: 1},
		"loses the answer to a look":  {Cut: true, Action: "redshift-data:DescribeStatement", Times: 1},
	} {
		t.Run("a Data API that "+name+" is asked again", func(t *testing.T) {
			d := start(t, bootstrap)
			d.warehouse.SetFault(fault)
			d.succeeds(t, "create.json", nil, first)
			if ran := d.warehouse.Statements(); len(ran) != 2 {
				t.Errorf("statements %q, want each once", ran)
			}
		})
	}
	t.Run("a refusal fails the deployment and says why", func(t *testing.T) {
		d := start(t, bootstrap)
		d.warehouse.SetFault(awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"})
		d.fails(t, "create.json", "AccessDeniedException")
		d.has(t, map[string]awstest.ExternalSchema{})
	})
	t.Run("a statement that fails fails the deployment and says why, and the rollback brings back what was", func(t *testing.T) {
		d := start(t, bootstrap)
		d.succeeds(t, "create.json", nil, first)
		d.warehouse.SetFailure("FAILED", "ERROR: Not authorized to get credentials of role")
		d.fails(t, "update.json", "FAILED: ERROR: Not authorized to get credentials of role")
		d.warehouse.SetFailure("", "")
		d.succeeds(t, "rollback.json", nil, first)
	})
	t.Run("a statement that somebody stops fails the deployment", func(t *testing.T) {
		d := start(t, bootstrap)
		d.warehouse.SetFailure("ABORTED", "Query was cancelled")
		d.fails(t, "create.json", "ABORTED: Query was cancelled")
	})
}
