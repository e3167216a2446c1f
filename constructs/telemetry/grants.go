package telemetry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
)

// GrantReadReports lets role read the reports, in the catalog and in their bucket. It does not let
// role read the telemetry table's data; the columns of that table are visible, because Glue lists
// the tables of a database all at once.
func (t *Telemetry) GrantReadReports(role awsiam.IRole) {
	t.grantReportTables(role)
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("s3:ListBucket"),
		Resources:  &[]*string{t.Reports.BucketArn()},
		Conditions: &map[string]any{"StringLike": map[string]any{"s3:prefix": parquetPrefix + "*"}},
	}))
	grant(role, []string{"s3:GetBucketLocation"}, *t.Reports.BucketArn())
}

// GrantQueryReports lets role query the reports with Athena, in the workgroup, and read the
// results. The actions are explained in "Access through JDBC and ODBC connections" and "Example
// workgroup policies" in the Amazon Athena User Guide.
func (t *Telemetry) GrantQueryReports(role awsiam.IRole) {
	t.grantReportTables(role)
	grant(role, []string{
		"athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution",
		"athena:BatchGetQueryExecution",
		"athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetWorkGroup",
	}, t.arn("athena", "workgroup", *t.WorkGroup.Ref()))
	grant(role, []string{
		"athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata",
		"athena:ListDatabases", "athena:ListTableMetadata",
	}, t.arn("athena", "datacatalog", "AwsDataCatalog"))
	grant(role, []string{"athena:ListDataCatalogs"}, "*") // supports no resource
	// Athena requires it: see grantTelemetryQueries.
	grant(role, []string{"glue:GetDatabase"}, t.arn("glue", "database", "default"))
	// Athena writes the results with the caller's permissions, as multipart uploads if they are
	// large, and checks the bucket first: it requires all of these actions. They reveal the names
	// of all objects in the bucket: those of reports, days and queries.
	grant(role, []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		*t.Reports.BucketArn())
	grant(role,
		[]string{
			"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload",
			"s3:ListMultipartUploadParts",
		},
		*t.Reports.ArnForObjects(jsii.String(resultsPrefix + "*")))
	t.grantKeyForObjects(role, t.Reports, "kms:GenerateDataKey")
}

// grantReportTables lets role read the reports, without the list of their objects. The catalog's
// actions are those for reading in "Policies to grant minimum permissions" for Amazon Redshift
// Spectrum in the Amazon Redshift Database Developer Guide. They include those of partitions,
// although no report has any: a client requests them before it knows.
func (t *Telemetry) grantReportTables(role awsiam.IRole) {
	var names []string
	for _, report := range reportfn.Reports() {
		names = append(names, report.Name)
	}
	grant(role, []string{
		"glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetPartition",
		"glue:GetPartitions", "glue:BatchGetPartition",
	}, t.tableARNs(names...)...)
	grant(role, []string{"glue:GetTables"},
		append(t.tableARNs(), t.arn("glue", "table", *t.Database.Ref()+"/*"))...)
	grant(role, []string{"s3:GetObject"},
		*t.Reports.ArnForObjects(jsii.String(parquetPrefix + "*")))
	t.grantKeyForObjects(role, t.Reports, "kms:Decrypt")
}

// grant allows role to call actions on resources, which are ARNs.
func grant(role awsiam.IRole, actions []string, resources ...string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(actions...), Resources: jsii.Strings(resources...),
	}))
}

// grantPutRecords lets role put records into the stream, with PutRecord or PutRecords. Kinesis
// calls KMS with the role's permissions: "Permissions to use user-generated KMS keys" in the Amazon
// Kinesis Data Streams Developer Guide.
func (t *Telemetry) grantPutRecords(role awsiam.IRole, action string) {
	grant(role, []string{action}, *t.Stream.StreamArn())
	t.grantKey(role, "kinesis",
		map[string][]string{"kms:EncryptionContext:aws:kinesis:arn": {*t.Stream.StreamArn()}},
		"kms:GenerateDataKey")
}

// grantKeyForObjects lets role use the key for objects of a bucket: GenerateDataKey to write them,
// Decrypt to read them.
func (t *Telemetry) grantKeyForObjects(role awsiam.IRole, of awss3.Bucket, actions ...string) {
	// The encryption context is the bucket with an S3 Bucket Key, and the object without: "Using
	// Amazon S3 Bucket Keys".
	t.grantKey(role, "s3", map[string][]string{
		"kms:EncryptionContext:aws:s3:arn": {*of.BucketArn(), *of.ArnForObjects(jsii.String("*"))},
	}, actions...)
}

// grantKey lets role use the key through one service only, for the encryption context that the
// service passes.
func (t *Telemetry) grantKey(
	role awsiam.IRole, service string, context map[string][]string, actions ...string,
) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{t.Key.KeyArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{
				"kms:ViaService": service + "." + *awscdk.Stack_Of(t.Key).Region() +
					".amazonaws.com",
			},
			"StringLike": context,
		},
	}))
}
