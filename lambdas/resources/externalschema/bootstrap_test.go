package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const roles = "arn:aws:iam::222222222222:role/Prod-Warehouse-WarehouseSpectrum-"

// schemas are the external schemas of a warehouse, by name.
type schemas = map[string]awstest.ExternalSchema

// first and second are the schemas in testdata/create.json and testdata/update.json.
var (
	first  = schemas{"reports": {Catalog: "prod_telemetry", Role: roles + "1"}}
	second = schemas{"reports": {Catalog: "prod_telemetry_2", Role: roles + "2"}}
)

// A deployment is the built function with fakes of the services that it calls.
type deployment struct {
	fn             *lambdatest.Function
	warehouse      *awstest.RedshiftData
	cloudFormation *awstest.CloudFormation
}

func start(t *testing.T, bootstrap string) *deployment {
	const secret = "redshift!prod-warehouse-admin"
	warehouse := awstest.StartRedshiftData(t, "prod-warehouse", "warehouse", secret)
	environment := map[string]string{"AWS_ENDPOINT_URL_REDSHIFT_DATA": warehouse.URL}
	return &deployment{
		fn:             lambdatest.New(t, bootstrap, environment),
		warehouse:      warehouse,
		cloudFormation: awstest.StartCloudFormation(t),
	}
}

// send sends an event of testdata, in which properties replace some resource properties.
func (d *deployment) send(
	t *testing.T, file string, properties map[string]any,
) awstest.CustomResourceResponse {
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

// succeeds sends the event and checks the schemas of the warehouse afterwards.
func (d *deployment) succeeds(
	t *testing.T, file string, properties map[string]any, want schemas,
) {
	t.Helper()
	if got := d.send(t, file, properties); got.Status != "SUCCESS" {
		t.Fatalf("response %+v, want SUCCESS\n%s", got, d.fn.Logs())
	}
	d.has(t, want)
}

// fails sends the event and requires a failure with the reason.
func (d *deployment) fails(t *testing.T, file string, reason string) {
	t.Helper()
	got := d.send(t, file, nil)
	if got.Status != "FAILED" || !strings.Contains(got.Reason, reason) ||
		got.PhysicalResourceID != "reports" {
		t.Fatalf("response %+v, want FAILED with %s", got, reason)
	}
}

func (d *deployment) has(t *testing.T, want schemas) {
	t.Helper()
	if diff := cmp.Diff(want, d.warehouse.Schemas()); diff != "" {
		t.Errorf("schemas (-want +got):\n%s", diff)
	}
}

func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	t.Run("lifecycle", func(t *testing.T) { testLifecycle(t, bootstrap) })
	t.Run("faults", func(t *testing.T) { testFaults(t, bootstrap) })
}

// testLifecycle creates, updates and deletes a schema with the built function.
func testLifecycle(t *testing.T, bootstrap string) {
	d := start(t, bootstrap)

	t.Run("create creates the schema, and waits for it", func(t *testing.T) {
		d.warehouse.SetPollsUntilFinished(1)
		defer d.warehouse.SetPollsUntilFinished(0)
		d.succeeds(t, "create.json", nil, first)
	})
	t.Run("a redelivered event runs no statements", func(t *testing.T) {
		before := len(d.warehouse.Statements())
		d.succeeds(t, "create.json", nil, first)
		if now := len(d.warehouse.Statements()); now != before {
			t.Errorf("%d more statements, want none", now-before)
		}
	})
	t.Run("an update to another catalog and role changes both", func(t *testing.T) {
		d.succeeds(t, "update.json", nil, second)
	})
	t.Run("create sets the new role of an existing schema", func(t *testing.T) {
		d := start(t, bootstrap)
		existing := awstest.ExternalSchema{Catalog: "prod_telemetry", Role: roles + "0"}
		d.warehouse.PutSchema("reports", existing)
		d.succeeds(t, "create.json", nil, first)
	})
	t.Run("names are quoted", func(t *testing.T) {
		d := start(t, bootstrap)
		const name = `re"ports"; DROP SCHEMA IF EXISTS "other`
		const catalog = `tele'metry\' IAM_ROLE 'x`
		other := awstest.ExternalSchema{Catalog: "other", Role: "other"}
		d.warehouse.PutSchema("other", other)
		d.succeeds(t, "create.json", map[string]any{"SchemaName": name, "Catalog": catalog},
			schemas{name: {Catalog: catalog, Role: roles + "1"}, "other": other})
	})
	t.Run("delete does not drop the schema", func(t *testing.T) {
		calls := len(d.warehouse.Calls())
		d.succeeds(t, "delete.json", nil, second)
		if now := len(d.warehouse.Calls()); now != calls {
			t.Errorf("%d calls, want none", now-calls)
		}
	})

	awstest.CheckActions(t, "calls.txt", d.warehouse.Calls())
}

// testFaults injects faults of the Data API and the warehouse.
func testFaults(t *testing.T, bootstrap string) {
	const execute, describe = "redshift-data:ExecuteStatement", "redshift-data:DescribeStatement"
	for name, fault := range map[string]awstest.Fault{
		"an internal error": {
			Status: http.StatusInternalServerError, Code: "InternalServerException", Times: 1,
		},
		"throttling": {
			Status: http.StatusBadRequest, Code: "ThrottlingException", Times: 1,
		},
		"too many active statements": {
			Status: http.StatusBadRequest, Code: "ActiveStatementsExceededException",
			Action: execute, Times: 1,
		},
		"a connection reset":                  {Reset: true, Times: 1},
		"a missing response":                  {NoResponse: true, Times: 1},
		"a lost response to ExecuteStatement": {TruncateResponse: true, Action: execute, Times: 1},
		"a lost response to DescribeStatement": {
			TruncateResponse: true, Action: describe, Times: 1,
		},
	} {
		t.Run(name+" is retried", func(t *testing.T) {
			d := start(t, bootstrap)
			d.warehouse.SetFault(fault)
			d.succeeds(t, "create.json", nil, first)
			if ran := d.warehouse.Statements(); len(ran) != 2 {
				t.Errorf("statements %q, want each once", ran)
			}
		})
	}
	t.Run("an error of the Data API fails the deployment and is reported", func(t *testing.T) {
		d := start(t, bootstrap)
		d.warehouse.SetFault(awstest.Fault{
			Status: http.StatusBadRequest, Code: "AccessDeniedException",
		})
		d.fails(t, "create.json", "AccessDeniedException")
		d.has(t, schemas{})
	})
	t.Run("after a failed statement, the rollback restores the schema", func(t *testing.T) {
		d := start(t, bootstrap)
		d.succeeds(t, "create.json", nil, first)
		d.warehouse.SetFailure("FAILED", "ERROR: Not authorized to get credentials of role")
		d.fails(t, "update.json", "FAILED: ERROR: Not authorized to get credentials of role")
		d.warehouse.SetFailure("", "")
		d.succeeds(t, "rollback.json", nil, first)
	})
	t.Run("an aborted statement fails the deployment", func(t *testing.T) {
		d := start(t, bootstrap)
		d.warehouse.SetFailure("ABORTED", "Query was cancelled")
		d.fails(t, "create.json", "ABORTED: Query was cancelled")
	})
}
