package telemetry

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"testing/fstest"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// transformTimeout is for a batch of one megabyte, including the time to put records that do not
// fit into the response back into the stream. Firehose waits for five minutes at most.
const transformTimeout = time.Minute

// declareDelivery declares the transform function and the delivery stream that calls it.
//
// It declares the L1 resource, because the CDK's L2 construct would grant Firehose more than it
// needs: read, write and delete access to the whole bucket (s3:GetObject*, s3:List*,
// s3:DeleteObject*), where AWS asks for six actions.
func (t *Telemetry) declareDelivery(scope constructs.Construct, props Props) {
	t.Transform = gofunction.New(scope, "Transform", gofunction.Props{
		Package:     transformfn.Package,
		Settings:    transformfn.Settings{Stream: *t.Stream.StreamName()},
		Files:       jsonFile(transformfn.SchemaFile, t.schema),
		Description: "Transforms telemetry records into rows",
		Timeout:     transformTimeout,
	})
	t.grantPut(t.Transform, "kinesis:PutRecords")
	// A new column is in the table first: Firehose drops the values of columns that the table
	// lacks.
	t.Transform.Function.Node().AddDependency(t.Tables[telemetryschema.Table])

	t.DeliveryErrors = loggroup.New(scope, "DeliveryErrors", "")
	rows, raw := t.newLogStream("Delivery", props), t.newLogStream("RawCopies", props)
	role := t.newDeliveryRole(scope, rows, raw)

	buffering := &awskinesisfirehose.CfnDeliveryStream_BufferingHintsProperty{
		SizeInMBs:         jsii.Number(props.BufferingSizeMiB),
		IntervalInSeconds: jsii.Number(props.BufferingInterval.Seconds()),
	}
	encryption := &awskinesisfirehose.CfnDeliveryStream_EncryptionConfigurationProperty{
		KmsEncryptionConfig: &awskinesisfirehose.CfnDeliveryStream_KMSEncryptionConfigProperty{
			AwskmsKeyArn: t.Key.KeyArn(),
		},
	}
	const (
		arrived = "day=!{timestamp:yyyy-MM-dd}/" // time of arrival in the stream; UTC
		failed  = transformfn.ErrorsPrefix + "!{firehose:error-output-type}/" + arrived
	)
	source := &awskinesisfirehose.CfnDeliveryStream_KinesisStreamSourceConfigurationProperty{
		KinesisStreamArn: t.Stream.StreamArn(),
		RoleArn:          role.RoleArn(),
	}
	partitioning := &awskinesisfirehose.CfnDeliveryStream_DynamicPartitioningConfigurationProperty{
		Enabled: jsii.Bool(true),
		// Two hours are the maximum, and five minutes the default. When objects cannot be written,
		// error objects cannot be written either.
		RetryOptions: &awskinesisfirehose.CfnDeliveryStream_RetryOptionsProperty{
			DurationInSeconds: jsii.Number(7200),
		},
	}
	// The records as they arrived, before the transform.
	backup := &awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty{
		BucketArn:                t.Ingestion.BucketArn(),
		RoleArn:                  role.RoleArn(),
		Prefix:                   jsii.String(transformfn.RawPrefix + arrived),
		ErrorOutputPrefix:        jsii.String(failed), // unused; expressions in Prefix need it
		BufferingHints:           buffering,
		CompressionFormat:        jsii.String("GZIP"),
		EncryptionConfiguration:  encryption,
		CloudWatchLoggingOptions: t.loggingOptions(raw),
	}
	destination := &awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty{
		BucketArn: t.Ingestion.BucketArn(),
		RoleArn:   role.RoleArn(),
		Prefix: jsii.String(transformfn.TablePrefix +
			"type=!{partitionKeyFromLambda:type}/day=!{partitionKeyFromLambda:day}/"),
		ErrorOutputPrefix:                 jsii.String(failed),
		BufferingHints:                    buffering,
		CompressionFormat:                 jsii.String("UNCOMPRESSED"), // Parquet compresses itself
		DynamicPartitioningConfiguration:  partitioning,
		ProcessingConfiguration:           t.processing(role),
		DataFormatConversionConfiguration: t.conversion(role),
		EncryptionConfiguration:           encryption,
		CloudWatchLoggingOptions:          t.loggingOptions(rows),
		S3BackupMode:                      jsii.String("Enabled"),
		S3BackupConfiguration:             backup,
	}
	t.Delivery = awskinesisfirehose.NewCfnDeliveryStream(scope, jsii.String("Delivery"),
		&awskinesisfirehose.CfnDeliveryStreamProps{
			DeliveryStreamType:                 jsii.String("KinesisStreamAsSource"),
			KinesisStreamSourceConfiguration:   source,
			ExtendedS3DestinationConfiguration: destination,
		})
	t.Delivery.Node().AddDependency(role) // and its policy
	bucket.EmptyAfter(t.Ingestion, t.Delivery)
}

// jsonFile returns a file system with one file, for gofunction.Props.Files.
func jsonFile(name string, content any) fs.FS {
	encoded, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Errorf("telemetry: %s: %w", name, err)) // strings and booleans always encode
	}
	return fstest.MapFS{name: {Data: encoded}}
}

// processing makes Firehose call the function with batches of a megabyte: in base64, the response
// stays far below Lambda's limit of six.
func (t *Telemetry) processing(role awsiam.IRole) any {
	var parameters []any
	for _, parameter := range []struct {
		name  string
		value *string
	}{
		{"LambdaArn", t.Transform.Function.FunctionArn()},
		{"RoleArn", role.RoleArn()},
		{"NumberOfRetries", jsii.String("3")},
		{"BufferSizeInMBs", jsii.String("1")},
		{"BufferIntervalInSeconds", jsii.String("60")},
	} {
		parameters = append(parameters,
			&awskinesisfirehose.CfnDeliveryStream_ProcessorParameterProperty{
				ParameterName: jsii.String(parameter.name), ParameterValue: parameter.value,
			})
	}
	return &awskinesisfirehose.CfnDeliveryStream_ProcessingConfigurationProperty{
		Enabled: jsii.Bool(true),
		Processors: []any{&awskinesisfirehose.CfnDeliveryStream_ProcessorProperty{
			Type: jsii.String("Lambda"), Parameters: parameters,
		}},
	}
}

// conversion converts the function's JSON to Parquet, by the table's latest version.
func (t *Telemetry) conversion(role awsiam.IRole) any {
	input := &awskinesisfirehose.CfnDeliveryStream_InputFormatConfigurationProperty{
		Deserializer: &awskinesisfirehose.CfnDeliveryStream_DeserializerProperty{
			// The default, set explicitly: an empty property would be omitted from the template.
			OpenXJsonSerDe: &awskinesisfirehose.CfnDeliveryStream_OpenXJsonSerDeProperty{
				CaseInsensitive: jsii.Bool(true),
			},
		},
	}
	output := &awskinesisfirehose.CfnDeliveryStream_OutputFormatConfigurationProperty{
		Serializer: &awskinesisfirehose.CfnDeliveryStream_SerializerProperty{
			ParquetSerDe: &awskinesisfirehose.CfnDeliveryStream_ParquetSerDeProperty{
				Compression: jsii.String("SNAPPY"),
			},
		},
	}
	return &awskinesisfirehose.CfnDeliveryStream_DataFormatConversionConfigurationProperty{
		Enabled: jsii.Bool(true),
		SchemaConfiguration: &awskinesisfirehose.CfnDeliveryStream_SchemaConfigurationProperty{
			CatalogId:    awscdk.Stack_Of(t.Construct).Account(),
			Region:       awscdk.Stack_Of(t.Construct).Region(),
			DatabaseName: t.Database.Ref(),
			TableName:    t.Tables[telemetryschema.Table].Ref(),
			VersionId:    jsii.String("LATEST"),
			RoleArn:      role.RoleArn(),
		},
		InputFormatConfiguration:  input,
		OutputFormatConfiguration: output,
	}
}

// newLogStream declares a log stream for Firehose's errors; Firehose does not create log streams.
func (t *Telemetry) newLogStream(name string, props Props) awslogs.LogStream {
	removal := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE // with the group
	if props.Disposable {
		removal = awscdk.RemovalPolicy_DESTROY
	}
	return awslogs.NewLogStream(t.DeliveryErrors, jsii.String(name), &awslogs.LogStreamProps{
		LogGroup: t.DeliveryErrors, LogStreamName: jsii.String(name), RemovalPolicy: removal,
	})
}

func (t *Telemetry) loggingOptions(to awslogs.LogStream) any {
	return &awskinesisfirehose.CfnDeliveryStream_CloudWatchLoggingOptionsProperty{
		Enabled: jsii.Bool(true), LogGroupName: t.DeliveryErrors.LogGroupName(),
		LogStreamName: to.LogStreamName(),
	}
}

// newDeliveryRole declares the role of the delivery stream, with the permissions that "Grant
// Firehose access to an Amazon S3 destination" and "Grant Firehose access to AWS Glue for data
// format conversion" in the Amazon Data Firehose Developer Guide list. Only delivery streams of
// this account may assume it: Firehose passes the account as the external id.
func (t *Telemetry) newDeliveryRole(
	scope constructs.Construct, logs ...awslogs.LogStream,
) awsiam.Role {
	role := awsiam.NewRole(scope, jsii.String("DeliveryRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("firehose.amazonaws.com"),
			&awsiam.ServicePrincipalOpts{Conditions: &map[string]any{
				"StringEquals": map[string]any{"sts:ExternalId": awscdk.Stack_Of(scope).Account()},
			}}),
	})
	grant.To(role, []string{
		"kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords",
		"kinesis:ListShards",
	}, *t.Stream.StreamArn())
	t.grantKeyForStream(role, "kms:Decrypt")

	// Firehose calls the function with the qualifier $LATEST.
	function := *t.Transform.Function.FunctionArn()
	grant.To(role, []string{"lambda:InvokeFunction", "lambda:GetFunctionConfiguration"}, function,
		function+":$LATEST")

	grant.To(role, []string{"glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"},
		t.tableARNs(telemetryschema.Table)...)

	grant.To(role,
		[]string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
		*t.Ingestion.BucketArn())
	grant.To(role, []string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"},
		*t.Ingestion.ArnForObjects(jsii.String(transformfn.TablePrefix + "*")),
		*t.Ingestion.ArnForObjects(jsii.String(transformfn.RawPrefix + "*")),
		*t.Ingestion.ArnForObjects(jsii.String(transformfn.ErrorsPrefix + "*")))
	t.grantKeyForObjects(role, t.Ingestion, "kms:Decrypt", "kms:GenerateDataKey")

	for _, log := range logs {
		grant.To(role, []string{
			"logs:PutLogEvents",
		}, *awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("logs"), Resource: jsii.String("log-group"),
			ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
			ResourceName: jsii.String(
				*t.DeliveryErrors.LogGroupName() + ":log-stream:" + *log.LogStreamName()),
		}))
	}
	return role
}
