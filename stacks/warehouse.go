package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/constructs/warehouse"
)

// NewWarehouse declares the data warehouse over the reports, for an environment with Warehouse. No
// other stack uses it: before an environment drops the warehouse, its stack must be deleted.
func NewWarehouse(stage awscdk.Stage, vpc awsec2.IVpc, telemetry *telemetry.Telemetry) {
	stack := newStack(stage, "Warehouse", "Data warehouse over the reports")
	w := warehouse.New(stack, "Warehouse", warehouse.Props{
		VPC: vpc,
		Key: telemetry.Key,
	})
	telemetry.GrantReadReports(w.Role)
	w.AddExternalSchema("reports", *telemetry.Database.Ref())
	output(stack, "WarehouseWorkGroup",
		"Redshift Serverless workgroup, for the query editor and the Data API",
		w.Workgroup.AttrWorkgroupWorkgroupName())
	output(stack, "WarehouseEndpoint", "Host name of the data warehouse in the VPC",
		w.Workgroup.AttrWorkgroupEndpointAddress())
}
