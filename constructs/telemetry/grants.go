package telemetry

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
)

// GrantPutRecords lets grantee put records into the stream, with PutRecord or PutRecords, and fills
// its setting STREAM_NAME. A record is a Message of package telemetryschema as JSON; the transform
// takes one without a topic for an event of a client.
func (t *Telemetry) GrantPutRecords(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("telemetry", t.Construct, "GrantPutRecords", grantee)
	grant.Settings(grantee, transformfn.Settings{Stream: *t.Stream.StreamName()})
	return t.grantPut(grantee, "kinesis:PutRecord", "kinesis:PutRecords")
}

// GrantReadReports lets grantee read the reports, in the catalog and in their bucket. It does not
// let it read the telemetry table's data; the columns of that table are visible, because Glue lists
// the tables of a database all at once.
func (t *Telemetry) GrantReadReports(grantee awsiam.IGrantable) awsiam.Grant {
	t.requireReports("GrantReadReports", grantee)
	listed := grant.Conditions{"StringLike": {"s3:prefix": parquetPrefix + "*"}}
	return t.grantReportTables(grantee).
		Combine(grant.Where(grantee, listed, []string{"s3:ListBucket"}, *t.Reports.BucketArn())).
		Combine(grant.To(grantee, []string{"s3:GetBucketLocation"}, *t.Reports.BucketArn()))
}

// GrantQueryReports lets grantee query the reports with Athena, in the workgroup, and read the
// results, and fills its settings ATHENA_WORK_GROUP and GLUE_DATABASE. The actions are explained in
// "Access through JDBC and ODBC connections" and "Example workgroup policies" in the Amazon Athena
// User Guide.
func (t *Telemetry) GrantQueryReports(grantee awsiam.IGrantable) awsiam.Grant {
	t.requireReports("GrantQueryReports", grantee)
	grant.Settings(grantee, reportfn.QuerySettings{
		WorkGroup: *t.WorkGroup.Ref(), Database: *t.Database.Ref(),
	})
	granted := t.grantReportTables(grantee)
	allow := func(actions []string, resources ...string) {
		granted = granted.Combine(grant.To(grantee, actions, resources...))
	}
	allow([]string{
		"athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution",
		"athena:BatchGetQueryExecution",
		"athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetWorkGroup",
	}, t.arn("athena", "workgroup", *t.WorkGroup.Ref()))
	allow([]string{
		"athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata",
		"athena:ListDatabases", "athena:ListTableMetadata",
	}, t.arn("athena", "datacatalog", "AwsDataCatalog"))
	allow([]string{"athena:ListDataCatalogs"}, "*") // supports no resource
	// Athena requires it: see grantTelemetryQueries.
	allow([]string{"glue:GetDatabase"}, t.arn("glue", "database", "default"))
	// Athena writes the results with the caller's permissions, as multipart uploads if they are
	// large, and checks the bucket first: it requires all of these actions. They reveal the names
	// of all objects in the bucket: those of reports, days and queries.
	allow([]string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		*t.Reports.BucketArn())
	allow([]string{
		"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload",
		"s3:ListMultipartUploadParts",
	}, *t.Reports.ArnForObjects(jsii.String(resultsPrefix + "*")))
	return granted.Combine(t.grantKeyForObjects(grantee, t.Reports, "kms:GenerateDataKey"))
}

// requireReports panics if a method that needs reports is called without any, or without a grantee.
func (t *Telemetry) requireReports(method string, grantee awsiam.IGrantable) {
	grant.Require("telemetry", t.Construct, method, grantee)
	if len(t.reports) == 0 {
		panic(fmt.Errorf("telemetry: %s: %s: there are no reports; pass Props.Reports",
			*t.Construct.Node().Path(), method))
	}
}

// grantReportTables lets grantee read the reports, without the list of their objects. The catalog's
// actions are those for reading in "Policies to grant minimum permissions" for Amazon Redshift
// Spectrum in the Amazon Redshift Database Developer Guide. They include those of partitions,
// although no report has any: a client requests them before it knows.
func (t *Telemetry) grantReportTables(grantee awsiam.IGrantable) awsiam.Grant {
	var names []string
	for _, report := range t.reports {
		names = append(names, report.Name)
	}
	return grant.To(grantee, []string{
		"glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetPartition",
		"glue:GetPartitions", "glue:BatchGetPartition",
	}, t.tableARNs(names...)...).
		Combine(grant.To(grantee, []string{"glue:GetTables"},
			append(t.tableARNs(), t.arn("glue", "table", *t.Database.Ref()+"/*"))...)).
		Combine(grant.To(grantee, []string{"s3:GetObject"},
			*t.Reports.ArnForObjects(jsii.String(parquetPrefix + "*")))).
		Combine(t.grantKeyForObjects(grantee, t.Reports, "kms:Decrypt"))
}

// grantPut lets grantee put records into the stream. Kinesis calls KMS with the grantee's
// permissions: "Permissions to use user-generated KMS keys" in the Amazon Kinesis Data Streams
// Developer Guide.
func (t *Telemetry) grantPut(grantee awsiam.IGrantable, actions ...string) awsiam.Grant {
	return grant.To(grantee, actions, *t.Stream.StreamArn()).
		Combine(t.grantKeyForStream(grantee, "kms:GenerateDataKey"))
}

// grantKeyForStream lets grantee use the key for records of the stream: GenerateDataKey to put
// them, Decrypt to read them.
func (t *Telemetry) grantKeyForStream(grantee awsiam.IGrantable, action string) awsiam.Grant {
	return t.grantKey(grantee, "kinesis",
		map[string]any{"kms:EncryptionContext:aws:kinesis:arn": []string{*t.Stream.StreamArn()}},
		action)
}

// grantKeyForObjects lets grantee use the key for objects of a bucket: GenerateDataKey to write
// them, Decrypt to read them.
func (t *Telemetry) grantKeyForObjects(
	grantee awsiam.IGrantable, of awss3.Bucket, actions ...string,
) awsiam.Grant {
	// The encryption context is the bucket with an S3 Bucket Key, and the object without: "Using
	// Amazon S3 Bucket Keys".
	return t.grantKey(grantee, "s3", map[string]any{
		"kms:EncryptionContext:aws:s3:arn": []string{
			*of.BucketArn(), *of.ArnForObjects(jsii.String("*")),
		},
	}, actions...)
}

// grantKey lets grantee use the key through one service only, for the encryption context that the
// service passes.
func (t *Telemetry) grantKey(
	grantee awsiam.IGrantable, service string, context map[string]any, actions ...string,
) awsiam.Grant {
	return grant.Where(grantee, grant.Conditions{
		"StringEquals": {
			"kms:ViaService": service + "." + *awscdk.Stack_Of(t.Construct).Region() +
				".amazonaws.com",
		},
		"StringLike": context,
	}, actions, *t.Key.KeyArn())
}
