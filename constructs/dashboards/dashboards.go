// Package dashboards provisions what people look at the reports by: an Amazon QuickSight dashboard, which asks Athena.
package dashboards

import (
	_ "embed" // definition.json
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsquicksight"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
)

// Props describes the dashboard.
type Props struct {
	// Owner is the ARN of the QuickSight user or group to whom all of it belongs: who looks, shares and makes analyses. Nobody
	// else sees anything, unless the owner shares it. Required.
	Owner     string
	Name      string // of all that people see in QuickSight; required
	WorkGroup string // Athena's, which says where the results of queries go; required
	Database  string // of the Glue Data Catalog, with a table for each report; required
}

// Dashboards are the data source, the data sets and the dashboard. The account has to have subscribed to QuickSight,
// which no template can do. Whatever somebody changes of them in QuickSight, the next deployment that changes it too
// takes back.
type Dashboards struct {
	// Role is whom Athena hears QuickSight's queries from, in place of QuickSight's own role, which serves the whole account.
	// It may do nothing unless it is given the right to.
	Role       awsiam.Role
	DataSource awsquicksight.CfnDataSource
	DataSets   map[string]awsquicksight.CfnDataSet // by the report's name
	Dashboard  awsquicksight.CfnDashboard
}

// definition is the dashboard as DescribeDashboardDefinition answers it, but for the data sets behind its identifiers, which
// are the reports' names: what was drawn in QuickSight can be put here.
//
//go:embed definition.json
var definition []byte

// What an owner may do. QuickSight takes these lists, each as a whole: "Permissions" of the types in the AWS CloudFormation
// Template Reference, and "Resource permissions" in the Amazon QuickSight API Reference.
var (
	dataSourceActions = []string{
		"quicksight:DescribeDataSource", "quicksight:DescribeDataSourcePermissions", "quicksight:PassDataSource",
		"quicksight:UpdateDataSource", "quicksight:DeleteDataSource", "quicksight:UpdateDataSourcePermissions",
	}
	dataSetActions = []string{
		"quicksight:DescribeDataSet", "quicksight:DescribeDataSetPermissions", "quicksight:PassDataSet", "quicksight:DescribeIngestion",
		"quicksight:ListIngestions", "quicksight:UpdateDataSet", "quicksight:DeleteDataSet", "quicksight:CreateIngestion",
		"quicksight:CancelIngestion", "quicksight:UpdateDataSetPermissions",
	}
	dashboardActions = []string{
		"quicksight:DescribeDashboard", "quicksight:ListDashboardVersions", "quicksight:QueryDashboard",
		"quicksight:UpdateDashboardPermissions", "quicksight:UpdateDashboard", "quicksight:DeleteDashboard",
		"quicksight:UpdateDashboardPublishedVersion", "quicksight:DescribeDashboardPermissions",
	}
)

// New declares the dashboard under scope.
func New(scope constructs.Construct, id string, props Props) *Dashboards {
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	d := &Dashboards{
		// QuickSight's documents know no condition: "Run queries as an IAM role in Amazon QuickSight" in its User Guide. Who gives
		// the role to a data source needs iam:PassRole on it.
		Role: awsiam.NewRole(construct, jsii.String("Role"), &awsiam.RoleProps{
			Description: jsii.String("By which QuickSight asks Athena for the reports"),
			AssumedBy:   awsiam.NewServicePrincipal(jsii.String("quicksight.amazonaws.com"), nil),
		}),
		DataSets: map[string]awsquicksight.CfnDataSet{},
	}
	account := awscdk.Stack_Of(construct).Account()
	// Ids are the account's and region's, and cannot be changed.
	prefix := *awscdk.Names_UniqueResourceName(construct, &awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(200), Separator: jsii.String("-")})
	d.DataSource = awsquicksight.NewCfnDataSource(construct, jsii.String("DataSource"), &awsquicksight.CfnDataSourceProps{
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
	// QuickSight tries the connection when the data source is made.
	d.DataSource.Node().AddDependency(d.Role)
	var identifiers []any
	for _, report := range reportfn.Reports() {
		var columns []any
		for _, column := range report.Columns {
			columns = append(columns, &awsquicksight.CfnDataSet_InputColumnProperty{
				Name: jsii.String(column.Name), Type: jsii.String(columnType(column.Type)),
			})
		}
		set := d.newDataSet(construct, props, report.Name, columns)
		d.DataSets[report.Name] = set
		identifiers = append(identifiers, map[string]any{"Identifier": report.Name, "DataSetArn": set.AttrArn()})
	}
	d.Dashboard = awsquicksight.NewCfnDashboard(construct, jsii.String("Dashboard"), &awsquicksight.CfnDashboardProps{
		AwsAccountId: account,
		DashboardId:  jsii.String(prefix),
		Name:         jsii.String(props.Name),
		Permissions: []any{&awsquicksight.CfnDashboard_ResourcePermissionProperty{
			Principal: jsii.String(props.Owner), Actions: jsii.Strings(dashboardActions...),
		}},
	})
	var drawn map[string]any
	if err := json.Unmarshal(definition, &drawn); err != nil {
		panic(fmt.Errorf("dashboards: definition.json: %w", err))
	}
	drawn["DataSetIdentifierDeclarations"] = identifiers
	d.Dashboard.AddPropertyOverride(jsii.String("Definition"), drawn)
	return d
}

// newDataSet declares the data set of a report, which asks Athena whenever somebody looks: the reports are small, and
// QuickSight bills what it keeps itself.
func (d *Dashboards) newDataSet(scope constructs.Construct, props Props, report string, columns []any) awsquicksight.CfnDataSet {
	constructID := "" // of daily_actives, DailyActives
	for word := range strings.SplitSeq(report, "_") {
		constructID += strings.ToUpper(word[:1]) + word[1:]
	}
	id := strings.ReplaceAll(report, "_", "-") // the ids of tables in a data set have letters, digits and hyphens
	return awsquicksight.NewCfnDataSet(scope, jsii.String(constructID), &awsquicksight.CfnDataSetProps{
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

// columnType is QuickSight's name of a type of the Glue Data Catalog: "Supported data types" in the Amazon QuickSight
// User Guide.
func columnType(glue string) string {
	types := map[string]string{"string": "STRING", "timestamp": "DATETIME", "double": "DECIMAL", "bigint": "INTEGER"}
	quickSight, ok := types[glue]
	if !ok {
		panic(fmt.Errorf("dashboards: a report's column cannot be a %s; teach columnType what QuickSight calls it", glue))
	}
	return quickSight
}

var ownerPattern = regexp.MustCompile(`^arn:[^:]+:quicksight:[^:]+:[^:]+:(user|group)/[^/*]+/[^*]+$`)

func (p Props) check(id string) {
	check.Props("dashboards", id,
		check.Required("Owner", p.Owner != "", "pass the ARN of a QuickSight user or group"),
		check.That("Owner", p.Owner, p.Owner == "" || *awscdk.Token_IsUnresolved(p.Owner) || ownerPattern.MatchString(p.Owner), "the ARN of a QuickSight user or group"),
		check.Required("Name", p.Name != "", "pass what people see"),
		check.Required("WorkGroup", p.WorkGroup != "", "pass the name of Athena's work group"),
		check.Required("Database", p.Database != "", "pass the name of the reports' database"),
	)
}
