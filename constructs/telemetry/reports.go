package telemetry

import (
	"cmp"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsathena"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

const (
	// queryTimeout limits one query. The function's timeout leaves time for a query and its
	// post-processing.
	queryTimeout  = 10 * time.Minute
	reportTimeout = 15 * time.Minute // Lambda's maximum
	// reportInterval is how often the reports of yesterday and today are made without a
	// notification, in case S3 has failed to send one.
	reportInterval = 6 * time.Hour
)

// declareQueries declares the workgroup and, for interactive use, the reports' queries in it.
func (t *Telemetry) declareQueries(scope constructs.Construct, props Props) {
	results := &awsathena.CfnWorkGroup_ResultConfigurationProperty{
		OutputLocation:      jsii.String("s3://" + *t.Reports.BucketName() + "/" + resultsPrefix),
		ExpectedBucketOwner: awscdk.Stack_Of(scope).Account(),
		EncryptionConfiguration: &awsathena.CfnWorkGroup_EncryptionConfigurationProperty{
			EncryptionOption: jsii.String("SSE_KMS"), KmsKey: t.Key.KeyArn(),
		},
	}
	t.WorkGroup = awsathena.NewCfnWorkGroup(scope, jsii.String("WorkGroup"),
		&awsathena.CfnWorkGroupProps{
			Name:        jsii.String(t.name("-")),
			Description: jsii.String("Queries of telemetry records and reports"),
			WorkGroupConfiguration: &awsathena.CfnWorkGroup_WorkGroupConfigurationProperty{
				EnforceWorkGroupConfiguration: jsii.Bool(true), // overrides client settings
				EngineVersion: &awsathena.CfnWorkGroup_EngineVersionProperty{
					SelectedEngineVersion: jsii.String("Athena engine version 3"),
				},
				BytesScannedCutoffPerQuery:      jsii.Number(props.BytesScannedCutoffPerQuery),
				PublishCloudWatchMetricsEnabled: jsii.Bool(true),
				RequesterPaysEnabled:            jsii.Bool(false),
				ResultConfiguration:             results,
			},
			// Deletes the query history too; otherwise the function's queries alone would block the
			// deletion: "WorkGroup is not empty". The workgroup is deleted if it is disposable, or
			// if the deployment that created it fails.
			RecursiveDeleteOption: jsii.Bool(true),
		})
	policy := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE // it may hold saved queries
	if props.Disposable {
		policy = awscdk.RemovalPolicy_DESTROY
	}
	t.WorkGroup.ApplyRemovalPolicy(policy, nil)
	for _, report := range t.reports {
		awsathena.NewCfnNamedQuery(scope, jsii.String(convert.ConstructID(report.Name)+"Query"),
			&awsathena.CfnNamedQueryProps{
				Name: jsii.String(report.Name),
				Description: jsii.String(cmp.Or(report.Comment, "Daily report") +
					"; its parameter is the day, such as '2026-11-21'"),
				Database:    t.Database.Ref(),
				WorkGroup:   t.WorkGroup.Ref(),
				QueryString: jsii.String(report.SQL),
			})
	}
}

// declareReports declares the function that makes the reports, and its triggers.
func (t *Telemetry) declareReports(scope constructs.Construct) {
	t.Report = gofunction.New(scope, "Report", gofunction.Props{
		Package: reportfn.Package,
		Settings: reportfn.Settings{
			QuerySettings: reportfn.QuerySettings{
				WorkGroup: *t.WorkGroup.Ref(), Database: *t.Database.Ref(),
			},
			Bucket:       *t.Reports.BucketName(),
			QueryTimeout: queryTimeout,
		},
		Files:       jsonFile(reportfn.ReportsFile, t.reports),
		Description: "Makes the daily reports of the telemetry",
		Timeout:     reportTimeout,
	})
	t.grantTelemetryQueries(t.Report)
	// GetObject, to see which version exists.
	t.Report.AddToRolePolicy([]string{"s3:GetObject", "s3:PutObject"},
		*t.Reports.ArnForObjects(jsii.String(parquetPrefix + "*")),
		*t.Reports.ArnForObjects(jsii.String(csvPrefix + "*")))
	// Otherwise S3 responds with 403 for a missing object.
	t.Report.AddToRolePolicy([]string{"s3:ListBucket"}, *t.Reports.BucketArn())

	t.ReportRequests = consumer.New(scope, "ReportRequests", consumer.Props{
		Function: t.Report.Function,
		// A delivery writes some objects of a few days, with one notification each. Batched, they
		// cause one run of each day's queries.
		BatchSize:      1000,
		BatchingWindow: 5 * time.Minute,
		MaxConcurrency: 2, // the minimum: reports are not urgent, and queries cost money
	})
	t.ReportRequests.AddSchedule("Schedule", reportInterval, reportfn.Scheduled)
	bucket.EmptyAfter(t.Reports, t.ReportRequests.Mapping)
}

// grantTelemetryQueries lets grantee query the telemetry table in the workgroup, and nothing else:
// grantee may access S3 and Glue only through Athena ("Use CalledVia context keys for Athena" in
// the Amazon Athena User Guide).
func (t *Telemetry) grantTelemetryQueries(grantee awsiam.IGrantable) {
	grant.To(grantee, []string{
		"athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults",
		"athena:StopQueryExecution",
	},
		t.arn("athena", "workgroup", *t.WorkGroup.Ref()))

	grantThroughAthena(grantee, []string{"glue:GetDatabase", "glue:GetTable"},
		t.tableARNs(telemetryschema.Table)...)
	// Athena requires this one for every query: "Configure access to databases and tables in the
	// AWS Glue Data Catalog".
	grantThroughAthena(grantee, []string{"glue:GetDatabase"}, t.arn("glue", "database", "default"))
	grantThroughAthena(grantee, []string{"s3:GetBucketLocation", "s3:ListBucket"},
		*t.Ingestion.BucketArn())
	grantThroughAthena(grantee, []string{"s3:GetObject"},
		*t.Ingestion.ArnForObjects(jsii.String(transformfn.TablePrefix + "*")))
	grantThroughAthena(grantee,
		[]string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		*t.Reports.BucketArn())
	grantThroughAthena(grantee,
		[]string{
			"s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts",
			"s3:PutObject",
		},
		*t.Reports.ArnForObjects(jsii.String(resultsPrefix + "*")))
	t.grantKeyForObjects(grantee, t.Ingestion, "kms:Decrypt")
	t.grantKeyForObjects(grantee, t.Reports, "kms:Decrypt", "kms:GenerateDataKey")
}

// grantThroughAthena allows grantee to call actions on resources only through Athena.
func grantThroughAthena(grantee awsiam.IGrantable, actions []string, resources ...string) {
	throughAthena := grant.Conditions{
		"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"},
	}
	grant.Where(grantee, throughAthena, actions, resources...)
}
