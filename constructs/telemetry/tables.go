package telemetry

import (
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
)

const (
	// firstDay is before the first reading: the platform is younger, and readings that are much older than their arrival fail.
	firstDay = "2026-01-01"
)

// Where reports are below Reports, and where Athena puts the results of queries, which nobody reads after the query's end.
const (
	parquetPrefix    = "parquet/"
	csvPrefix        = "csv/"
	resultsPrefix    = "athena/"
	resultsRetention = 7 * 24 * time.Hour
)

// declareTables declares the tables of the readings and of the reports.
func (t *Telemetry) declareTables(scope constructs.Construct) {
	t.Database = awsglue.NewCfnDatabase(scope, jsii.String("Database"), &awsglue.CfnDatabaseProps{
		CatalogId: awscdk.Stack_Of(scope).Account(),
		DatabaseInput: &awsglue.CfnDatabase_DatabaseInputProperty{
			Name:        jsii.String(t.name("_")),
			Description: jsii.String("Readings and reports"),
		},
	})
	location := "s3://" + *t.Ingestion.BucketName() + "/" + transformfn.TablePrefix
	partition := func(name, comment string) any {
		return &awsglue.CfnTable_ColumnProperty{Name: jsii.String(name), Type: jsii.String("string"), Comment: jsii.String(comment)}
	}
	t.Tables = map[string]awsglue.CfnTable{transformfn.Table: t.newTable(scope, transformfn.Table, &awsglue.CfnTable_TableInputProperty{
		Description:       jsii.String("What devices and clients have told"),
		StorageDescriptor: parquetStorage(location, transformfn.Columns()),
		PartitionKeys:     []any{partition("type", "What kind of reading it is"), partition("day", "Of at: 2026-11-21; UTC")},
		// Athena reckons by itself which partitions there are: "Set up partition projection" in the Amazon Athena User Guide. No
		// reading's clock is more than a day ahead of ours.
		Parameters: map[string]string{
			"EXTERNAL":                  "TRUE",
			"classification":            "parquet",
			"projection.enabled":        "true",
			"projection.type.type":      "enum",
			"projection.type.values":    strings.Join(transformfn.Types(), ","),
			"projection.day.type":       "date",
			"projection.day.format":     "yyyy-MM-dd",
			"projection.day.range":      firstDay + ",NOW+1DAYS",
			"storage.location.template": location + "type=${type}/day=${day}/",
		},
	})}
	for _, report := range reportfn.Reports() {
		// Not partitioned in the catalogue: Redshift would not know of partitions that are reckoned, and a report has one small
		// object a day.
		t.Tables[report.Name] = t.newTable(scope, report.Name, &awsglue.CfnTable_TableInputProperty{
			Description:       jsii.String(report.Comment),
			StorageDescriptor: parquetStorage("s3://"+*t.Reports.BucketName()+"/"+parquetPrefix+report.Name+"/", report.Columns),
			Parameters:        map[string]string{"EXTERNAL": "TRUE", "classification": "parquet"},
		})
	}
}

// pascalCase makes of the name of a table one of a construct: DailyActives of daily_actives.
func pascalCase(name string) string {
	id := ""
	for word := range strings.SplitSeq(name, "_") {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

func (t *Telemetry) newTable(scope constructs.Construct, name string, input *awsglue.CfnTable_TableInputProperty) awsglue.CfnTable {
	input.Name = jsii.String(name)
	input.TableType = jsii.String("EXTERNAL_TABLE")
	return awsglue.NewCfnTable(scope, jsii.String(pascalCase(name)+"Table"), &awsglue.CfnTableProps{
		CatalogId:    awscdk.Stack_Of(scope).Account(),
		DatabaseName: t.Database.Ref(),
		TableInput:   input,
	})
}

// parquetStorage is where a table's objects are, and what is in them.
func parquetStorage(location string, columns []transformfn.Column) *awsglue.CfnTable_StorageDescriptorProperty {
	var described []any
	for _, column := range columns {
		described = append(described, &awsglue.CfnTable_ColumnProperty{
			Name: jsii.String(column.Name), Type: jsii.String(column.Type), Comment: jsii.String(column.Comment),
		})
	}
	return &awsglue.CfnTable_StorageDescriptorProperty{
		Columns:      described,
		Location:     jsii.String(location),
		InputFormat:  jsii.String("org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"),
		OutputFormat: jsii.String("org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"),
		SerdeInfo: &awsglue.CfnTable_SerdeInfoProperty{
			SerializationLibrary: jsii.String("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"),
			Parameters:           map[string]string{"serialization.format": "1"},
		},
	}
}

// tableARNs name tables, and what they are in, which Glue asks the right to as well: "Specifying AWS Glue resource ARNs" in the
// AWS Glue Developer Guide. A table's name is written as it is, and not as a reference, which would be an export of this stack
// where another stack's role reads the table: a report could then not be taken away as long as the other stack is there.
func (t *Telemetry) tableARNs(names ...string) []string {
	catalog := *awscdk.Stack_Of(t.Key).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("glue"), Resource: jsii.String("catalog"), ArnFormat: awscdk.ArnFormat_NO_RESOURCE_NAME,
	})
	arns := []string{catalog, t.arn("glue", "database", *t.Database.Ref())}
	for _, name := range names {
		arns = append(arns, t.arn("glue", "table", *t.Database.Ref()+"/"+name))
	}
	return arns
}
