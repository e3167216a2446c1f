package test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/dashboards"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// decoded returns a value as decoded from a template, for comparisons.
func decoded(t *testing.T, value any) any {
	t.Helper()
	var plain any
	if err := json.Unmarshal([]byte(text(value)), &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestOnlyTheOwnerHasPermissionsInQuickSight(t *testing.T) {
	stack := platforms["Complete"]["Dashboards"]
	shared := 0
	for resourceType, actions := range map[string][]string{
		"AWS::QuickSight::DataSource": {
			"DescribeDataSource", "DescribeDataSourcePermissions", "PassDataSource",
			"UpdateDataSource", "DeleteDataSource", "UpdateDataSourcePermissions",
		},
		"AWS::QuickSight::DataSet": {
			"DescribeDataSet", "DescribeDataSetPermissions", "PassDataSet", "DescribeIngestion",
			"ListIngestions", "UpdateDataSet", "DeleteDataSet",
			"CreateIngestion", "CancelIngestion", "UpdateDataSetPermissions",
		},
		"AWS::QuickSight::Dashboard": {
			"DescribeDashboard", "ListDashboardVersions", "QueryDashboard",
			"UpdateDashboardPermissions", "UpdateDashboard", "DeleteDashboard",
			"UpdateDashboardPublishedVersion", "DescribeDashboardPermissions",
		},
	} {
		for i := range actions {
			actions[i] = "quicksight:" + actions[i]
		}
		for _, resource := range stack.Template.OfType(resourceType) {
			shared++
			want(t, resource, []any{map[string]any{
				"Principal": environments.Complete().DashboardsOwner, "Actions": actions,
			}}, "Permissions")
			want(t, resource, nil, "LinkSharingConfiguration")
		}
	}
	if wanted := 2 + len(queries.Reports()); shared != wanted {
		t.Errorf("%d resources have permissions, want %d", shared, wanted)
	}
}

func TestEveryReportIsADataSetWithDirectQuery(t *testing.T) {
	stack := platforms["Complete"]["Dashboards"]
	source := only(t, stack, "AWS::QuickSight::DataSource", "")
	telemetry := platforms["Complete"]["Telemetry"]
	database := importOfComplete(t, "Telemetry",
		map[string]any{"Ref": only(t, telemetry, "AWS::Glue::Database", "").ID})
	types := map[telemetryschema.ColumnType]string{
		"string": "STRING", "timestamp": "DATETIME", "double": "DECIMAL", "bigint": "INTEGER",
	}
	for _, report := range queries.Reports() {
		id := strings.ReplaceAll(report.Name, "_", "-")
		sets := slices.DeleteFunc(stack.Template.OfType("AWS::QuickSight::DataSet"),
			func(r assembly.Resource) bool { return r.At("PhysicalTableMap", id) == nil })
		if len(sets) != 1 {
			t.Fatalf("%d data sets of %s, want 1", len(sets), report.Name)
		}
		var columns []any
		for _, column := range report.Columns {
			columns = append(columns,
				map[string]any{"Name": column.Name, "Type": types[column.Type]})
		}
		want(t, sets[0], "DIRECT_QUERY", "ImportMode")
		want(t, sets[0], map[string]any{id: map[string]any{"RelationalTable": map[string]any{
			"Catalog": "AwsDataCatalog", "Schema": database, "Name": report.Name,
			"DataSourceArn": arn(source), "InputColumns": columns,
		}}}, "PhysicalTableMap")
	}
}

// TestTheDashboardRefersToExistingDataSetsAndFields checks the kind of each field too: date, number
// or text.
func TestTheDashboardRefersToExistingDataSetsAndFields(t *testing.T) {
	stack := platforms["Complete"]["Dashboards"]
	definition := only(t, stack, "AWS::QuickSight::Dashboard", "").At("Definition")
	kinds := map[string]string{} // kinds of fields, by data set and name: daily_actives/day
	var sets []any
	for _, report := range queries.Reports() {
		for _, column := range report.Columns {
			kinds[report.Name+"/"+column.Name] = map[telemetryschema.ColumnType]string{
				"string": "text", "timestamp": "date", "double": "number", "bigint": "number",
			}[column.Type]
		}
		for _, set := range stack.Template.OfType("AWS::QuickSight::DataSet") {
			if set.At("PhysicalTableMap", strings.ReplaceAll(report.Name, "_", "-")) != nil {
				sets = append(sets,
					map[string]any{"Identifier": report.Name, "DataSetArn": arn(set)})
			}
		}
	}
	diff := cmp.Diff(decoded(t, sets), assembly.At(definition, "DataSetIdentifierDeclarations"))
	if diff != "" {
		t.Errorf("data sets (-want +got):\n%s", diff)
	}
	for _, field := range oneOrMore(assembly.At(definition, "CalculatedFields")) {
		set := assembly.At(field, "DataSetIdentifier").(string)
		if kinds[set+"/day"] != "text" ||
			assembly.At(field, "Expression") != "parseDate({day}, 'yyyy-MM-dd')" {
			t.Errorf("%s does not parse the field day", text(field))
		}
		kinds[set+"/"+assembly.At(field, "Name").(string)] = "date"
	}
	wanted := map[string]string{
		"DateDimensionField": "date", "DateMeasureField": "date", "RelativeDatesFilter": "date",
		"NumericalMeasureField": "number", "CategoricalDimensionField": "text", "SortBy": "number",
	}
	named := 0
	var walk func(within string, value any)
	walk = func(within string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, each := range value {
				if wanted[key] != "" {
					within := key
					walk(within, each)
					continue
				}
				walk(within, each)
			}
			if name, ok := value["ColumnName"].(string); ok {
				named++
				if kind := kinds[value["DataSetIdentifier"].(string)+"/"+name]; kind == "" ||
					kind != wanted[within] {
					t.Errorf("%s in a %s is a %q, want a %s", text(value), within, kind,
						wanted[within])
				}
			}
		case []any:
			for _, each := range value {
				walk(within, each)
			}
		}
	}
	walk("", definition)
	if named < 15 {
		t.Errorf("the test found %d fields in the dashboard, want the fields of all visuals", named)
	}
}

// TestTheDashboardShowsEveryReportOfTheLastDays: each visual has a layout element and a filter.
func TestTheDashboardShowsEveryReportOfTheLastDays(t *testing.T) {
	definition := only(t, platforms["Complete"]["Dashboards"], "AWS::QuickSight::Dashboard",
		"").At("Definition")
	shown, filtered := map[string]bool{}, map[string]bool{}
	var ids, placed []string
	for _, visual := range oneOrMore(assembly.At(definition, "Sheets", 0, "Visuals")) {
		for _, kind := range visual.(map[string]any) {
			ids = append(ids, assembly.At(kind, "VisualId").(string))
		}
		for _, report := range queries.Reports() {
			if strings.Contains(text(visual), `"DataSetIdentifier":"`+report.Name+`"`) {
				shown[report.Name] = true
			}
		}
	}
	for _, element := range oneOrMore(
		assembly.At(definition, "Sheets", 0, "Layouts", 0, "Configuration", "GridLayout",
			"Elements")) {
		placed = append(placed, assembly.At(element, "ElementId").(string))
	}
	if diff := cmp.Diff(ids, placed); diff != "" {
		t.Errorf("visuals and layout elements (-visual +element):\n%s", diff)
	}
	for _, group := range oneOrMore(assembly.At(definition, "FilterGroups")) {
		filter := assembly.At(group, "Filters", 0, "RelativeDatesFilter")
		if assembly.At(filter, "RelativeDateValue") == 28.0 &&
			assembly.At(group, "Status") == "ENABLED" {
			filtered[assembly.At(filter, "Column", "DataSetIdentifier").(string)] = true
		}
	}
	for _, report := range queries.Reports() {
		if !shown[report.Name] || !filtered[report.Name] {
			t.Errorf("%s: shown %t, filtered by the last 28 days %t, want true for both",
				report.Name, shown[report.Name], filtered[report.Name])
		}
	}
}

// TestQuickSightQueriesAthenaWithARoleThatOnlyReadsReports: not with its role for the account.
func TestQuickSightQueriesAthenaWithARoleThatOnlyReadsReports(t *testing.T) {
	stack := platforms["Complete"]["Dashboards"]
	telemetry := platforms["Complete"]["Telemetry"]
	role := only(t, stack, "AWS::IAM::Role", "")
	source := only(t, stack, "AWS::QuickSight::DataSource", "")
	workGroup := importOfComplete(t, "Telemetry",
		map[string]any{"Ref": only(t, telemetry, "AWS::Athena::WorkGroup", "").ID})
	want(t, source, "ATHENA", "Type")
	want(t, source, map[string]any{
		"AthenaParameters": map[string]any{"RoleArn": arn(role), "WorkGroup": workGroup},
	}, "DataSourceParameters")
	want(t, role, []any{map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRole",
		"Principal": map[string]any{"Service": "quicksight.amazonaws.com"},
	}}, "AssumeRolePolicyDocument", "Statement")
	if !allDependencies(stack, source)[only(t, stack, "AWS::IAM::Policy", "").ID] {
		t.Error("the data source does not depend on the role's policy: QuickSight tests it at once")
	}

	bucket := importOfComplete(t, "Telemetry",
		arn(only(t, telemetry, "AWS::S3::Bucket", "TelemetryReports")))
	key := importOfComplete(t, "Telemetry", arn(only(t, telemetry, "AWS::KMS::Key", "")))
	const athena = "arn:aws:athena:eu-central-1:333333333333:"
	wanted := append(reportPermissions(t), permissions([]any{
		map[string]any{"Action": []any{
			"athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution",
			"athena:BatchGetQueryExecution",
			"athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetWorkGroup",
		}, "Resource": fnJoin(athena+"workgroup/", workGroup)},
		map[string]any{"Action": []any{
			"athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata",
			"athena:ListDatabases", "athena:ListTableMetadata",
		}, "Resource": athena + "datacatalog/AwsDataCatalog"},
		map[string]any{
			"Action":   "glue:GetDatabase",
			"Resource": "arn:aws:glue:eu-central-1:333333333333:database/default",
		},
		map[string]any{"Action": "athena:ListDataCatalogs", "Resource": "*"},
		map[string]any{
			"Action": []any{"s3:ListBucket", "s3:ListBucketMultipartUploads"}, "Resource": bucket,
		},
		map[string]any{"Action": []any{
			"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload",
			"s3:ListMultipartUploadParts",
		}, "Resource": fnJoin(bucket, "/athena/*")},
		map[string]any{
			"Action": "kms:GenerateDataKey", "Resource": key,
			"Condition": map[string]any{
				"StringEquals": map[string]any{"kms:ViaService": "s3.eu-central-1.amazonaws.com"},
				"StringLike": map[string]any{
					"kms:EncryptionContext:aws:s3:arn": []any{bucket, fnJoin(bucket, "/*")},
				},
			},
		},
	})...)
	slices.Sort(wanted)
	diff := cmp.Diff(wanted,
		permissions(allowStatements(t, stack, "AWS::IAM::Policy", "Roles", role)))
	if diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
}

func TestDashboardPropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) { dashboards.New(stack, "D", dashboards.Props{}) },
		"dashboards: D: Owner is required; pass the ARN of a QuickSight user or group",
		"dashboards: D: Name is required; pass the display name",
		"dashboards: D: WorkGroup is required; pass the name of the Athena workgroup",
		"dashboards: D: Database is required; pass the name of the reports' database",
		"dashboards: D: Reports is required; pass the reports of the telemetry construct")
	valid := dashboards.Props{
		Owner: environments.Complete().DashboardsOwner, Name: "Reports", WorkGroup: "reports",
		Database: "reports", Reports: queries.Reports(),
	}
	const noDefinition = "the value of Definition in the output of describe-dashboard-definition"
	for problem, spoil := range map[string]func(*dashboards.Props){
		`Owner: "analysts", want the ARN of a QuickSight user or group`: func(p *dashboards.Props) {
			p.Owner = "analysts"
		},
		"Reports[0].Columns[2].Type: boolean, want a type of QuickSight's data sets; cast it in " +
			"the report's SQL, to bigint for example": func(p *dashboards.Props) {
			p.Reports = queries.Reports()
			p.Reports[0].Columns[2].Type = telemetryschema.Boolean
		},
		`Reports[1].Name: "daily__actives", want at most 64 lower-case letters and digits with ` +
			"single underscores between, a letter first": func(p *dashboards.Props) {
			p.Reports = queries.Reports()
			p.Reports[1].Name = "daily__actives"
		},
		"Reports: 51, want at most 50 without Definition": func(p *dashboards.Props) {
			p.Reports = nil
			for i := range 51 {
				report := queries.Reports()[0]
				report.Name = fmt.Sprint("report", i)
				p.Reports = append(p.Reports, report)
			}
		},
		"Reports[0].Columns: 201, want at most 200 without Definition": func(p *dashboards.Props) {
			p.Reports = queries.Reports()
			for i := range 198 {
				p.Reports[0].Columns = append(p.Reports[0].Columns, telemetryschema.Column{
					Name: fmt.Sprint("column", i), Type: telemetryschema.String,
				})
			}
		},
		"Definition: unexpected end of JSON input, want a JSON object": func(p *dashboards.Props) {
			p.Definition = "{"
		},
		"Definition: no Sheets, want " + noDefinition: func(p *dashboards.Props) {
			p.Definition = `{"Definition":{}}`
		},
		`Definition: data set "sales", want names of Reports`: func(p *dashboards.Props) {
			p.Definition = `{"Sheets":[{"DataSetIdentifier":"sales"}]}`
		},
	} {
		wantPanic(t, func(stack awscdk.Stack) {
			props := valid
			spoil(&props)
			dashboards.New(stack, "D", props)
		}, "dashboards: D: "+problem)
	}
}

func TestTheDefaultDashboardShowsATableOfEachReport(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		dashboards.New(stack, "Dashboards", dashboards.Props{
			Owner: environments.Complete().DashboardsOwner, Name: "Acme", WorkGroup: "acme",
			Database: "acme", Reports: queries.Reports(),
		})
	})
	sheet := only(t, stack, "AWS::QuickSight::Dashboard", "").At("Definition", "Sheets", 0)
	visuals := oneOrMore(assembly.At(sheet, "Visuals"))
	elements := oneOrMore(
		assembly.At(sheet, "Layouts", 0, "Configuration", "GridLayout", "Elements"))
	for i, report := range queries.Reports() {
		table := assembly.At(visuals[i], "TableVisual")
		var columns []any
		for _, field := range oneOrMore(assembly.At(table, "ChartConfiguration", "FieldWells",
			"TableUnaggregatedFieldWells", "Values")) {
			if set := assembly.At(field, "Column", "DataSetIdentifier"); set != report.Name {
				t.Errorf("%s: a field of the data set %v", report.Name, set)
			}
			columns = append(columns, assembly.At(field, "Column", "ColumnName"))
		}
		var wanted []any
		for _, column := range report.Columns {
			wanted = append(wanted, column.Name)
		}
		if diff := cmp.Diff(wanted, columns); diff != "" {
			t.Errorf("%s (-want +got):\n%s", report.Name, diff)
		}
		if assembly.At(table, "VisualId") != assembly.At(elements[i], "ElementId") {
			t.Errorf("%s has no place", report.Name)
		}
	}
	if strings.Contains(text(stack.Template), "Ashlar ") {
		t.Error("the template names this platform")
	}
}

// TestReportsMayHaveTheNamesOfOtherResources: their data sets have ids of their own.
func TestReportsMayHaveTheNamesOfOtherResources(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		props := dashboards.Props{
			Owner: environments.Complete().DashboardsOwner, Name: "Acme", WorkGroup: "acme-dev",
			Database: "acme_dev",
		}
		report := queries.Reports()[0]
		for _, name := range []string{"role", "data_source", "dashboard"} {
			report.Name = name
			props.Reports = append(props.Reports, report)
		}
		dashboards.New(stack, "Dashboards", props)
	})
	if sets := stack.Template.OfType("AWS::QuickSight::DataSet"); len(sets) != 3 {
		t.Errorf("%d data sets, want 3", len(sets))
	}
}
