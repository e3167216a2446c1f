package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/constructs/warehouse"
)

// NewWarehouse declares the data warehouse over the reports, which an environment has when it asks for one. Nothing
// else uses it: before an environment gives it up, its stack is deleted.
func NewWarehouse(stage awscdk.Stage, vpc awsec2.IVpc, telemetry *telemetry.Telemetry) {
	stack := newStack(stage, "Warehouse", "Data warehouse over the reports")
	w := warehouse.New(stack, "Warehouse", warehouse.Props{
		VPC: vpc,
		Key: telemetry.Key,
	})
	telemetry.GrantReadReports(w.Role)
	w.AddExternalSchema("reports", *telemetry.Database.Ref())
	output(stack, "WarehouseWorkGroup", "Work group of the data warehouse, for the query editor and the Data API", w.Workgroup.AttrWorkgroupWorkgroupName())
	output(stack, "WarehouseEndpoint", "Where the data warehouse is reached in the VPC", w.Workgroup.AttrWorkgroupEndpointAddress())
}
