package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3notifications"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	domain "github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	reportfn "github.com/ashlar-cdk/ashlar/lambdas/report/contract"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/handler"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// topicOf returns the prefix of the topics of the environment's devices.
func topicOf(environment environments.Environment) string {
	return "ashlar/" + strings.ToLower(environment.Name)
}

// keyCondition returns the condition under which a role may use a key: through an AWS service, for
// the resources in the encryption context.
func keyCondition(
	stack assembly.Stack, key assembly.Resource, service, context string, of ...any,
) string {
	region := any("eu-central-1")
	if _, known := accountID(stack).(string); !known {
		region = map[string]any{"Ref": "AWS::Region"}
	}
	return text(arn(key)) + " if " + text(map[string]any{
		"StringEquals": map[string]any{
			"kms:ViaService": fnJoin(service+".", region, ".amazonaws.com"),
		},
		"StringLike": map[string]any{"kms:EncryptionContext:aws:" + context + ":arn": of},
	})
}

// objectKeyCondition returns the condition under which a role may use a key for the objects of a
// bucket.
func objectKeyCondition(stack assembly.Stack, key, bucket assembly.Resource) string {
	return keyCondition(stack, key, "s3", "s3", arn(bucket), objects(bucket, "*"))
}

// glueARN returns the ARN of a resource of the account's Glue Data Catalog, as in templates.
func glueARN(stack assembly.Stack, parts ...any) any {
	return appendARN(accountARN(stack, "glue", ""), parts...)
}

// appendARN appends parts to an ARN.
func appendARN(base any, parts ...any) any {
	list, ok := assembly.At(base, "Fn::Join", 1).([]any)
	if !ok {
		list = []any{base}
	}
	return fnJoin(append(slices.Clone(list), parts...)...)
}

func TestADeviceConnectsAsItselfAndPublishesToItsOwnTopic(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			const thing = "${iot:Connection.Thing.ThingName}"
			wantProperties(t, only(t, stack, "AWS::IoT::Policy", ""),
				map[string]any{"PolicyDocument": map[string]any{
					"Statement": []any{
						map[string]any{
							"Action": "iot:Connect", "Effect": "Allow",
							"Resource": accountARN(stack, "iot", "client/"+thing),
							"Condition": map[string]any{
								"Bool": map[string]any{"iot:Connection.Thing.IsAttached": "true"},
							},
						},
						map[string]any{
							"Action": "iot:Publish", "Effect": "Allow", "Resource": accountARN(
								stack, "iot", "topic/"+topicOf(environment)+"/"+thing+"/readings"),
						},
					},
					"Version": "2012-10-17",
				}})
			want(t, only(t, stack, "AWS::IoT::ThingType", ""), nil, "DeprecateThingType")
		})
}

// TestTheRuleAcceptsEveryPayload: the statement selects functions only, so the rule accepts
// payloads that are not JSON. Failed messages go to the error prefix.
func TestTheRuleAcceptsEveryPayload(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			role := arn(only(t, stack, "AWS::IAM::Role", "TelemetryRuleRole"))
			wantProperties(t, only(t, stack, "AWS::IoT::TopicRule", ""), map[string]any{
				"RuleName": strings.ReplaceAll(topicOf(environment), "/", "_") + "_readings",
				"TopicRulePayload": map[string]any{
					"AwsIotSqlVersion": "2016-03-23",
					"Description":      "Puts messages of devices into the telemetry stream",
					"Sql": "SELECT encode(*, 'base64') AS data, topic() AS topic, " +
						"timestamp() AS received_at FROM '" + topicOf(environment) + "/+/readings'",
					"Actions": []any{map[string]any{"Kinesis": map[string]any{
						"PartitionKey": "${newuuid()}", "RoleArn": role,
						"StreamName": ref(only(t, stack, "AWS::Kinesis::Stream", "")),
					}}},
					"ErrorAction": map[string]any{"S3": map[string]any{
						"BucketName": ref(only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion")),
						"Key": `errors/rule/day=${parse_time("yyyy-MM-dd", timestamp())}/` +
							"${newuuid()}.json",
						"RoleArn": role,
					}},
				},
			})
		})
}

// TestTheRuleIsCreatedAfterTheDeliveryStream: Firehose only reads records that are put into the
// stream after the delivery stream was created.
func TestTheRuleIsCreatedAfterTheDeliveryStream(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			rule := only(t, stack, "AWS::IoT::TopicRule", "")
			delivery := only(t, stack, "AWS::KinesisFirehose::DeliveryStream", "")
			for _, needs := range []struct {
				resource assembly.Resource
				needed   string
			}{
				{rule, delivery.ID},
				{rule, only(t, stack, "AWS::IAM::Policy", "TelemetryRuleRole").ID},
				{delivery, only(t, stack, "AWS::IAM::Policy", "TelemetryDeliveryRole").ID},
			} {
				if !slices.Contains(oneOrMore(needs.resource.DependsOn), any(needs.needed)) {
					t.Errorf("%s does not depend on %s", needs.resource.ID, needs.needed)
				}
			}
		})
}

func TestServicesAssumeTelemetryRolesForTheAccountOnly(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			for name, condition := range map[string]map[string]any{
				"TelemetryRuleRole": {
					"ArnEquals": map[string]any{"aws:SourceArn": accountARN(stack, "iot",
						"rule/"+strings.ReplaceAll(topicOf(environment), "/", "_")+"_readings")},
					"StringEquals": map[string]any{"aws:SourceAccount": accountID(stack)},
				},
				"TelemetryDeliveryRole": {
					"StringEquals": map[string]any{"sts:ExternalId": accountID(stack)},
				},
			} {
				role := only(t, stack, "AWS::IAM::Role", name)
				want(t, role, condition, "AssumeRolePolicyDocument", "Statement", 0, "Condition")
				want(t, role, nil, "AssumeRolePolicyDocument", "Statement", 1)
			}
		})
}

func TestTheRuleMayWriteToTheStreamAndToTheErrorPrefix(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		key := only(t, stack, "AWS::KMS::Key", "")
		stream := only(t, stack, "AWS::Kinesis::Stream", "")
		ingestion := only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion")
		comparePermissions(t, "the rule", rolePermissions(t, stack,
			only(t, stack, "AWS::IAM::Role", "TelemetryRuleRole").ID), map[string]any{
			"kinesis:PutRecord": arn(stream),
			"s3:PutObject":      objects(ingestion, "errors/rule/*"),
			"kms:GenerateDataKey": keyCondition(stack, key, "kinesis", "kinesis", arn(stream)) +
				" and " + objectKeyCondition(stack, key, ingestion),
		})
	})
}

func TestTheTransformMayRequeueRecords(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			key := only(t, stack, "AWS::KMS::Key", "")
			stream := only(t, stack, "AWS::Kinesis::Stream", "")
			wantPermissions(t, stack, "TelemetryTransform", map[string]any{
				"kinesis:PutRecords":  arn(stream),
				"kms:GenerateDataKey": keyCondition(stack, key, "kinesis", "kinesis", arn(stream)),
			})
			want(t, only(t, stack, "AWS::Lambda::Function", "TelemetryTransform"), ref(stream),
				"Environment", "Variables", "STREAM_NAME")
		})
}

// TestFirehoseHasThePermissionsThatAWSListsAndNoOthers: "Grant Firehose access to an Amazon S3
// destination" and "… to AWS Glue for data format conversion" in the Amazon Data Firehose Developer
// Guide.
func TestFirehoseHasThePermissionsThatAWSListsAndNoOthers(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		key := only(t, stack, "AWS::KMS::Key", "")
		stream := only(t, stack, "AWS::Kinesis::Stream", "")
		ingestion := only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion")
		function := arn(only(t, stack, "AWS::Lambda::Function", "TelemetryTransform"))
		functions := []any{function, fnJoin(function, ":$LATEST")}
		database := ref(only(t, stack, "AWS::Glue::Database", ""))
		tables := []any{
			glueARN(stack, "catalog"), glueARN(stack, "database/", database),
			glueARN(stack, "table/", database, "/telemetry"),
		}
		kept := []any{
			objects(ingestion, "errors/*"), objects(ingestion, "raw/*"),
			objects(ingestion, "telemetry/*"),
		}
		group := ref(only(t, stack, "AWS::Logs::LogGroup", "TelemetryDeliveryErrors"))
		var logs []any
		for _, log := range stack.Template.OfType("AWS::Logs::LogStream") {
			want(t, log, group, "LogGroupName")
			logs = append(logs,
				appendARN(accountARN(stack, "logs", "log-group:"), group, ":log-stream:", ref(log)))
		}
		comparePermissions(t, "Firehose", rolePermissions(t, stack,
			only(t, stack, "AWS::IAM::Role", "TelemetryDeliveryRole").ID), map[string]any{
			"kinesis:DescribeStream": arn(stream), "kinesis:GetShardIterator": arn(stream),
			"kinesis:GetRecords": arn(stream), "kinesis:ListShards": arn(stream),
			"lambda:InvokeFunction": functions, "lambda:GetFunctionConfiguration": functions,
			"glue:GetTable": tables, "glue:GetTableVersion": tables,
			"glue:GetTableVersions": tables,
			"s3:GetBucketLocation":  arn(ingestion), "s3:ListBucket": arn(ingestion),
			"s3:ListBucketMultipartUploads": arn(ingestion),
			"s3:AbortMultipartUpload":       kept, "s3:GetObject": kept, "s3:PutObject": kept,
			"kms:Decrypt": keyCondition(stack, key, "kinesis", "kinesis", arn(stream)) +
				" and " + objectKeyCondition(stack, key, ingestion),
			"kms:GenerateDataKey": objectKeyCondition(stack, key, ingestion),
			"logs:PutLogEvents":   logs,
		})
	})
}

// TestTheReportFunctionReadsTelemetryThroughAthenaOnly: its own code reads and writes reports only.
func TestTheReportFunctionReadsTelemetryThroughAthenaOnly(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		key := only(t, stack, "AWS::KMS::Key", "")
		ingestion := only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion")
		made := only(t, stack, "AWS::S3::Bucket", "TelemetryReports")
		workGroup := appendARN(accountARN(stack, "athena", "workgroup/"),
			ref(only(t, stack, "AWS::Athena::WorkGroup", "")))
		queue := arn(only(t, stack, "AWS::SQS::Queue", "TelemetryReportRequestsQueue"))
		database := ref(only(t, stack, "AWS::Glue::Database", ""))
		tables := []any{
			glueARN(stack, "catalog"), glueARN(stack, "database/", database),
			glueARN(stack, "table/", database, "/telemetry"),
		}
		through := " if " + text(map[string]any{
			"ForAnyValue:StringEquals": map[string]any{"aws:CalledVia": "athena.amazonaws.com"},
		})
		results := text(objects(made, "athena/*")) + through
		own := text([]any{objects(made, "csv/*"), objects(made, "parquet/*")})
		wantPermissions(t, stack, "TelemetryReportFunction", map[string]any{
			"athena:StartQueryExecution": workGroup, "athena:GetQueryExecution": workGroup,
			"athena:GetQueryResults": workGroup, "athena:StopQueryExecution": workGroup,
			"glue:GetDatabase": text(tables) + through + " and " + text(
				glueARN(stack, "database/default")) +
				through, "glue:GetTable": text(tables) + through,
			"s3:GetBucketLocation": text(arn(ingestion)) + through + " and " +
				text(arn(made)) + through,
			"s3:ListBucket": text(arn(ingestion)) + through + " and " +
				text(arn(made)) + through + " and " + text(arn(made)),
			"s3:ListBucketMultipartUploads": text(arn(made)) + through,
			"s3:AbortMultipartUpload":       results,
			"s3:ListMultipartUploadParts":   results,
			"s3:GetObject": text(objects(ingestion, "telemetry/*")) + through +
				" and " + results + " and " + own,
			"s3:PutObject": results + " and " + own,
			"kms:Decrypt": objectKeyCondition(stack, key, ingestion) + " and " +
				objectKeyCondition(stack, key, made),
			"kms:GenerateDataKey": objectKeyCondition(stack, key, made),
			"sqs:ReceiveMessage":  queue, "sqs:DeleteMessage": queue,
			"sqs:GetQueueAttributes": queue,
		})
		for name, value := range map[string]any{
			"ATHENA_WORK_GROUP": ref(only(t, stack, "AWS::Athena::WorkGroup", "")),
			"GLUE_DATABASE":     database, "REPORTS_BUCKET": ref(made), "QUERY_TIMEOUT": "10m0s",
		} {
			want(t, only(t, stack, "AWS::Lambda::Function", "TelemetryReportFunction"), value,
				"Environment", "Variables", name)
		}
	})
}

func TestTelemetryAndReportsAreEncryptedWithOneKey(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		key := arn(only(t, stack, "AWS::KMS::Key", ""))
		for _, name := range []string{"TelemetryIngestion", "TelemetryReports"} {
			want(t, only(t, stack, "AWS::S3::Bucket", name), []any{map[string]any{
				"BucketKeyEnabled": true,
				"ServerSideEncryptionByDefault": map[string]any{
					"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms",
				},
			}}, "BucketEncryption", "ServerSideEncryptionConfiguration")
		}
		want(t, only(t, stack, "AWS::Kinesis::Stream", ""),
			map[string]any{"EncryptionType": "KMS", "KeyId": key}, "StreamEncryption")
		delivery := only(t, stack, "AWS::KinesisFirehose::DeliveryStream", "")
		encryption := map[string]any{"KMSEncryptionConfig": map[string]any{"AWSKMSKeyARN": key}}
		want(t, delivery, encryption, "ExtendedS3DestinationConfiguration",
			"EncryptionConfiguration")
		want(t, delivery, encryption, "ExtendedS3DestinationConfiguration", "S3BackupConfiguration",
			"EncryptionConfiguration")
	})
}

func TestTheStreamHasTheEnvironmentsShardsOrGrows(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			stream := only(t, stack, "AWS::Kinesis::Stream", "")
			mode, shards := "ON_DEMAND", any(nil)
			if environment.TelemetryShards > 0 {
				mode, shards = "PROVISIONED", environment.TelemetryShards
			}
			want(t, stream, mode, "StreamModeDetails", "StreamMode")
			want(t, stream, shards, "ShardCount")
			hours := 7 * 24
			if environment.Disposable {
				hours = 24
			}
			want(t, stream, hours, "RetentionPeriodHours")
		})
}

// TestRecordsAreDeliveredByTypeAndDay: the function sets both, which cannot be changed later. Raw
// copies of all records are stored, and failed records too.
func TestRecordsAreDeliveredByTypeAndDay(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		delivery := only(t, stack, "AWS::KinesisFirehose::DeliveryStream", "")
		role := arn(only(t, stack, "AWS::IAM::Role", "TelemetryDeliveryRole"))
		ingestion := arn(only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion"))
		want(t, delivery, "KinesisStreamAsSource", "DeliveryStreamType")
		want(t, delivery, map[string]any{
			"KinesisStreamARN": arn(only(t, stack, "AWS::Kinesis::Stream", "")), "RoleARN": role,
		}, "KinesisStreamSourceConfiguration")
		buffering := map[string]any{"IntervalInSeconds": 900, "SizeInMBs": 128}
		logging := func(stream string) any {
			log := only(t, stack, "AWS::Logs::LogStream", stream)
			return map[string]any{
				"Enabled": true, "LogGroupName": log.At("LogGroupName"), "LogStreamName": ref(log),
			}
		}
		transform := arn(only(t, stack, "AWS::Lambda::Function", "TelemetryTransform"))
		parameters := []any{
			map[string]any{"ParameterName": "LambdaArn", "ParameterValue": transform},
			map[string]any{"ParameterName": "RoleArn", "ParameterValue": role},
			map[string]any{"ParameterName": "NumberOfRetries", "ParameterValue": "3"},
			map[string]any{"ParameterName": "BufferSizeInMBs", "ParameterValue": "1"},
			map[string]any{"ParameterName": "BufferIntervalInSeconds", "ParameterValue": "60"},
		}
		const failed = "errors/!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/"
		for path, value := range map[string]any{
			"BucketARN": ingestion,
			"RoleARN":   role,
			"Prefix": "telemetry/type=!{partitionKeyFromLambda:type}/" +
				"day=!{partitionKeyFromLambda:day}/",
			"ErrorOutputPrefix": failed,
			"BufferingHints":    buffering,
			"CompressionFormat": "UNCOMPRESSED",
			"DynamicPartitioningConfiguration": map[string]any{
				"Enabled": true, "RetryOptions": map[string]any{"DurationInSeconds": 7200},
			},
			"CloudWatchLoggingOptions": logging("TelemetryDeliveryErrorsDelivery"),
			"S3BackupMode":             "Enabled",
			"ProcessingConfiguration": map[string]any{
				"Enabled":    true,
				"Processors": []any{map[string]any{"Type": "Lambda", "Parameters": parameters}},
			},
		} {
			want(t, delivery, value, "ExtendedS3DestinationConfiguration", path)
		}
		for path, value := range map[string]any{
			"BucketARN":                ingestion,
			"RoleARN":                  role,
			"Prefix":                   "raw/day=!{timestamp:yyyy-MM-dd}/",
			"ErrorOutputPrefix":        failed,
			"BufferingHints":           buffering,
			"CompressionFormat":        "GZIP",
			"CloudWatchLoggingOptions": logging("TelemetryDeliveryErrorsRawCopies"),
		} {
			want(t, delivery, value, "ExtendedS3DestinationConfiguration", "S3BackupConfiguration",
				path)
		}
	})
}

func TestRowsAreConvertedToParquetWithTheTelemetryTable(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		delivery := only(t, stack, "AWS::KinesisFirehose::DeliveryStream", "")
		region := any("eu-central-1")
		if _, known := accountID(stack).(string); !known {
			region = map[string]any{"Ref": "AWS::Region"}
		}
		want(t, delivery, map[string]any{
			"Enabled": true,
			"InputFormatConfiguration": map[string]any{
				"Deserializer": map[string]any{
					"OpenXJsonSerDe": map[string]any{"CaseInsensitive": true},
				},
			},
			"OutputFormatConfiguration": map[string]any{
				"Serializer": map[string]any{
					"ParquetSerDe": map[string]any{"Compression": "SNAPPY"},
				},
			},
			"SchemaConfiguration": map[string]any{
				"CatalogId": accountID(stack), "Region": region, "VersionId": "LATEST",
				"RoleARN":      arn(only(t, stack, "AWS::IAM::Role", "TelemetryDeliveryRole")),
				"DatabaseName": ref(only(t, stack, "AWS::Glue::Database", "")),
				"TableName":    ref(only(t, stack, "AWS::Glue::Table", "TelemetryTelemetryTable")),
			},
		}, "ExtendedS3DestinationConfiguration", "DataFormatConversionConfiguration")
	})
}

// glueColumns returns columns as in templates.
func glueColumns(columns []telemetryschema.Column) []any {
	list := []any{}
	for _, column := range columns {
		list = append(list,
			map[string]any{"Name": column.Name, "Type": column.Type, "Comment": column.Comment})
	}
	return list
}

// TestTheTableHasTheColumnsOfRecords: its projected partitions are the prefixes that Firehose
// writes to.
func TestTheTableHasTheColumnsOfRecords(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		table := only(t, stack, "AWS::Glue::Table", "TelemetryTelemetryTable")
		ingestion := ref(only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion"))
		want(t, table, "telemetry", "TableInput", "Name")
		want(t, table, "EXTERNAL_TABLE", "TableInput", "TableType")
		want(t, table, glueColumns(records.Schema().TableColumns()), "TableInput",
			"StorageDescriptor", "Columns")
		want(t, table, fnJoin("s3://", ingestion, "/telemetry/"), "TableInput", "StorageDescriptor",
			"Location")
		var names []string
		for _, key := range oneOrMore(table.At("TableInput", "PartitionKeys")) {
			names = append(names, fmt.Sprint(assembly.At(key, "Name")))
			if assembly.At(key, "Type") != "string" {
				t.Errorf("a partition is %s, want a string", text(key))
			}
		}
		if want := []string{"type", "day"}; !cmp.Equal(names, want) {
			t.Errorf("partitioned by %q, want %q", names, want)
		}
		var kept []string
		for _, kind := range records.Schema().Types {
			if !kind.Discard {
				kept = append(kept, kind.Name)
			}
		}
		prefix := fmt.Sprint(only(t, stack, "AWS::KinesisFirehose::DeliveryStream", "").At(
			"ExtendedS3DestinationConfiguration", "Prefix"))
		delivered := strings.NewReplacer("!{partitionKeyFromLambda:type}", "${type}",
			"!{partitionKeyFromLambda:day}", "${day}").Replace(prefix)
		want(t, table, map[string]any{
			"EXTERNAL": "TRUE", "classification": "parquet",
			"projection.enabled":        "true",
			"projection.type.type":      "enum",
			"projection.type.values":    strings.Join(kept, ","),
			"projection.day.type":       "date",
			"projection.day.format":     "yyyy-MM-dd",
			"projection.day.range":      "2026-01-01,NOW+1DAYS",
			"storage.location.template": fnJoin("s3://", ingestion, "/"+delivered),
		}, "TableInput", "Parameters")
	})
}

// TestOpenPartitionsStayBelowTheLimitOfFirehose: the limit is 500 ("Amazon Data Firehose Quota"),
// and a record is at most 30 days older and one day younger than its arrival. Records of a replayed
// day may be added to those of today.
func TestOpenPartitionsStayBelowTheLimitOfFirehose(t *testing.T) {
	const days = 2 * (30 + 1 + 1)
	kept := 0
	for _, each := range records.Schema().Types {
		if !each.Discard {
			kept++
		}
	}
	if open := kept * days; open > 500 {
		t.Errorf("there may be %d open partitions; request a limit above 500 from AWS", open)
	}
}

// TestEveryReportHasATableAndANamedQuery: the tables are not partitioned, since Redshift does not
// support partition projection.
func TestEveryReportHasATableAndANamedQuery(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		bucket := ref(only(t, stack, "AWS::S3::Bucket", "TelemetryReports"))
		database := ref(only(t, stack, "AWS::Glue::Database", ""))
		tables, named := map[string]assembly.Resource{}, map[string]assembly.Resource{}
		for _, table := range stack.Template.OfType("AWS::Glue::Table") {
			tables[fmt.Sprint(table.At("TableInput", "Name"))] = table
			want(t, table, database, "DatabaseName")
		}
		for _, query := range stack.Template.OfType("AWS::Athena::NamedQuery") {
			named[fmt.Sprint(query.At("Name"))] = query
			want(t, query, database, "Database")
			want(t, query, ref(only(t, stack, "AWS::Athena::WorkGroup", "")), "WorkGroup")
		}
		all := queries.Reports()
		if len(tables) != len(all)+1 || len(named) != len(all) {
			t.Errorf(
				"there are %d tables and %d queries, want one for each of the %d reports, and the "+
					"table telemetry",
				len(tables), len(named), len(all))
		}
		for _, report := range all {
			table := tables[report.Name]
			want(t, table, glueColumns(report.Columns), "TableInput", "StorageDescriptor",
				"Columns")
			want(t, table, fnJoin("s3://", bucket, "/parquet/"+report.Name+"/"), "TableInput",
				"StorageDescriptor", "Location")
			want(t, table, map[string]any{"EXTERNAL": "TRUE", "classification": "parquet"},
				"TableInput", "Parameters")
			want(t, table, nil, "TableInput", "PartitionKeys")
			want(t, named[report.Name], report.SQL, "QueryString")
			if parameters := strings.Count(report.SQL, "?"); parameters != 1 {
				t.Errorf("the query of %s has %d parameters, want 1, the day", report.Name,
					parameters)
			}
		}
	})
}

func TestTablesAreReadAsParquet(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			const parquet = "org.apache.hadoop.hive.ql.io.parquet."
			for _, table := range stack.Template.OfType("AWS::Glue::Table") {
				for path, value := range map[string]any{
					"InputFormat":  parquet + "MapredParquetInputFormat",
					"OutputFormat": parquet + "MapredParquetOutputFormat",
					"SerdeInfo": map[string]any{
						"SerializationLibrary": parquet + "serde.ParquetHiveSerDe",
						"Parameters":           map[string]any{"serialization.format": "1"},
					},
				} {
					want(t, table, value, "TableInput", "StorageDescriptor", path)
				}
			}
		})
}

// TestThereIsNoCrawler: a crawler is billed by the hour, and infers what the tables define.
func TestThereIsNoCrawler(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		if crawlers := stack.Template.OfType("AWS::Glue::Crawler"); len(crawlers) > 0 {
			t.Errorf("there is the crawler %s, want none", crawlers[0].ID)
		}
	})
}

func TestRecordsMoveToCheaperStorageAndRawCopiesExpireAfterAYear(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		cheaper := []any{
			map[string]any{"StorageClass": "STANDARD_IA", "TransitionInDays": 30},
			map[string]any{"StorageClass": "GLACIER_IR", "TransitionInDays": 90},
		}
		abort := map[string]any{
			"Id": "AbortIncompleteUploads", "Status": "Enabled",
			"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1},
		}
		want(t, only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion"), []any{
			map[string]any{
				"Id": "TransitionTelemetry", "Status": "Enabled", "Prefix": "telemetry/",
				"Transitions": cheaper,
			},
			map[string]any{
				"Id": "ExpireRawCopies", "Status": "Enabled", "Prefix": "raw/",
				"Transitions": cheaper, "ExpirationInDays": 365,
			},
			map[string]any{
				"Id": "ExpireErrors", "Status": "Enabled", "Prefix": "errors/",
				"Transitions": cheaper, "ExpirationInDays": 365,
			},
			abort,
		}, "LifecycleConfiguration", "Rules")
		want(t, only(t, stack, "AWS::S3::Bucket", "TelemetryReports"), []any{
			map[string]any{
				"Id": "ExpireQueryResults", "Status": "Enabled", "Prefix": "athena/",
				"ExpirationInDays": 7,
			}, abort,
		}, "LifecycleConfiguration", "Rules")
	})
}

func TestRequestsToTheTelemetryBucketsAreLogged(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			logs := only(t, stack, "AWS::S3::Bucket", "TelemetryAccessLogs")
			for name, prefix := range map[string]string{
				"TelemetryIngestion": "ingestion/", "TelemetryReports": "reports/",
			} {
				want(t, only(t, stack, "AWS::S3::Bucket", name),
					map[string]any{"DestinationBucketName": ref(logs), "LogFilePrefix": prefix},
					"LoggingConfiguration")
			}
		})
}

// TestBytesScannedPerQueryAreLimited: clients cannot override the work group's settings.
func TestBytesScannedPerQueryAreLimited(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			wantProperties(t, only(t, stack, "AWS::Athena::WorkGroup", ""), map[string]any{
				"Name":        strings.ReplaceAll(topicOf(environment), "/", "-"),
				"Description": "Queries of telemetry records and reports",
				"WorkGroupConfiguration": map[string]any{
					"EnforceWorkGroupConfiguration": true,
					"EngineVersion": map[string]any{
						"SelectedEngineVersion": "Athena engine version 3",
					},
					"BytesScannedCutoffPerQuery":      10 << 30,
					"PublishCloudWatchMetricsEnabled": true,
					"RequesterPaysEnabled":            false,
					"ResultConfiguration": map[string]any{
						"OutputLocation": fnJoin("s3://",
							ref(only(t, stack, "AWS::S3::Bucket", "TelemetryReports")), "/athena/"),
						"ExpectedBucketOwner": accountID(stack),
						"EncryptionConfiguration": map[string]any{
							"EncryptionOption": "SSE_KMS",
							"KmsKey":           arn(only(t, stack, "AWS::KMS::Key", "")),
						},
					},
				},
				"RecursiveDeleteOption": true,
			})
		})
}

func TestNewObjectsReachTheReportFunction(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		ingestion := only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion")
		queue := only(t, stack, "AWS::SQS::Queue", "TelemetryReportRequestsQueue")
		want(t, ingestion, map[string]any{"QueueConfigurations": []any{map[string]any{
			"Event": "s3:ObjectCreated:*", "Queue": arn(queue),
			"Filter": map[string]any{"S3Key": map[string]any{
				"Rules": []any{map[string]any{"Name": "prefix", "Value": "telemetry/"}},
			}},
		}}}, "NotificationConfiguration")
		want(t, only(t, stack, "AWS::S3::Bucket", "TelemetryReports"), nil,
			"NotificationConfiguration")
		policy := only(t, stack, "AWS::SQS::QueuePolicy", "TelemetryReportRequestsQueue")
		if !slices.Contains(oneOrMore(ingestion.DependsOn), any(policy.ID)) {
			t.Errorf("%s does not depend on %s, and S3 would reject the queue", ingestion.ID,
				policy.ID)
		}
		rule := only(t, stack, "AWS::Events::Rule", "")
		wantProperties(t, rule, map[string]any{
			"ScheduleExpression": "rate(360 minutes)",
			"Targets": []any{
				map[string]any{"Id": "Queue", "Arn": arn(queue), "Input": reportfn.Scheduled},
			},
		})
		sends := func(service string, condition map[string]any) any {
			return map[string]any{
				"Effect": "Allow", "Action": "sqs:SendMessage",
				"Principal": map[string]any{"Service": service}, "Resource": arn(queue),
				"Condition": condition,
			}
		}
		allowed := allowStatements(t, stack, "AWS::SQS::QueuePolicy", "Queues", queue)
		if want := []any{
			sends("events.amazonaws.com",
				map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": arn(rule)}}),
			sends("s3.amazonaws.com",
				map[string]any{
					"StringEquals": map[string]any{"aws:SourceAccount": accountID(stack)},
				}),
		}; text(allowed) != text(want) {
			t.Errorf("the queue's policy allows %s, want %s", text(allowed), text(want))
		}
	})
}

// TestReportMessagesAreBatchedForFiveMinutes: a delivery sends one message per object.
func TestReportMessagesAreBatchedForFiveMinutes(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		function := only(t, stack, "AWS::Lambda::Function", "TelemetryReportFunction")
		queue := only(t, stack, "AWS::SQS::Queue", "TelemetryReportRequestsQueue")
		wantProperties(t, only(t, stack, "AWS::Lambda::EventSourceMapping", ""), map[string]any{
			"FunctionName": ref(function), "EventSourceArn": arn(queue), "BatchSize": 1000,
			"MaximumBatchingWindowInSeconds": 300,
			"FunctionResponseTypes":          []string{"ReportBatchItemFailures"},
			"ScalingConfig":                  map[string]any{"MaximumConcurrency": 2},
		})
		want(t, function, 900, "Timeout")
		want(t, queue, map[string]any{"deadLetterTargetArn": arn(
			only(t, stack, "AWS::SQS::Queue", "TelemetryReportRequestsDeadLetterQueue"),
		), "maxReceiveCount": 5}, "RedrivePolicy")
	})
}

// TestAlarmsWatchExistingResourcesAndSayWhatToCheckFirst: the engineer on call has only the
// description.
func TestAlarmsWatchExistingResourcesAndSayWhatToCheckFirst(t *testing.T) {
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		metric := func(namespace, name, statistic, dimension string, value any) map[string]any {
			return map[string]any{
				"Namespace": namespace, "MetricName": name, "Statistic": statistic, "Period": 300,
				"Dimensions": []any{map[string]any{"Name": dimension, "Value": value}},
			}
		}
		delivery := ref(only(t, stack, "AWS::KinesisFirehose::DeliveryStream", ""))
		ofRule := func(name string) map[string]any {
			rule := only(t, stack, "AWS::IoT::TopicRule", "").At("RuleName")
			return map[string]any{"Metrics": []any{map[string]any{
				"Id": "expr_1", "Label": name, "Period": 300, "ReturnData": true,
				"Expression": fmt.Sprintf(`SELECT SUM(%s) FROM "AWS/IoT" WHERE RuleName = '%s'`,
					name, rule),
			}}}
		}
		counted := func(id, name string) any {
			return map[string]any{"Id": id, "ReturnData": false, "MetricStat": map[string]any{
				"Metric": map[string]any{"MetricName": name, "Namespace": topicOf(environment)},
				"Period": 300, "Stat": "Sum",
			}}
		}
		dlq := only(t, stack, "AWS::SQS::Queue", "TelemetryReportRequestsDeadLetterQueue")
		type watched struct {
			metric            map[string]any
			above, evaluation int
		}
		alarms := map[string]watched{
			"DeliveryDataFreshness": {metric("AWS/Firehose", "DeliveryToS3.DataFreshness",
				"Maximum", "DeliveryStreamName", delivery), 900 + 15*60, 3},
			"DeliveryMillisBehindLatest": {metric("AWS/Firehose", "KinesisMillisBehindLatest",
				"Maximum", "DeliveryStreamName", delivery), 900_000, 3},
			"DeliveryFormatConversionFailed": {metric("AWS/Firehose", "FailedConversion.Records",
				"Sum", "DeliveryStreamName", delivery), 0, 1},
			"DeliveryPartitionCountExceeded": {metric("AWS/Firehose", "PartitionCountExceeded",
				"Maximum", "DeliveryStreamName", delivery), 0, 1},
			"RuleActionFailure":      {ofRule("Failure"), 0, 1},
			"RuleErrorActionFailure": {ofRule("ErrorActionFailure"), 0, 1},
			"StreamWriteThroughputExceeded": {metric("AWS/Kinesis",
				"WriteProvisionedThroughputExceeded", "Sum", "StreamName",
				ref(only(t, stack, "AWS::Kinesis::Stream", ""))), 0, 3},
			"TransformErrors": {metric("AWS/Lambda", "Errors", "Sum", "FunctionName",
				ref(only(t, stack, "AWS::Lambda::Function", "TelemetryTransform"))), 0, 1},
			"TransformFailedRecords": {map[string]any{"Metrics": []any{
				map[string]any{
					"Id": "expr_1", "Label": "Failed records, per cent", "ReturnData": true,
					"Expression": "100 * failed / records",
				},
				counted("failed", "FailedRecords"), counted("records", "TransformedRecords"),
			}}, 5, 3},
			"ReportsDLQMessages": {metric("AWS/SQS", "ApproximateNumberOfMessagesVisible",
				"Maximum", "QueueName",
				map[string]any{"Fn::GetAtt": []string{dlq.ID, "QueueName"}}), 0, 1},
		}
		for name, watched := range alarms {
			alarm := only(t, stack, "AWS::CloudWatch::Alarm", "Telemetry"+name)
			description := fmt.Sprint(alarm.At("AlarmDescription"))
			if !strings.Contains(description, "Check first ") {
				t.Errorf("the description of %s is %q, want it to say what to look at first", name,
					description)
			}
			for path, value := range map[string]any{
				"Threshold": watched.above, "EvaluationPeriods": watched.evaluation,
				"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
				"AlarmDescription": alarm.At("AlarmDescription"),
			} {
				watched.metric[path] = value
			}
			wantProperties(t, alarm, watched.metric) // without actions
		}
		if found := stack.Template.OfType("AWS::CloudWatch::Alarm"); len(found) != len(alarms) {
			t.Errorf("there are %d alarms, want %d", len(found), len(alarms))
		}
	})
}

// TestMetricFiltersMatchTheLogOfTheTransform compares the metric filters with a log line of the
// transform, in the format of Lambda's logger.
func TestMetricFiltersMatchTheLogOfTheTransform(t *testing.T) {
	var log bytes.Buffer
	layout, err := domain.NewLayout(records.Schema())
	if err != nil {
		t.Fatal(err)
	}
	handler := &handler.Handler{Layout: layout, Logger: slog.New(
		slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: lambdacontext.ReplaceAttr}))}
	// {}: not a message
	event := `{"records":[` +
		`{"recordId":"1","approximateArrivalTimestamp":1763747035123,"data":"e30="}]}`
	if _, err := handler.Invoke(t.Context(), []byte(event)); err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	forEachEnvironment(t, "Telemetry", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		for name, filter := range map[string]assembly.Resource{
			"FailedRecords": only(t, stack, "AWS::Logs::MetricFilter",
				"TelemetryTransformLogsFailedRecords"),
			"TransformedRecords": only(t, stack, "AWS::Logs::MetricFilter",
				"TelemetryTransformLogsTransformedRecords"),
		} {
			want(t, filter, ref(only(t, stack, "AWS::Logs::LogGroup", "TelemetryTransformLogs")),
				"LogGroupName")
			want(t, filter, fmt.Sprintf(`{ $.message = "%s" }`, line["message"]), "FilterPattern")
			want(t, filter, topicOf(environment), "MetricTransformations", 0, "MetricNamespace")
			want(t, filter, name, "MetricTransformations", 0, "MetricName")
			field := strings.TrimPrefix(
				fmt.Sprint(filter.At("MetricTransformations", 0, "MetricValue")), "$.")
			if line[field] != 1.0 {
				t.Errorf("%s counts %s, which is %v for one rejected record, want 1: %s", name,
					field, line[field], &log)
			}
		}
	})
}

// TestWritersAreDeletedBeforeTheTelemetryBuckets: a write to a disposable bucket while it is
// emptied would fail the deletion of the stack.
func TestWritersAreDeletedBeforeTheTelemetryBuckets(t *testing.T) {
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			if !environment.Disposable {
				return
			}
			for id, writers := range map[string][]assembly.Resource{
				"TelemetryIngestionEmptyOnDelete": {
					only(t, stack, "AWS::KinesisFirehose::DeliveryStream", ""),
					only(t, stack, "AWS::IoT::TopicRule", ""),
				},
				"TelemetryReportsEmptyOnDelete": {
					only(t, stack, "AWS::Lambda::EventSourceMapping", ""),
				},
				"TelemetryAccessLogsEmptyOnDelete": {only(t, stack, "AWS::S3::Bucket",
					"TelemetryIngestion"), only(t, stack, "AWS::S3::Bucket", "TelemetryReports")},
			} {
				emptied := only(t, stack, "Custom::EmptyBucket", id)
				for _, writer := range writers {
					if !slices.Contains(oneOrMore(writer.DependsOn), any(emptied.ID)) {
						t.Errorf("%s may still exist when %s is deleted", writer.ID, emptied.ID)
					}
				}
			}
		})
}

// TestTelemetryNamesDifferBetweenEnvironments: environments may share an account and region.
func TestTelemetryNamesDifferBetweenEnvironments(t *testing.T) {
	seen := map[string]string{}
	forEachEnvironment(t, "Telemetry",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			for resourceType, path := range map[string][]any{
				"AWS::IoT::TopicRule":    {"RuleName"},
				"AWS::Glue::Database":    {"DatabaseInput", "Name"},
				"AWS::Athena::WorkGroup": {"Name"},
			} {
				name := resourceType + " " +
					fmt.Sprint(only(t, stack, resourceType, "").At(path...))
				if other, ok := seen[name]; ok {
					t.Errorf("%s and %s both have the name %s", other, environment.Name, name)
				}
				seen[name] = environment.Name
			}
		})
}

// acmeTypes are record types of another team.
var acmeTypes = []telemetryschema.Type{
	{Name: "flow", Source: telemetryschema.Device, Required: []string{"litres"}},
	{Name: "ping", Source: telemetryschema.Device, Discard: true},
	{Name: "view", Source: telemetryschema.Client},
}

// acme returns the props of another team's telemetry.
func acme() telemetry.Props {
	return telemetry.Props{
		Topic: "acme/test",
		Columns: []telemetryschema.Column{
			{Name: "litres", Type: telemetryschema.Double, Source: telemetryschema.Device},
		},
		Types: acmeTypes,
		Reports: []telemetryschema.Report{{
			Name: "daily_flow",
			SQL: telemetryschema.WithLatest(
				"SELECT day, sum(litres) AS litres FROM latest GROUP BY day"),
			Columns: []telemetryschema.Column{
				{Name: "day", Type: telemetryschema.String},
				{Name: "litres", Type: telemetryschema.Double, Comment: "Sum of the day"},
			},
		}},
		FirstDay: "2026-12-01",
	}
}

func TestTelemetryHasTheColumnsTypesAndReportsOfItsTeam(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		props := acme()
		props.Key = awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String(
			"arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-4000-8000-000000000000"))
		telemetry.New(stack, "Telemetry", props)
	})
	table := only(t, stack, "AWS::Glue::Table", "TelemetryTelemetryTable")
	var names []string
	for _, column := range oneOrMore(table.At("TableInput", "StorageDescriptor", "Columns")) {
		names = append(names, fmt.Sprint(assembly.At(column, "Name")))
	}
	wanted := []string{"id", "at", "received_at", "ingested_at", "device", "litres", "extra"}
	if diff := cmp.Diff(wanted, names); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	want(t, table, "flow,view", "TableInput", "Parameters", "projection.type.values")
	want(t, table, "2026-12-01,NOW+1DAYS", "TableInput", "Parameters", "projection.day.range")
	want(t, only(t, stack, "AWS::Athena::NamedQuery", ""), acme().Reports[0].SQL, "QueryString")
	report := only(t, stack, "AWS::Glue::Table", "TelemetryDailyFlowTable")
	want(t, report, []any{
		map[string]any{"Name": "day", "Type": "string"},
		map[string]any{"Name": "litres", "Type": "double", "Comment": "Sum of the day"},
	}, "TableInput", "StorageDescriptor", "Columns")
	if keys := stack.Template.OfType("AWS::KMS::Key"); len(keys) > 0 {
		t.Errorf("%d keys besides the one in the props", len(keys))
	}
	template := text(stack.Template)
	for _, ours := range []string{
		"Ashlar", `"ashlar/`, "post_view", `"firmware"`, "daily_actives",
	} {
		if strings.Contains(template, ours) {
			t.Errorf("the template contains %s", ours)
		}
	}
}

// TestTheTableHasANewColumnBeforeTheTransform: Firehose drops the values of columns that the table
// lacks.
func TestTheTableHasANewColumnBeforeTheTransform(t *testing.T) {
	stack := platforms["Prod"]["Telemetry"]
	table := only(t, stack, "AWS::Glue::Table", "TelemetryTelemetryTable")
	transform := only(t, stack, "AWS::Lambda::Function", "TelemetryTransform")
	if !slices.Contains(oneOrMore(transform.DependsOn), any(table.ID)) {
		t.Errorf("the function depends on %v, want %s", transform.DependsOn, table.ID)
	}
}

func TestTelemetryWithoutReportsHasNoReportFunction(t *testing.T) {
	var made *telemetry.Telemetry
	stack := synthStack(func(stack awscdk.Stack) {
		props := acme()
		props.Reports = nil
		made = telemetry.New(stack, "Telemetry", props)
	})
	if made.Report != nil || made.ReportRequests != nil {
		t.Error("there is a report function or its queue")
	}
	for _, resourceType := range []string{
		"AWS::Lambda::EventSourceMapping", "AWS::Events::Rule", "AWS::Athena::NamedQuery",
		"AWS::SQS::Queue",
	} {
		if found := stack.Template.OfType(resourceType); len(found) > 0 {
			t.Errorf("there are %d resources of the type %s", len(found), resourceType)
		}
	}
	for method, call := range map[string]func(awsiam.IGrantable) awsiam.Grant{
		"GrantReadReports": made.GrantReadReports, "GrantQueryReports": made.GrantQueryReports,
	} {
		const want = "telemetry: Test/Stack/Telemetry: %s: there are no reports; pass Props.Reports"
		if got := panicMessage(func() { call(made.Transform) }); got != fmt.Sprintf(want, method) {
			t.Errorf("%s panics with %q", method, got)
		}
		if got := panicMessage(func() { call(nil) }); !strings.Contains(got, method+
			": grantee is required; pass") {
			t.Errorf("%s(nil) panics with %q", method, got)
		}
	}
}

// TestTwoTelemetriesFitIntoOneStack: and two methods for events of each into one API.
func TestTwoTelemetriesFitIntoOneStack(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		api := newEventsAPI(stack)
		for _, id := range []string{"First", "Second"} {
			props := acme()
			props.Topic = "acme/" + strings.ToLower(id)
			made := telemetry.New(stack, id, props)
			for _, path := range []string{"/events", "/internal/events"} {
				made.AddEventsMethod(api, eventsMethod("/"+strings.ToLower(id)+path))
			}
		}
	})
	if methods := stack.Template.OfType("AWS::ApiGateway::Method"); len(methods) < 4 {
		t.Errorf("%d methods, want 4", len(methods))
	}
}

func newEventsAPI(stack awscdk.Stack) *restapi.API {
	return restapi.New(stack, "API", restapi.Props{
		UserPool:       awscognito.NewUserPool(stack, jsii.String("UserPool"), nil),
		AllowedOrigins: []string{"https://app.example.com"},
	})
}

// eventsMethod returns a valid method for events.
func eventsMethod(path string) restapi.Method {
	return restapi.Method{
		HTTPMethod: "POST", Path: path,
		Body: map[string]any{
			"type": "object", "required": []string{"events"},
			"properties": map[string]any{"events": map[string]any{
				"type": "array", "minItems": 1, "maxItems": 500,
				"items": map[string]any{"type": "object"},
			}},
		},
	}
}

func TestEventsMethodsAreValidated(t *testing.T) {
	app := newApp()
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	made := telemetry.New(stack, "Telemetry", acme())
	api := newEventsAPI(stack)
	made.AddEventsMethod(api, eventsMethod("/taken"))
	events := func(m *restapi.Method) map[string]any {
		return m.Body["properties"].(map[string]any)["events"].(map[string]any)
	}
	const body = "Body: "
	for want, spoil := range map[string]func(*restapi.Method){
		"Path is required; pass the path of the method, such as /events": func(m *restapi.Method) {
			m.Path = ""
		},
		"Path: /taken, want a path that has no method for events yet": func(m *restapi.Method) {
			m.Path = "/taken"
		},
		`HTTPMethod: "GET", want POST`: func(m *restapi.Method) {
			m.HTTPMethod = "GET"
		},
		`HTTPMethod: "post", want POST`: func(m *restapi.Method) {
			m.HTTPMethod = "post"
		},
		"Body is required; pass the JSON schema of bodies": func(m *restapi.Method) {
			m.Body = nil
		},
		`"maxItems":501`: func(m *restapi.Method) {
			events(m)["maxItems"] = 501
		},
		`"minItems":0`: func(m *restapi.Method) {
			events(m)["minItems"] = 0
		},
		`"type":"object"}},"required":["events"]`: func(m *restapi.Method) {
			events(m)["type"] = "object"
			delete(events(m), "items")
		},
		`"required":[]`: func(m *restapi.Method) { m.Body["required"] = []string{} },
		`{}`:            func(m *restapi.Method) { m.Body = map[string]any{} },
	} {
		method := eventsMethod("/events")
		spoil(&method)
		got := panicMessage(func() { made.AddEventsMethod(api, method) })
		if !strings.HasPrefix(got, "telemetry: Stack/Telemetry.AddEventsMethod: ") ||
			!strings.Contains(got, want) {
			t.Errorf("panics with %q, want %s", got, want)
		}
		if strings.HasPrefix(want, `"`) && !strings.Contains(got, body) {
			t.Errorf("panics with %q, want it to name Body", got)
		}
	}
	if got := panicMessage(func() {
		made.AddEventsMethod(nil, eventsMethod("/events"))
	}); got != "telemetry: Stack/Telemetry.AddEventsMethod: api is required; pass an API of "+
		"package restapi" {
		t.Errorf("panics with %q", got)
	}
}

// TestACallersNotificationsOfTheIngestionBucketFailTheSynth: they would replace the bucket's own.
func TestACallersNotificationsOfTheIngestionBucketFailTheSynth(t *testing.T) {
	withoutReports := acme()
	withoutReports.Reports = nil
	for _, props := range []telemetry.Props{acme(), withoutReports} {
		message := failure(t, false, func(stack awscdk.Stack) {
			telemetry.New(stack, "Telemetry", props).Ingestion.AddEventNotification(
				awss3.EventType_OBJECT_CREATED, awss3notifications.NewSqsDestination(
					awssqs.NewQueue(stack, jsii.String("Mine"), nil)))
		})
		const refused = "[Stack/Telemetry/Ingestion] a method of the bucket that adds event " +
			"notifications"
		if !strings.Contains(message, refused) ||
			!strings.Contains(message, "set EventBridge of telemetry.Props") {
			t.Errorf("failed with %q, want it to say %q", message, refused)
		}
	}
	stack := synthStack(func(stack awscdk.Stack) {
		props := acme()
		props.EventBridge = true
		telemetry.New(stack, "Telemetry", props)
	})
	enabled := map[string]any{"EventBridgeEnabled": true}
	want(t, only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion"), enabled,
		"NotificationConfiguration", "EventBridgeConfiguration")
	for _, on := range []bool{false, true} { // without reports
		stack := synthStack(func(stack awscdk.Stack) {
			telemetry.New(stack, "Telemetry", telemetry.Props{
				Topic: "acme", Types: acmeTypes[2:], EventBridge: on,
			})
		})
		var wanted any
		if on {
			wanted = map[string]any{"EventBridgeConfiguration": enabled}
		}
		want(t, only(t, stack, "AWS::S3::Bucket", "TelemetryIngestion"), wanted,
			"NotificationConfiguration")
	}
}

// TestAProducerMayPutRecordsAndKnowsTheStream: the grant fills the function's setting.
func TestAProducerMayPutRecordsAndKnowsTheStream(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		made := telemetry.New(stack, "Telemetry", acme())
		producer := gofunction.New(stack, "Producer", gofunction.Props{
			Package: "example.com/producer", Settings: transformfn.Settings{},
		})
		made.GrantPutRecords(producer).AssertSuccess()
		role := awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
			AssumedBy: awsiam.NewAccountRootPrincipal(),
		})
		made.GrantPutRecords(role).AssertSuccess()
		made.GrantReadReports(role).AssertSuccess()
		made.GrantQueryReports(role).AssertSuccess()
	})
	stream := only(t, stack, "AWS::Kinesis::Stream", "")
	want(t, only(t, stack, "AWS::Lambda::Function", "Producer"), ref(stream), "Environment",
		"Variables", "STREAM_NAME")
	for _, name := range []string{"ProducerRole", "Role"} {
		policy := text(only(t, stack, "AWS::IAM::Policy", name).Properties)
		for _, action := range []string{
			"kinesis:PutRecord", "kinesis:PutRecords", "kms:GenerateDataKey",
		} {
			if !strings.Contains(policy, `"`+action+`"`) {
				t.Errorf("%s may not call %s: %s", name, action, policy)
			}
		}
	}
}

// TestMetricMethodsTakeTheCallersOptions: those of the L1 resources, as in the CDK.
func TestMetricMethodsTakeTheCallersOptions(t *testing.T) {
	app := newApp()
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	made := telemetry.New(stack, "Telemetry", acme())
	hour := awscdk.Duration_Hours(jsii.Number(1))
	options := &awscloudwatch.MetricOptions{Period: hour, Statistic: jsii.String("p90")}
	for name, method := range map[string]func(*awscloudwatch.MetricOptions) awscloudwatch.Metric{
		"DeliveryToS3.DataFreshness": made.MetricDeliveryDataFreshness,
		"KinesisMillisBehindLatest":  made.MetricDeliveryMillisBehindLatest,
		"FailedConversion.Records":   made.MetricDeliveryFormatConversionFailed,
		"PartitionCountExceeded":     made.MetricDeliveryPartitionCountExceeded,
		"IncomingBytes": func(o *awscloudwatch.MetricOptions) awscloudwatch.Metric {
			return made.MetricDelivery("IncomingBytes", o)
		},
		"TransformedRecords": made.MetricTransformRecords,
		"FailedRecords":      made.MetricTransformFailedRecords,
	} {
		metric := method(options)
		if *metric.MetricName() != name || *metric.Statistic() != "p90" ||
			*metric.Period().ToMinutes(nil) != 60 {
			t.Errorf("%s: %s, %s", name, *metric.MetricName(), *metric.Statistic())
		}
		if defaults := method(nil); *defaults.Period().ToMinutes(nil) != 5 {
			t.Errorf("%s: the default period is %v", name, *defaults.Period().ToMinutes(nil))
		}
	}
	for name, method := range map[string]func(
		*awscloudwatch.MetricOptions,
	) awscloudwatch.MathExpression{
		"SELECT SUM(Failure)":            made.MetricRuleFailure,
		"SELECT SUM(ErrorActionFailure)": made.MetricRuleErrorActionFailure,
		"100 * failed / records":         made.MetricTransformFailedPercentage,
	} {
		expression := method(options)
		if !strings.HasPrefix(*expression.Expression(), name) ||
			*expression.Period().ToMinutes(nil) != 60 || *method(nil).Period().ToMinutes(nil) != 5 {
			t.Errorf("%s: %s", name, *expression.Expression())
		}
	}
}

func TestTelemetryProps(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		telemetry.New(stack, "Telemetry", telemetry.Props{
			Topic: "acme/eu/test", Types: acmeTypes[1:], Shards: 2,
			Retention: 48 * time.Hour, BufferingSizeMiB: 64,
			BufferingInterval: time.Minute,
			RawRetention:      60 * 24 * time.Hour, BytesScannedCutoffPerQuery: 10_000_000,
		})
	})
	stream := only(t, stack, "AWS::Kinesis::Stream", "")
	want(t, stream, 2, "ShardCount")
	want(t, stream, 48, "RetentionPeriodHours")
	delivery := only(t, stack, "AWS::KinesisFirehose::DeliveryStream", "")
	want(t, delivery, map[string]any{"IntervalInSeconds": 60, "SizeInMBs": 64},
		"ExtendedS3DestinationConfiguration", "BufferingHints")
	rules := oneOrMore(
		only(
			t, stack, "AWS::S3::Bucket", "TelemetryIngestion").At("LifecycleConfiguration",
			"Rules"))
	// The rules of raw copies and of errors: GLACIER_IR has a minimum charge of 90 days.
	for _, id := range []int{1, 2} {
		if rule := rules[id]; assembly.At(rule, "ExpirationInDays") != 60.0 ||
			text(assembly.At(rule, "Transitions")) != text(
				[]any{map[string]any{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}}) {
			t.Errorf("%s", text(rule))
		}
	}
	want(t, only(t, stack, "AWS::Athena::WorkGroup", ""), 10_000_000, "WorkGroupConfiguration",
		"BytesScannedCutoffPerQuery")
	want(t, only(t, stack, "AWS::CloudWatch::Alarm", "TelemetryDeliveryDataFreshness"), 60+15*60,
		"Threshold")
	for resourceType, name := range map[string]any{
		"AWS::IoT::TopicRule": "acme_eu_test_readings", "AWS::Athena::WorkGroup": "acme-eu-test",
	} {
		resource := only(t, stack, resourceType, "")
		if got := text(resource.Properties); !strings.Contains(got, text(name)) {
			t.Errorf("%s is %s, want the name %s", resource.ID, got, name)
		}
	}
	want(t, only(t, stack, "AWS::Glue::Database", ""), "acme_eu_test", "DatabaseInput", "Name")
}

func TestShortRetentionHasNoStorageTransition(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		telemetry.New(stack, "Telemetry",
			telemetry.Props{Topic: "acme", Types: acmeTypes[2:], RawRetention: 59 * 24 * time.Hour})
	})
	for _, rule := range oneOrMore(
		only(
			t, stack, "AWS::S3::Bucket", "TelemetryIngestion").At("LifecycleConfiguration",
			"Rules"),
	)[1:3] {
		if assembly.At(rule, "Transitions") != nil {
			t.Errorf("%s", text(rule))
		}
	}
}

func TestTelemetryPropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) { telemetry.New(stack, "Telemetry", telemetry.Props{}) },
		"telemetry: Telemetry: Topic is required; pass the prefix of the devices' topics, such as "+
			"acme/dev",
		"telemetry: Telemetry: Types is required; pass the types of records, such as "+
			`{Name: "reading", Source: telemetryschema.Device}`,
	)
	for _, topic := range []string{
		"/ashlar", "ashlar/", "ashlar//dev", "Ashlar", "ashlar/+", "ash-lar",
		strings.Repeat("a", 101),
	} {
		wantPanic(t, func(stack awscdk.Stack) {
			telemetry.New(stack, "Telemetry", telemetry.Props{Topic: topic, Types: acmeTypes[2:]})
		},
			"telemetry: Telemetry: Topic: "+topic+
				", want lower-case letters and digits with slashes between, at most 100 characters",
		)
	}
	wantPanic(t, func(stack awscdk.Stack) {
		telemetry.New(stack, "Telemetry", telemetry.Props{
			Topic: "acme", Types: acmeTypes[2:], Shards: -1,
			Retention: 366 * 24 * time.Hour, BufferingSizeMiB: 63,
			BufferingInterval: 59 * time.Second,
			RawRetention:      36 * time.Hour, BytesScannedCutoffPerQuery: 9_999_999,
		})
	},
		"telemetry: Telemetry: Shards: -1, want 0 for on-demand mode, or the number of shards",
		"telemetry: Telemetry: Retention: 8784h0m0s, want whole hours, 24h0m0s to 8760h0m0s",
		"telemetry: Telemetry: BufferingSizeMiB: 63, want 64 to 128",
		"telemetry: Telemetry: BufferingInterval: 59s, want whole seconds, 1m0s to 15m0s",
		"telemetry: Telemetry: RawRetention: 36h0m0s, want whole days, at least 24h0m0s",
		"telemetry: Telemetry: BytesScannedCutoffPerQuery: 9999999, want at least 10000000",
	)
	wantPanic(t, func(stack awscdk.Stack) {
		telemetry.New(stack, "Telemetry", telemetry.Props{
			Topic: "acme", Types: acmeTypes[2:], Retention: 90 * time.Minute, BufferingSizeMiB: 129,
			BufferingInterval: 16 * time.Minute, RawRetention: -24 * time.Hour,
		})
	},
		"telemetry: Telemetry: Retention: 1h30m0s, want whole hours, 24h0m0s to 8760h0m0s",
		"telemetry: Telemetry: BufferingSizeMiB: 129, want 64 to 128",
		"telemetry: Telemetry: BufferingInterval: 16m0s, want whole seconds, 1m0s to 15m0s",
		"telemetry: Telemetry: RawRetention: -24h0m0s, want whole days, at least 24h0m0s",
	)
	wantPanic(t, func(stack awscdk.Stack) {
		props := acme()
		props.Columns = append(props.Columns, telemetryschema.Column{Name: "at", Type: "date"})
		props.Types = append(props.Types, telemetryschema.Type{Name: "flow"})
		props.FirstDay = "2026-02-30"
		props.Reports[0].Name = "telemetry"
		props.Reports[0].SQL = "SELECT 1"
		telemetry.New(stack, "Telemetry", props)
	},
		`telemetry: Telemetry: FirstDay: "2026-02-30", want a day such as 2026-01-31`,
		`telemetry: Telemetry: Columns[1].Type: "date", want string, double, bigint, boolean or `+
			"timestamp",
		`telemetry: Telemetry: Columns[1].Name: "at", want another name: every table has this `+
			"column",
		`telemetry: Telemetry: Types[3].Source: "", want device or client`,
		`telemetry: Telemetry: Types[3].Name: "flow", want a name that no other type has`,
		`telemetry: Telemetry: Reports[0].Name: "telemetry", want a name that neither the table `+
			"telemetry nor another report has, underscores aside",
		"telemetry: Telemetry: Reports[0].SQL: 0 parameters, want a query with one parameter, the "+
			"day, such as WHERE day = ?",
	)
}
