package dashboards

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsquicksight"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/internal/check"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Props describes the dashboard. Zero values take the stated default.
type Props struct {
	// Owner is the ARN of the QuickSight user or group that owns the dashboard and may view, share
	// and analyze it. Other users see nothing unless the owner shares it. Required.
	Owner     string
	Name      string // display name in QuickSight; required
	WorkGroup string // of Athena, which sets the location of query results; required
	Database  string // of the Glue Data Catalog, with a table for each report; required

	// Reports are the reports that the dashboard may show, each as a data set with the report's
	// name. Required.
	Reports []telemetryschema.Report
	// Definition is the dashboard's definition as JSON: the value of Definition in the output of
	// aws quicksight describe-dashboard-definition, without DataSetIdentifierDeclarations. The
	// identifiers of its data sets are the reports' names. A dashboard that was edited in
	// QuickSight can be copied here. Default: one sheet with a table of each report.
	Definition string
}

// Dashboards are the data source, the data sets and the dashboard. The account must have a
// QuickSight subscription, which no template can create. Changes made in QuickSight are overwritten
// by the next deployment that changes the same resource.
type Dashboards struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	// Role is the role of QuickSight's queries in Athena. It replaces QuickSight's service role,
	// which serves the entire account. It has no permissions by default.
	Role       awsiam.Role
	DataSource awsquicksight.CfnDataSource
	DataSets   map[string]awsquicksight.CfnDataSet // by the report's name
	Dashboard  awsquicksight.CfnDashboard
}

// The actions of an owner. QuickSight accepts only these complete lists: "Permissions" of the types
// in the AWS CloudFormation Template Reference, and "Resource permissions" in the Amazon QuickSight
// API Reference.
var (
	dataSourceActions = []string{
		"quicksight:DescribeDataSource", "quicksight:DescribeDataSourcePermissions",
		"quicksight:PassDataSource",
		"quicksight:UpdateDataSource", "quicksight:DeleteDataSource",
		"quicksight:UpdateDataSourcePermissions",
	}
	dataSetActions = []string{
		"quicksight:DescribeDataSet", "quicksight:DescribeDataSetPermissions",
		"quicksight:PassDataSet", "quicksight:DescribeIngestion",
		"quicksight:ListIngestions", "quicksight:UpdateDataSet", "quicksight:DeleteDataSet",
		"quicksight:CreateIngestion",
		"quicksight:CancelIngestion", "quicksight:UpdateDataSetPermissions",
	}
	dashboardActions = []string{
		"quicksight:DescribeDashboard", "quicksight:ListDashboardVersions",
		"quicksight:QueryDashboard",
		"quicksight:UpdateDashboardPermissions", "quicksight:UpdateDashboard",
		"quicksight:DeleteDashboard",
		"quicksight:UpdateDashboardPublishedVersion", "quicksight:DescribeDashboardPermissions",
	}
)

// New declares the dashboard under scope.
func New(scope constructs.Construct, id string, props Props) *Dashboards {
	props.check(id)
	construct := node.New(scope, id)
	d := &Dashboards{
		Construct: construct,
		// QuickSight's documentation has no condition for the trust policy: "Run queries as an IAM
		// role in Amazon QuickSight" in its User Guide. Passing the role to a data source needs
		// iam:PassRole on it.
		Role: awsiam.NewRole(construct, jsii.String("Role"), &awsiam.RoleProps{
			Description: jsii.String("Queries of reports by QuickSight in Athena"),
			AssumedBy:   awsiam.NewServicePrincipal(jsii.String("quicksight.amazonaws.com"), nil),
		}),
		DataSets: map[string]awsquicksight.CfnDataSet{},
	}
	account := awscdk.Stack_Of(construct).Account()
	// Ids are unique within the account and region, and cannot be changed.
	prefix := *awscdk.Names_UniqueResourceName(construct, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(200), Separator: jsii.String("-"),
	})
	d.DataSource = awsquicksight.NewCfnDataSource(construct, jsii.String("DataSource"),
		&awsquicksight.CfnDataSourceProps{
			AwsAccountId: account,
			DataSourceId: jsii.String(prefix),
			Name:         jsii.String(props.Name),
			Type:         jsii.String("ATHENA"),
			DataSourceParameters: &awsquicksight.CfnDataSource_DataSourceParametersProperty{
				AthenaParameters: &awsquicksight.CfnDataSource_AthenaParametersProperty{
					WorkGroup: jsii.String(props.WorkGroup),
					RoleArn:   d.Role.RoleArn(),
				},
			},
			Permissions: []any{&awsquicksight.CfnDataSource_ResourcePermissionProperty{
				Principal: jsii.String(props.Owner), Actions: jsii.Strings(dataSourceActions...),
			}},
		})
	// QuickSight tests the connection when the data source is created.
	d.DataSource.Node().AddDependency(d.Role)
	var identifiers []any
	for _, report := range props.Reports {
		var columns []any
		for _, column := range report.Columns {
			columns = append(columns, &awsquicksight.CfnDataSet_InputColumnProperty{
				Name: jsii.String(column.Name), Type: jsii.String(columnTypes[column.Type]),
			})
		}
		set := d.newDataSet(construct, props, report.Name, columns)
		d.DataSets[report.Name] = set
		identifiers = append(identifiers,
			map[string]any{"Identifier": report.Name, "DataSetArn": set.AttrArn()})
	}
	d.Dashboard = awsquicksight.NewCfnDashboard(construct, jsii.String("Dashboard"),
		&awsquicksight.CfnDashboardProps{
			AwsAccountId: account,
			DashboardId:  jsii.String(prefix),
			Name:         jsii.String(props.Name),
			Permissions: []any{&awsquicksight.CfnDashboard_ResourcePermissionProperty{
				Principal: jsii.String(props.Owner), Actions: jsii.Strings(dashboardActions...),
			}},
		})
	definition := props.definition()
	definition["DataSetIdentifierDeclarations"] = identifiers
	d.Dashboard.AddPropertyOverride(jsii.String("Definition"), definition)
	return d
}

// newDataSet declares the data set of a report. It queries Athena directly: the reports are small,
// and QuickSight bills for imported data.
func (d *Dashboards) newDataSet(
	scope constructs.Construct, props Props, report string, columns []any,
) awsquicksight.CfnDataSet {
	id := strings.ReplaceAll(report, "_", "-") // a table's id has letters, digits and hyphens
	// The suffix keeps the ids of reports apart from Role, DataSource and Dashboard.
	return awsquicksight.NewCfnDataSet(scope, jsii.String(convert.ConstructID(report)+"DataSet"),
		&awsquicksight.CfnDataSetProps{
			AwsAccountId: d.DataSource.AwsAccountId(),
			DataSetId:    jsii.String(*d.DataSource.DataSourceId() + "-" + id),
			Name:         jsii.String(props.Name + ": " + report),
			ImportMode:   jsii.String("DIRECT_QUERY"),
			PhysicalTableMap: map[string]any{id: &awsquicksight.CfnDataSet_PhysicalTableProperty{
				RelationalTable: &awsquicksight.CfnDataSet_RelationalTableProperty{
					DataSourceArn: d.DataSource.AttrArn(),
					Catalog:       jsii.String("AwsDataCatalog"),
					Schema:        jsii.String(props.Database),
					Name:          jsii.String(report),
					InputColumns:  columns,
				},
			}},
			Permissions: []any{&awsquicksight.CfnDataSet_ResourcePermissionProperty{
				Principal: jsii.String(props.Owner), Actions: jsii.Strings(dataSetActions...),
			}},
		})
}

// columnTypes maps types of the Glue Data Catalog to QuickSight's: "Supported data types" in the
// Amazon QuickSight User Guide.
var columnTypes = map[telemetryschema.ColumnType]string{
	telemetryschema.String: "STRING", telemetryschema.Timestamp: "DATETIME",
	telemetryschema.Double: "DECIMAL", telemetryschema.Bigint: "INTEGER",
}

func (p Props) check(id string) {
	problems := []error{
		check.Required("Owner", p.Owner != "", "pass the ARN of a QuickSight user or group"),
		check.IfSet("Owner", p.Owner, func(prop, owner string) error {
			return check.QuickSightPrincipal(prop, owner, "")
		}),
		check.Required("Name", p.Name != "", "pass the display name"),
		check.Required("WorkGroup", p.WorkGroup != "", "pass the name of the Athena workgroup"),
		check.Required("Database", p.Database != "", "pass the name of the reports' database"),
		check.Required("Reports", len(p.Reports) > 0,
			"pass the reports of the telemetry construct"),
		telemetryschema.ValidateReports(p.Reports),
	}
	for i, report := range p.Reports {
		for j, column := range report.Columns {
			problems = append(problems, check.That(
				fmt.Sprintf("Reports[%d].Columns[%d].Type", i, j), column.Type,
				column.Type != telemetryschema.Boolean,
				"a type of QuickSight's data sets; cast it in the report's SQL, to bigint for "+
					"example"))
		}
	}
	check.Props("dashboards", id, append(problems, p.checkDefinition()...)...)
}
