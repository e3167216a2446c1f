package telemetry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
)

// AllowReadingReports lets role read the reports, in the catalogue and in their bucket. The readings it does not read;
// which columns their table has it may see, since Glue lists the tables of a database all at once.
func (t *Telemetry) AllowReadingReports(role awsiam.IRole) {
	t.allowReports(role)
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("s3:ListBucket"),
		Resources:  &[]*string{t.Reports.BucketArn()},
		Conditions: &map[string]any{"StringLike": map[string]any{"s3:prefix": parquetPrefix + "*"}},
	}))
	allow(role, []string{"s3:GetBucketLocation"}, *t.Reports.BucketArn())
}

// AllowQueryingReports lets role ask Athena for the reports, by the work group, and read the results. What the actions
// are for: "Access through JDBC and ODBC connections" and "Example workgroup policies" in the Amazon Athena User Guide.
func (t *Telemetry) AllowQueryingReports(role awsiam.IRole) {
	t.allowReports(role)
	allow(role, []string{
		"athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution", "athena:BatchGetQueryExecution",
		"athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetWorkGroup",
	}, t.arn("athena", "workgroup", *t.WorkGroup.Ref()))
	allow(role, []string{
		"athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata", "athena:ListDatabases", "athena:ListTableMetadata",
	}, t.arn("athena", "datacatalog", "AwsDataCatalog"))
	allow(role, []string{"athena:ListDataCatalogs"}, "*")                           // which knows no resource
	allow(role, []string{"glue:GetDatabase"}, t.arn("glue", "database", "default")) // as allowQueries says
	// Athena writes the results in the name of who asks, in parts if they are large, and looks at the bucket before: all of these
	// it wants at once. The names of all that is in the bucket can be seen thereby, which are those of reports, days and queries.
	allow(role, []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}, *t.Reports.BucketArn())
	allow(role, []string{"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		*t.Reports.ArnForObjects(jsii.String(resultsPrefix + "*")))
	t.allowObjects(role, t.Reports, "kms:GenerateDataKey")
}

// allowReports lets role read the reports, but for the list of their objects. Of the catalogue these are the actions that
// "Policies to grant minimum permissions" for Amazon Redshift Spectrum in the Amazon Redshift Database Developer Guide has for
// reading. Those of partitions are among them, though no report has any: who asks for them does so before it knows.
func (t *Telemetry) allowReports(role awsiam.IRole) {
	var names []string
	for _, report := range reportfn.Reports() {
		names = append(names, report.Name)
	}
	allow(role, []string{
		"glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition",
	}, t.tableARNs(names...)...)
	allow(role, []string{"glue:GetTables"}, append(t.tableARNs(), t.arn("glue", "table", *t.Database.Ref()+"/*"))...)
	allow(role, []string{"s3:GetObject"}, *t.Reports.ArnForObjects(jsii.String(parquetPrefix + "*")))
	t.allowObjects(role, t.Reports, "kms:Decrypt")
}
