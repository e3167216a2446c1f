package telemetry

import (
	"cmp"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Prefixes in the bucket Reports: the reports, and the results of Athena's queries, which are not
// read after the query.
const (
	parquetPrefix    = "parquet/"
	csvPrefix        = "csv/"
	resultsPrefix    = "athena/"
	resultsRetention = 7 * 24 * time.Hour
)

// declareTables declares the telemetry table and the tables of the reports.
func (t *Telemetry) declareTables(scope constructs.Construct, props Props) {
	t.Database = awsglue.NewCfnDatabase(scope, jsii.String("Database"), &awsglue.CfnDatabaseProps{
		CatalogId: awscdk.Stack_Of(scope).Account(),
		DatabaseInput: &awsglue.CfnDatabase_DatabaseInputProperty{
			Name:        jsii.String(t.name("_")),
			Description: jsii.String("Telemetry records and reports"),
		},
	})
	location := "s3://" + *t.Ingestion.BucketName() + "/" + transformfn.TablePrefix
	const name = telemetryschema.Table
	t.Tables = map[string]awsglue.CfnTable{name: t.newTable(scope, name,
		&awsglue.CfnTable_TableInputProperty{
			Description:       jsii.String("Readings of devices and events of clients"),
			StorageDescriptor: parquetStorage(location, t.schema.TableColumns()),
			PartitionKeys:     columnsOf(telemetryschema.PartitionKeys()),
			// Athena computes the partitions: "Set up partition projection" in the Amazon Athena
			// User Guide. The time of a record is at most a day ahead of our clock.
			Parameters: map[string]string{
				"EXTERNAL":                  "TRUE",
				"classification":            "parquet",
				"projection.enabled":        "true",
				"projection.type.type":      "enum",
				"projection.type.values":    strings.Join(t.schema.PartitionTypes(), ","),
				"projection.day.type":       "date",
				"projection.day.format":     "yyyy-MM-dd",
				"projection.day.range":      props.FirstDay + ",NOW+1DAYS",
				"storage.location.template": location + "type=${type}/day=${day}/",
			},
		})}
	for _, report := range t.reports {
		// Not partitioned in the catalog: Redshift does not support projected partitions, and a
		// report has one small object a day.
		t.Tables[report.Name] = t.newTable(scope, report.Name, &awsglue.CfnTable_TableInputProperty{
			Description: jsii.String(cmp.Or(report.Comment, "Daily report")),
			StorageDescriptor: parquetStorage(
				"s3://"+*t.Reports.BucketName()+"/"+parquetPrefix+report.Name+"/", report.Columns),
			Parameters: map[string]string{"EXTERNAL": "TRUE", "classification": "parquet"},
		})
	}
}

func (t *Telemetry) newTable(
	scope constructs.Construct, name string, input *awsglue.CfnTable_TableInputProperty,
) awsglue.CfnTable {
	input.Name = jsii.String(name)
	input.TableType = jsii.String("EXTERNAL_TABLE")
	return awsglue.NewCfnTable(scope, jsii.String(convert.ConstructID(name)+"Table"),
		&awsglue.CfnTableProps{
			CatalogId:    awscdk.Stack_Of(scope).Account(),
			DatabaseName: t.Database.Ref(),
			TableInput:   input,
		})
}

// parquetStorage describes a table's Parquet objects: their location and columns.
func parquetStorage(
	location string, columns []telemetryschema.Column,
) *awsglue.CfnTable_StorageDescriptorProperty {
	return &awsglue.CfnTable_StorageDescriptorProperty{
		Columns:      columnsOf(columns),
		Location:     jsii.String(location),
		InputFormat:  jsii.String("org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"),
		OutputFormat: jsii.String("org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"),
		SerdeInfo: &awsglue.CfnTable_SerdeInfoProperty{
			SerializationLibrary: jsii.String(
				"org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"),
			Parameters: map[string]string{"serialization.format": "1"},
		},
	}
}

func columnsOf(columns []telemetryschema.Column) []any {
	var described []any
	for _, column := range columns {
		property := &awsglue.CfnTable_ColumnProperty{
			Name: jsii.String(column.Name), Type: jsii.String(string(column.Type)),
		}
		if column.Comment != "" {
			property.Comment = jsii.String(column.Comment)
		}
		described = append(described, property)
	}
	return described
}

// tableARNs returns the ARNs of tables, and of their database and catalog, to which Glue requires
// access too: "Specifying AWS Glue resource ARNs" in the AWS Glue Developer Guide. A table is named
// literally. A reference would become an export of this stack when another stack's role reads the
// table, and a report could not be removed while the other stack exists.
func (t *Telemetry) tableARNs(names ...string) []string {
	catalog := *awscdk.Stack_Of(t.Construct).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("glue"), Resource: jsii.String("catalog"),
		ArnFormat: awscdk.ArnFormat_NO_RESOURCE_NAME,
	})
	arns := []string{catalog, t.arn("glue", "database", *t.Database.Ref())}
	for _, name := range names {
		arns = append(arns, t.arn("glue", "table", *t.Database.Ref()+"/"+name))
	}
	return arns
}
