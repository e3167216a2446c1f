package telemetry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
)

// AllowReadingReports lets role read the reports, in the catalogue and in their bucket. The readings it does not read;
// which columns their table has it may see, since Glue lists the tables of a database all at once.
func (t *Telemetry) AllowReadingReports(role awsiam.IRole) {
	var names []string
	for _, report := range reportfn.Reports() {
		names = append(names, report.Name)
	}
	allow(role, []string{"glue:GetDatabase", "glue:GetTable"}, t.tableARNs(names...)...)
	allow(role, []string{"glue:GetTables"}, append(t.tableARNs(), t.arn("glue", "table", *t.Database.Ref()+"/*"))...)
	t.allowListing(role, parquetPrefix)
	allow(role, []string{"s3:GetObject"}, *t.Reports.ArnForObjects(jsii.String(parquetPrefix + "*")))
	t.allowObjects(role, t.Reports, "kms:Decrypt")
}

// AllowQueryingReports lets role ask Athena for the reports, by the work group, and read the results. What the actions
// are for: "Access through JDBC and ODBC connections" and "Example workgroup policies" in the Amazon Athena User Guide.
func (t *Telemetry) AllowQueryingReports(role awsiam.IRole) {
	t.AllowReadingReports(role)
	allow(role, []string{
		"athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution", "athena:BatchGetQueryExecution",
		"athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetWorkGroup",
	}, t.arn("athena", "workgroup", *t.WorkGroup.Ref()))
	allow(role, []string{
		"athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata", "athena:ListDatabases", "athena:ListTableMetadata",
	}, t.arn("athena", "datacatalog", "AwsDataCatalog"))
	allow(role, []string{"glue:GetDatabase"}, t.arn("glue", "database", "default")) // as allowQueries says
	// Athena writes the results in the name of who asks, in parts if they are large.
	t.allowListing(role, resultsPrefix)
	allow(role, []string{"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		*t.Reports.ArnForObjects(jsii.String(resultsPrefix + "*")))
	t.allowObjects(role, t.Reports, "kms:GenerateDataKey")
}

// allowListing lets role see which objects of the reports' bucket there are below a prefix, and in which region it is.
func (t *Telemetry) allowListing(role awsiam.IRole, prefix string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("s3:ListBucket"),
		Resources:  &[]*string{t.Reports.BucketArn()},
		Conditions: &map[string]any{"StringLike": map[string]any{"s3:prefix": prefix + "*"}},
	}))
	allow(role, []string{"s3:GetBucketLocation"}, *t.Reports.BucketArn())
}
