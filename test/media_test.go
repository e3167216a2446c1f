package test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3notifications"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// objects returns the ARN of a bucket's objects that match a pattern such as temp/*.
func objects(bucket assembly.Resource, pattern string) any {
	return map[string]any{"Fn::Join": []any{
		"", []any{map[string]any{"Fn::GetAtt": []string{bucket.ID, "Arn"}}, "/" + pattern},
	}}
}

// arn returns the ARN of a resource.
func arn(resource assembly.Resource) any {
	return map[string]any{"Fn::GetAtt": []string{resource.ID, "Arn"}}
}

// allowStatements returns the Allow statements of the policy whose property refers to the resource.
func allowStatements(
	t *testing.T, stack assembly.Stack, policyType, property string, of assembly.Resource,
) []any {
	t.Helper()
	found := []any{}
	for _, policy := range stack.Template.OfType(policyType) {
		if assembly.Refers(oneOrMore(policy.At(property))[0]) != of.ID {
			continue
		}
		for _, statement := range oneOrMore(policy.At("PolicyDocument", "Statement")) {
			if assembly.At(statement, "Effect") != "Deny" {
				found = append(found, statement)
			}
		}
	}
	return found
}

func TestTempUploadsAndTheirThumbnailsExpireAfterADay(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		for _, name := range []string{"MediaOriginals", "MediaThumbnails"} {
			want(t, only(t, stack, "AWS::S3::Bucket", name), []any{
				map[string]any{
					"Id": "ExpireTempUploads", "Status": "Enabled", "Prefix": "temp/",
					"ExpirationInDays": 1,
				},
				map[string]any{
					"Id": "AbortIncompleteUploads", "Status": "Enabled",
					"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1},
				},
			}, "LifecycleConfiguration", "Rules")
		}
	})
}

func TestPicturesAreEncryptedWithS3ManagedKeys(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			for _, bucket := range stack.Template.OfType("AWS::S3::Bucket") {
				want(t, bucket, []any{map[string]any{
					"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"},
				}},
					"BucketEncryption", "ServerSideEncryptionConfiguration")
			}
		})
}

func TestOnlyTheEnvironmentsOwnPagesReachTheMediaBuckets(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			var origins []any
			for _, origin := range ownOrigins(t, environment) {
				origins = append(origins, fnJoin(origin...))
			}
			for name, methods := range map[string][]string{
				"MediaOriginals":  {"GET", "HEAD", "PUT", "POST", "DELETE"},
				"MediaThumbnails": {"GET", "HEAD"},
			} {
				want(t, only(t, stack, "AWS::S3::Bucket", name), []any{map[string]any{
					"AllowedOrigins": origins,
					"AllowedMethods": methods,
					"AllowedHeaders": []string{"*"},
					"ExposedHeaders": []string{"ETag"},
					"MaxAge":         3600,
				}}, "CorsConfiguration", "CorsRules")
			}
			headers := only(t, stack, "AWS::CloudFront::ResponseHeadersPolicy", "")
			want(t, headers, map[string]any{
				"AccessControlAllowOrigins":     map[string]any{"Items": origins},
				"AccessControlAllowMethods":     map[string]any{"Items": []string{"GET", "HEAD"}},
				"AccessControlAllowHeaders":     map[string]any{"Items": []string{"*"}},
				"AccessControlAllowCredentials": false,
				"OriginOverride":                true,
			}, "ResponseHeadersPolicyConfig", "CorsConfig")
		})
}

func TestUploadsAreAcceleratedWhereTheEnvironmentEnablesIt(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			var status any
			if environment.TransferAcceleration {
				status = "Enabled"
			}
			want(t, only(t, stack, "AWS::S3::Bucket", "MediaOriginals"), status,
				"AccelerateConfiguration", "AccelerationStatus")
			want(t, only(t, stack, "AWS::S3::Bucket", "MediaThumbnails"), nil,
				"AccelerateConfiguration")
		})
}

func TestOnlyCloudFrontReadsThumbnailsExceptPrivateOnes(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		thumbnails := only(t, stack, "AWS::S3::Bucket", "MediaThumbnails")
		identity := only(t, stack, "AWS::CloudFront::CloudFrontOriginAccessIdentity", "")
		allowed := allowStatements(t, stack, "AWS::S3::BucketPolicy", "Bucket", thumbnails)
		if want := []any{map[string]any{
			"Effect": "Allow", "Action": "s3:GetObject",
			"Principal": map[string]any{
				"CanonicalUser": map[string]any{
					"Fn::GetAtt": []string{identity.ID, "S3CanonicalUserId"},
				},
			},
			"Resource": []any{
				objects(thumbnails, "permanent/*"), objects(thumbnails, "protected/*"),
				objects(thumbnails, "temp/*"),
			},
		}}; text(allowed) != text(want) {
			t.Errorf("the bucket's policy allows %s, want %s", text(allowed), text(want))
		}
		distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
		want(t, distribution, map[string]any{"OriginAccessIdentity": map[string]any{
			"Fn::Join": []any{
				"", []any{"origin-access-identity/cloudfront/", map[string]any{"Ref": identity.ID}},
			},
		}}, "DistributionConfig", "Origins", 0, "S3OriginConfig")
	})
}

func TestOnlyTheDistributionReadsThumbnailsWithOriginAccessControl(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		props := pictureProps
		props.OriginAccessControl = true
		media.New(stack, "Media", props)
	})
	thumbnails := only(t, stack, "AWS::S3::Bucket", "MediaThumbnails")
	distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
	control := only(t, stack, "AWS::CloudFront::OriginAccessControl", "")
	allowed := allowStatements(t, stack, "AWS::S3::BucketPolicy", "Bucket", thumbnails)
	if want := []any{map[string]any{
		"Effect": "Allow", "Action": "s3:GetObject",
		"Principal": map[string]any{"Service": "cloudfront.amazonaws.com"},
		"Resource": []any{
			objects(thumbnails, "permanent/*"), objects(thumbnails, "protected/*"),
			objects(thumbnails, "temp/*"),
		},
		"Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceArn": fnJoin(
			"arn:", map[string]any{"Ref": "AWS::Partition"}, ":cloudfront::",
			map[string]any{"Ref": "AWS::AccountId"}, ":distribution/",
			map[string]any{"Ref": distribution.ID},
		)}},
	}}; text(allowed) != text(want) {
		t.Errorf("the bucket's policy allows %s, want %s", text(allowed), text(want))
	}
	want(t, distribution, control.ID, "DistributionConfig", "Origins", 0, "OriginAccessControlId",
		"Fn::GetAtt", 0)
	want(t, distribution, "", "DistributionConfig", "Origins", 0, "S3OriginConfig",
		"OriginAccessIdentity")
	want(t, control, "always", "OriginAccessControlConfig", "SigningBehavior")
	want(t, control, "s3", "OriginAccessControlConfig", "OriginAccessControlOriginType")
	identities := stack.Template.OfType("AWS::CloudFront::CloudFrontOriginAccessIdentity")
	if len(identities) > 0 {
		t.Errorf("there is an origin access identity %s, want none", identities[0].ID)
	}
}

func TestOriginalsAreNotDelivered(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		originals := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
		allowed := allowStatements(t, stack, "AWS::S3::BucketPolicy", "Bucket", originals)
		if len(allowed) > 0 {
			t.Errorf("the policy of the originals allows %s", text(allowed))
		}
		distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
		thumbnails := only(t, stack, "AWS::S3::Bucket", "MediaThumbnails")
		origins := oneOrMore(distribution.At("DistributionConfig", "Origins"))
		if len(origins) != 1 ||
			assembly.Refers(assembly.At(origins[0], "DomainName")) != thumbnails.ID {
			t.Errorf("the distribution's origins are %s, want only the thumbnails", text(origins))
		}
	})
}

func TestThumbnailsAreDeliveredOverTLSAndReadOnly(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
		for path, value := range map[string]any{
			"Enabled": true, "HttpVersion": "http2and3", "IPV6Enabled": true, "CacheBehaviors": nil,
		} {
			want(t, distribution, value, "DistributionConfig", path)
		}
		for path, value := range map[string]any{
			"ViewerProtocolPolicy": "redirect-to-https", "AllowedMethods": []string{"GET", "HEAD"},
			"Compress": false,
		} {
			want(t, distribution, value, "DistributionConfig", "DefaultCacheBehavior", path)
		}
		headers := only(t, stack, "AWS::CloudFront::ResponseHeadersPolicy", "")
		want(t, distribution, headers.ID, "DistributionConfig", "DefaultCacheBehavior",
			"ResponseHeadersPolicyId", "Ref")
		want(t, headers, map[string]any{
			"ContentTypeOptions": map[string]any{"Override": true},
			"ContentSecurityPolicy": map[string]any{
				"ContentSecurityPolicy": "default-src 'none'", "Override": true,
			},
			"StrictTransportSecurity": map[string]any{
				"AccessControlMaxAgeSec": 31536000, "Override": true,
			},
		}, "ResponseHeadersPolicyConfig", "SecurityHeadersConfig")
		want(t, headers, []any{map[string]any{
			"Header": "Cross-Origin-Resource-Policy", "Value": "cross-origin", "Override": true,
		}},
			"ResponseHeadersPolicyConfig", "CustomHeadersConfig", "Items")
	})
}

// TestCloudFrontCachesThumbnailsForADayAtMost: errors for thumbnails that do not exist yet are
// cached for a second.
func TestCloudFrontCachesThumbnailsForADayAtMost(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
		policy := only(t, stack, "AWS::CloudFront::CachePolicy", "")
		want(t, distribution, policy.ID, "DistributionConfig", "DefaultCacheBehavior",
			"CachePolicyId", "Ref")
		for path, value := range map[string]any{
			"MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 24 * 60 * 60,
		} {
			want(t, policy, value, "CachePolicyConfig", path)
		}
		want(t, policy, map[string]any{
			"CookiesConfig":              map[string]any{"CookieBehavior": "none"},
			"HeadersConfig":              map[string]any{"HeaderBehavior": "none"},
			"QueryStringsConfig":         map[string]any{"QueryStringBehavior": "none"},
			"EnableAcceptEncodingBrotli": false, "EnableAcceptEncodingGzip": false,
		}, "CachePolicyConfig", "ParametersInCacheKeyAndForwardedToOrigin")
		want(t, distribution, []any{map[string]any{"ErrorCode": 403, "ErrorCachingMinTTL": 1}},
			"DistributionConfig", "CustomErrorResponses")
	})
}

func TestRequestsForPicturesAreLogged(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			logs := only(t, stack, "AWS::S3::Bucket", "MediaAccessLogs")
			want(t, logs, environment.LogRetention.Hours()/24, "LifecycleConfiguration", "Rules", 0,
				"ExpirationInDays")
			want(t, only(t, stack, "AWS::CloudFront::Distribution", ""), map[string]any{
				"Bucket": map[string]any{"Fn::GetAtt": []string{logs.ID, "RegionalDomainName"}},
				"Prefix": "delivery/",
			}, "DistributionConfig", "Logging")
			for name, prefix := range map[string]string{
				"MediaOriginals": "originals/", "MediaThumbnails": "thumbnails/",
			} {
				want(t, only(t, stack, "AWS::S3::Bucket", name), map[string]any{
					"DestinationBucketName": map[string]any{"Ref": logs.ID},
					"LogFilePrefix":         prefix,
				}, "LoggingConfiguration")
			}
		})
}

func TestS3SendsEventsOfOriginalsToTheQueue(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		originals := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
		events := only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsQueue")
		want(t, originals, map[string]any{"QueueConfigurations": []any{
			map[string]any{"Event": "s3:ObjectCreated:*", "Queue": arn(events)},
			map[string]any{"Event": "s3:ObjectRemoved:*", "Queue": arn(events)},
		}}, "NotificationConfiguration")

		allowed := allowStatements(t, stack, "AWS::SQS::QueuePolicy", "Queues", events)
		if want := []any{map[string]any{
			"Effect": "Allow", "Action": "sqs:SendMessage",
			"Principal": map[string]any{"Service": "s3.amazonaws.com"}, "Resource": arn(events),
			"Condition": map[string]any{
				"StringEquals": map[string]any{"aws:SourceAccount": accountID(stack)},
			},
		}}; text(allowed) != text(want) {
			t.Errorf("the queue's policy allows %s, want %s", text(allowed), text(want))
		}
		policy := only(t, stack, "AWS::SQS::QueuePolicy", "MediaOriginalEventsQueue")
		if !slices.Contains(oneOrMore(originals.DependsOn), any(policy.ID)) {
			t.Errorf("%s does not depend on %s, and S3 would reject the queue", originals.ID,
				policy.ID)
		}
	})
}

// TestOthersConsumeEventsOfOriginalsWithEventBridge: the CDK's own methods would replace the
// notifications that the thumbnails need.
func TestOthersConsumeEventsOfOriginalsWithEventBridge(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		props := pictureProps
		props.EventBridge = true
		media.New(stack, "Media", props)
	})
	originals := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
	want(t, originals, map[string]any{"EventBridgeEnabled": true}, "NotificationConfiguration",
		"EventBridgeConfiguration")
	want(t, originals, "s3:ObjectCreated:*", "NotificationConfiguration", "QueueConfigurations", 0,
		"Event")
	for name, notify := range map[string]func(awss3.IBucket, awss3.IBucketNotificationDestination){
		"AddEventNotification": func(
			originals awss3.IBucket, other awss3.IBucketNotificationDestination,
		) {
			originals.AddEventNotification(awss3.EventType_OBJECT_CREATED, other)
		},
		"AddObjectRemovedNotification": func(
			originals awss3.IBucket, other awss3.IBucketNotificationDestination,
		) {
			originals.AddObjectRemovedNotification(other)
		},
		"EnableEventBridgeNotification": func(
			originals awss3.IBucket, _ awss3.IBucketNotificationDestination,
		) {
			originals.EnableEventBridgeNotification()
		},
	} {
		t.Run(name, func(t *testing.T) {
			message := failure(t, false, func(stack awscdk.Stack) {
				other := awssqs.NewQueue(stack, jsii.String("Other"), nil)
				notify(media.New(stack, "Media", media.Props{}).Originals,
					awss3notifications.NewSqsDestination(other))
			})
			const want = "[Stack/Media/Originals] a method of the bucket that adds event " +
				"notifications (AddEventNotification, EnableEventBridgeNotification) would " +
				"replace those of its construct; set EventBridge of media.Props, and consume " +
				"the events with a rule of EventBridge"
			if !strings.Contains(message, want) {
				t.Errorf("failed with %q, want it to say %q", message, want)
			}
		})
	}
}

// TestOriginalsCanBeInAnExistingBucket: the CDK's resource adds the notifications to the bucket's
// others.
func TestOriginalsCanBeInAnExistingBucket(t *testing.T) {
	var m *media.Media
	stack := synthStack(func(stack awscdk.Stack) {
		m = media.New(stack, "Media", media.Props{
			Originals: awss3.Bucket_FromBucketAttributes(stack, jsii.String("Existing"),
				&awss3.BucketAttributes{
					BucketName: jsii.String("existing"),
					EncryptionKey: awskms.Key_FromKeyArn(stack, jsii.String("Key"),
						jsii.String("arn:aws:kms:eu-central-1:111111111111:key/k")),
				}),
		})
		for id, grantUse := range map[string]func(awsiam.IGrantable) awsiam.Grant{
			"Upload": m.GrantUpload, "Promote": m.GrantPromoteUploads,
			"Delete": m.GrantDeletePictures,
		} {
			grantUse(awsiam.NewRole(stack, jsii.String(id), &awsiam.RoleProps{
				AssumedBy: awsiam.NewAccountRootPrincipal(),
			}))
		}
	})
	if m.TransferAcceleration {
		t.Error("TransferAcceleration is true, want false: the bucket is its owner's")
	}
	for _, bucket := range stack.Template.OfType("AWS::S3::Bucket") {
		if strings.Contains(bucket.ID, "Originals") {
			t.Errorf("%s is declared, want the existing bucket only", bucket.ID)
		}
	}
	events := only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsQueue")
	notifications := only(t, stack, "Custom::S3BucketNotifications", "Existing")
	want(t, notifications, "existing", "BucketName")
	want(t, notifications, false, "Managed")
	want(t, notifications, []any{
		map[string]any{"Events": []string{"s3:ObjectCreated:*"}, "QueueArn": arn(events)},
		map[string]any{"Events": []string{"s3:ObjectRemoved:*"}, "QueueArn": arn(events)},
	}, "NotificationConfiguration", "QueueConfigurations")
	objects := func(pattern string) string { return ":s3:::existing/" + pattern }
	for role, on := range map[string]map[string]string{ // action → end of the resource
		"MediaGenerateThumbnailsRole": {
			"s3:GetObject": objects("*"), "s3:ListBucket": ":s3:::existing",
			"kms:Decrypt": "key/k",
		},
		"Upload": {
			"s3:PutObject": objects("temp/*"), "s3:DeleteObject": objects("temp/*"),
			"kms:GenerateDataKey*": "key/k",
		},
		"Promote": {
			"s3:GetObject": objects("temp/*"), "s3:PutObject": objects("permanent/*"),
			"s3:DeleteObject": objects("permanent/*"), "s3:ListBucket": ":s3:::existing",
			"kms:Decrypt": "key/k", "kms:GenerateDataKey*": "key/k",
		},
		"Delete": {"s3:DeleteObject": objects("permanent/*")},
	} {
		policy := only(t, stack, "AWS::IAM::Policy", role)
		allowed := map[string]string{}
		for _, statement := range oneOrMore(policy.At("PolicyDocument", "Statement")) {
			for _, action := range oneOrMore(assembly.At(statement, "Action")) {
				allowed[action.(string)] = text(assembly.At(statement, "Resource"))
			}
		}
		for action, resource := range on {
			if !strings.Contains(allowed[action], resource+`"`) {
				t.Errorf("%s may %s on %s, want on …%s", role, action, allowed[action], resource)
			}
		}
		if role == "Delete" && len(allowed) != 1 {
			t.Errorf("%s may %v, want to delete only", role, allowed)
		}
	}
}

// TestMediaDefaults: a team that passes no props gets no rule for web pages.
func TestMediaDefaults(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) { media.New(stack, "Media", media.Props{}) })
	function := only(t, stack, "AWS::Lambda::Function", "MediaGenerateThumbnails")
	for name, value := range map[string]string{
		"WIDTHS": "320,640,1280", "MAX_BYTES": "20971520", "MAX_PIXELS": "50000000",
		"TEMP_PREFIX": "temp/", "PERMANENT_PREFIX": "permanent/",
		"PROTECTED_PREFIX": "protected/", "PRIVATE_PREFIX": "private/",
	} {
		want(t, function, value, "Environment", "Variables", name)
	}
	for _, name := range []string{"MediaOriginals", "MediaThumbnails"} {
		want(t, only(t, stack, "AWS::S3::Bucket", name), nil, "CorsConfiguration")
	}
	want(t, only(t, stack, "AWS::CloudFront::ResponseHeadersPolicy", ""), nil,
		"ResponseHeadersPolicyConfig", "CorsConfig")
}

// TestNoThumbnailIsMadeOfAThumbnail: the function would invoke itself for ever.
func TestNoThumbnailIsMadeOfAThumbnail(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		originals := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
		thumbnails := only(t, stack, "AWS::S3::Bucket", "MediaThumbnails")
		for _, bucket := range stack.Template.OfType("AWS::S3::Bucket") {
			if bucket.ID != originals.ID {
				want(t, bucket, nil, "NotificationConfiguration")
			}
		}
		function := only(t, stack, "AWS::Lambda::Function", "MediaGenerateThumbnails")
		want(t, function, map[string]any{"Ref": thumbnails.ID}, "Environment", "Variables",
			"THUMBNAIL_BUCKET")
		policy := only(t, stack, "AWS::IAM::Policy", "MediaGenerateThumbnailsRole")
		for _, statement := range oneOrMore(policy.At("PolicyDocument", "Statement")) {
			actions := text(assembly.At(statement, "Action"))
			if strings.Contains(actions, "s3:Put") || strings.Contains(actions, "s3:Delete") {
				on := text(assembly.At(statement, "Resource"))
				if on != text(objects(thumbnails, "*")) {
					t.Errorf("the function may %s on %s, want only the thumbnails", actions, on)
				}
			}
		}
	})
}

func TestTheThumbnailFunctionReadsOriginalsAndWritesThumbnails(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		originals := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
		thumbnails := only(t, stack, "AWS::S3::Bucket", "MediaThumbnails")
		on := map[string]any{ // action → resource
			"s3:GetObject": objects(originals, "*"),
			// Without it, S3 responds 403 for a missing object.
			"s3:ListBucket":   arn(originals),
			"s3:PutObject":    objects(thumbnails, "*"),
			"s3:DeleteObject": objects(thumbnails, "*"),
			"sns:Publish": map[string]any{
				"Ref": only(t, stack, "AWS::SNS::Topic", "").ID,
			},
			"sqs:SendMessage": arn(
				only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsDeadLetterQueue")),
			"sqs:ReceiveMessage": arn(
				only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsQueue")),
			"sqs:DeleteMessage": arn(
				only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsQueue")),
			"sqs:GetQueueAttributes": arn(
				only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsQueue")),
		}
		seen := map[string]bool{}
		policy := only(t, stack, "AWS::IAM::Policy", "MediaGenerateThumbnailsRole")
		for _, statement := range oneOrMore(policy.At("PolicyDocument", "Statement")) {
			for _, action := range oneOrMore(assembly.At(statement, "Action")) {
				action := action.(string)
				if strings.HasPrefix(action, "logs:") || strings.HasPrefix(action, "xray:") {
					continue
				}
				seen[action] = true
				if got := text(assembly.At(statement, "Resource")); got != text(on[action]) {
					t.Errorf("the function may %s on %s, want %s", action, got, text(on[action]))
				}
			}
		}
		for action := range on {
			if !seen[action] {
				t.Errorf("the function may not %s", action)
			}
		}
	})
}

func TestTheThumbnailFunctionHasSmallBatchesAndLowConcurrency(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			function := only(t, stack, "AWS::Lambda::Function", "MediaGenerateThumbnails")
			mapping := only(t, stack, "AWS::Lambda::EventSourceMapping", "")
			want(t, mapping, map[string]any{"Ref": function.ID}, "FunctionName")
			want(t, mapping, arn(only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsQueue")),
				"EventSourceArn")
			want(t, mapping, 5, "BatchSize")
			want(t, mapping, []string{"ReportBatchItemFailures"}, "FunctionResponseTypes")
			want(t, mapping, 5, "ScalingConfig", "MaximumConcurrency")
			want(t, mapping, nil, "Enabled") // the default is true
		})
}

func TestTheThumbnailFunctionHasOneVCPUAndAMinute(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		function := only(t, stack, "AWS::Lambda::Function", "MediaGenerateThumbnails")
		want(t, function, 1769, "MemorySize")
		want(t, function, []string{"arm64"}, "Architectures")
		want(t, function, nil, "VpcConfig")
		want(t, function, 60, "Timeout")
		// Six times the function's timeout.
		want(t, only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsQueue"), 6*60,
			"VisibilityTimeout")
		want(t, function, "320,640,1280,1920", "Environment", "Variables", "WIDTHS")
		want(t, function, "20971520", "Environment", "Variables", "MAX_BYTES")
		want(t, function, "50000000", "Environment", "Variables", "MAX_PIXELS")
		want(t, function, map[string]any{
			"Ref": only(t, stack, "AWS::SQS::Queue", "MediaOriginalEventsDeadLetterQueue").ID,
		}, "Environment", "Variables", "DEAD_LETTER_QUEUE_URL")
		want(t, function, map[string]any{"Ref": only(t, stack, "AWS::SNS::Topic", "").ID},
			"Environment", "Variables", "TOPIC_ARN")
	})
}

func TestMessagesReceivedFiveTimesStayInADeadLetterQueueForTwoWeeks(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		for name, dead := range map[string]string{
			"MediaOriginalEventsQueue": "MediaOriginalEventsDeadLetterQueue",
			"MediaThumbnailEventQueue": "MediaThumbnailEventDLQ",
		} {
			queue := only(t, stack, "AWS::SQS::Queue", name)
			dlq := only(t, stack, "AWS::SQS::Queue", dead)
			want(t, queue, map[string]any{"deadLetterTargetArn": arn(dlq), "maxReceiveCount": 5},
				"RedrivePolicy")
			want(t, queue, 4*24*60*60, "MessageRetentionPeriod")
		}
		for _, name := range []string{
			"MediaOriginalEventsDeadLetterQueue", "MediaThumbnailEventDLQ",
		} {
			dlq := only(t, stack, "AWS::SQS::Queue", name)
			want(t, dlq, 14*24*60*60, "MessageRetentionPeriod")
			want(t, dlq, nil, "RedrivePolicy")
		}
		if queues := stack.Template.OfType("AWS::SQS::Queue"); len(queues) != 4 {
			t.Errorf("there are %d queues, want 4", len(queues))
		}
	})
}

func TestThumbnailEventsReachTheirQueue(t *testing.T) {
	forEachEnvironment(t, "Media", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		topic := only(t, stack, "AWS::SNS::Topic", "MediaThumbnailEvents")
		queue := only(t, stack, "AWS::SQS::Queue", "MediaThumbnailEventQueue")
		dlq := only(t, stack, "AWS::SQS::Queue", "MediaThumbnailEventDLQ")
		subscription := only(t, stack, "AWS::SNS::Subscription", "")
		want(t, subscription, map[string]any{
			"TopicArn": map[string]any{"Ref": topic.ID}, "Protocol": "sqs", "Endpoint": arn(queue),
			"RawMessageDelivery": true,
			"RedrivePolicy":      map[string]any{"deadLetterTargetArn": arn(dlq)},
		})
		for _, to := range []assembly.Resource{queue, dlq} {
			allowed := allowStatements(t, stack, "AWS::SQS::QueuePolicy", "Queues", to)
			if want := []any{map[string]any{
				"Effect": "Allow", "Action": "sqs:SendMessage",
				"Principal": map[string]any{"Service": "sns.amazonaws.com"}, "Resource": arn(to),
				"Condition": map[string]any{
					"ArnEquals": map[string]any{"aws:SourceArn": map[string]any{"Ref": topic.ID}},
				},
			}}; text(allowed) != text(want) {
				t.Errorf("the policy of %s allows %s, want %s", to.ID, text(allowed), text(want))
			}
		}
		policy := only(t, stack, "AWS::SQS::QueuePolicy", "MediaThumbnailEventQueue")
		if !slices.Contains(oneOrMore(subscription.DependsOn), any(policy.ID)) {
			t.Errorf("%s does not depend on %s, and earlier messages would be lost",
				subscription.ID, policy.ID)
		}
	})
}

func TestSignedInClientsUploadToTheOriginalsAndReadTheirOwnThumbnails(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			thumbnails := only(t, stack, "AWS::S3::Bucket", "MediaThumbnails")
			want(t,
				only(t, stack, "AWS::IAM::Policy", "IdentityIdentitySignedInReadMediaThumbnails"),
				[]any{map[string]any{
					"Effect": "Allow", "Action": "s3:GetObject",
					"Resource": []any{
						objects(thumbnails, "private/${cognito-identity.amazonaws.com:sub}/*"),
						objects(thumbnails, "protected/${cognito-identity.amazonaws.com:sub}/*"),
					},
				}}, "PolicyDocument", "Statement")
			uploads := only(t, stack, "AWS::IAM::Policy",
				"IdentityIdentitySignedInReadWriteMediaOriginals")
			statements := text(uploads.At("PolicyDocument"))
			if strings.Contains(statements, thumbnails.ID) ||
				!strings.Contains(statements,
					only(t, stack, "AWS::S3::Bucket", "MediaOriginals").ID) {
				t.Errorf("signed-in clients may %s, want only the originals", statements)
			}
		})
}

// TestTheThumbnailFunctionIsDeletedBeforeTheThumbnails: a write to a disposable bucket while it is
// emptied would fail the deletion of the stack.
func TestTheThumbnailFunctionIsDeletedBeforeTheThumbnails(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			if !environment.Disposable {
				return
			}
			for id, resource := range map[string]assembly.Resource{
				"MediaThumbnailsEmptyOnDelete": only(t, stack, "AWS::Lambda::EventSourceMapping",
					""),
				"MediaAccessLogsEmptyOnDelete": only(t, stack, "AWS::CloudFront::Distribution", ""),
			} {
				emptied := only(t, stack, "Custom::EmptyBucket", id)
				if !slices.Contains(oneOrMore(resource.DependsOn), any(emptied.ID)) {
					t.Errorf("%s may still exist when %s is deleted", resource.ID, emptied.ID)
				}
			}
		})
}

func TestTheMediaURLIsTheDistributions(t *testing.T) {
	forEachEnvironment(t, "Media",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
			url := map[string]any{"Fn::Join": []any{"", []any{
				"https://", map[string]any{"Fn::GetAtt": []string{distribution.ID, "DomainName"}},
			}}}
			if got := stack.Template.Outputs["MediaURL"]["Value"]; text(got) != text(url) {
				t.Errorf("MediaURL is %s, want %s", text(got), text(url))
			}
		})
}

// pictureProps are the props of a platform with a web client.
var pictureProps = media.Props{
	AllowedOrigins: []string{"https://app.example.com"},
	Widths:         pictures.Widths,
	MaxBytes:       pictures.MaxBytes,
	MaxPixels:      pictures.MaxPixels,
}

func TestMediaProps(t *testing.T) {
	accelerated := map[bool]bool{}
	stack := synthStack(func(stack awscdk.Stack) {
		props := pictureProps
		accelerated[true] = media.New(stack, "Media", props).TransferAcceleration
		props.TempRetention, props.DisableTransferAcceleration = 3*24*time.Hour, true
		accelerated[false] = media.New(stack, "Other", props).TransferAcceleration
	})
	if want := map[bool]bool{true: true, false: false}; !cmp.Equal(accelerated, want) {
		t.Errorf("accelerated: %v, want %v", accelerated, want)
	}
	want(t, only(t, stack, "AWS::S3::Bucket", "MediaOriginals"), "Enabled",
		"AccelerateConfiguration", "AccelerationStatus")
	want(t, only(t, stack, "AWS::S3::Bucket", "OtherOriginals"), nil, "AccelerateConfiguration")
	for _, name := range []string{"OtherOriginals", "OtherThumbnails"} {
		want(t, only(t, stack, "AWS::S3::Bucket", name), 3, "LifecycleConfiguration", "Rules", 0,
			"ExpirationInDays")
	}
	want(t, only(t, stack, "AWS::S3::Bucket", "MediaAccessLogs"), 30, "LifecycleConfiguration",
		"Rules", 0, "ExpirationInDays")
}

// TestMediaPrefixesAreProps: the lifecycle rules, the distribution and the grants follow them.
func TestMediaPrefixesAreProps(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		props := pictureProps
		props.TempPrefix, props.PermanentPrefix = "new/", "promoted/"
		props.ProtectedPrefix, props.PrivatePrefix = "shared/", "own/"
		m := media.New(stack, "Media", props)
		function := func(id string) *gofunction.Function {
			return gofunction.New(stack, id, gofunction.Props{Package: "example.com/fn"})
		}
		m.GrantUpload(function("Upload"))
		m.GrantPromoteUploads(function("Promote"))
		m.GrantDeletePictures(function("Delete"))
	})
	for _, name := range []string{"MediaOriginals", "MediaThumbnails"} {
		want(t, only(t, stack, "AWS::S3::Bucket", name), "new/", "LifecycleConfiguration", "Rules",
			0, "Prefix")
	}
	thumbnails := only(t, stack, "AWS::S3::Bucket", "MediaThumbnails")
	allowed := allowStatements(t, stack, "AWS::S3::BucketPolicy", "Bucket", thumbnails)
	if want := []any{
		objects(thumbnails, "new/*"), objects(thumbnails, "promoted/*"),
		objects(thumbnails, "shared/*"),
	}; len(allowed) != 1 ||
		text(assembly.At(allowed[0], "Resource")) != text(want) {
		t.Errorf("the bucket's policy allows %s, want only %s", text(allowed), text(want))
	}
	for function, want := range map[string][]string{
		"Upload": {"s3:DeleteObject /new/*", "s3:PutObject /new/*"},
		"Promote": {
			"s3:DeleteObject /promoted/*", "s3:GetObject /new/*", "s3:ListBucket",
			"s3:PutObject /promoted/*",
		},
		"Delete": {"s3:DeleteObject /promoted/*"},
	} {
		if diff := cmp.Diff(want, originalsPermissions(t, stack, function)); diff != "" {
			t.Errorf("%s (-want +allowed):\n%s", function, diff)
		}
	}
}

func TestMediaPropsAreValidated(t *testing.T) {
	const origin = "want an https origin without a path (http for localhost only): " +
		"https://app.example.com"
	wantPanic(t, func(stack awscdk.Stack) {
		media.New(stack, "Media", media.Props{
			AllowedOrigins: []string{"https://app.example.com", "*", "https://app.example.com"},
			Widths:         []int{320, 0, 65536, 320},
			MaxBytes:       -1, MaxPixels: 1_000_000_000, TempRetention: 36 * time.Hour,
		})
	},
		`media: Media: AllowedOrigins[1]: "*", `+origin,
		`media: Media: AllowedOrigins[2]: "https://app.example.com", want no duplicates`,
		"media: Media: Widths[1]: 0, want 1 to 65535",
		"media: Media: Widths[2]: 65536, want 1 to 65535",
		"media: Media: Widths[3]: 320, want no duplicates",
		"media: Media: MaxBytes: -1, want 1 to 104857600",
		"media: Media: MaxPixels: 1000000000, want 1 to 50000000",
		"media: Media: TempRetention: 36h0m0s, want whole days, at least 24h0m0s",
	)
	wantPanic(t, func(stack awscdk.Stack) {
		media.New(stack, "Media", media.Props{
			AllowedOrigins: []string{"http://app.example.com", "https://app.example.com/"},
			Widths:         []int{}, MaxBytes: 1 << 30, MaxPixels: -1,
		})
	},
		`media: Media: AllowedOrigins[0]: "http://app.example.com", `+origin,
		`media: Media: AllowedOrigins[1]: "https://app.example.com/", `+origin,
		"media: Media: Widths is required; pass nil for the default",
		"media: Media: MaxBytes: 1073741824, want 1 to 104857600",
		"media: Media: MaxPixels: -1, want 1 to 50000000",
	)
	wantPanic(t, func(stack awscdk.Stack) {
		props := pictureProps
		props.TempRetention = -24 * time.Hour
		media.New(stack, "Media", props)
	}, "media: Media: TempRetention: -24h0m0s, want whole days, at least 24h0m0s")
	wantPanic(t, func(stack awscdk.Stack) {
		props := pictureProps
		props.TempPrefix, props.PermanentPrefix = "temp", "*/"
		props.ProtectedPrefix, props.PrivatePrefix = "a/b/", "permanent/"
		media.New(stack, "Media", props)
	},
		`media: Media: TempPrefix: "temp", want letters, digits, - and _, then a slash`,
		`media: Media: PermanentPrefix: "*/", want letters, digits, - and _, then a slash`,
		`media: Media: ProtectedPrefix: "a/b/", want letters, digits, - and _, then a slash`,
	)
	wantPanic(t, func(stack awscdk.Stack) {
		props := pictureProps
		props.PermanentPrefix, props.PrivatePrefix = "temp/", "protected/"
		media.New(stack, "Media", props)
	},
		"media: Media: PermanentPrefix: temp/, want a prefix different from TempPrefix",
		"media: Media: PrivatePrefix: protected/, want a prefix different from ProtectedPrefix",
	)
}

func TestMediaArgumentsAreValidated(t *testing.T) {
	app := newApp()
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	existing := awss3.Bucket_FromBucketName(stack, jsii.String("Existing"), jsii.String("existing"))
	got := panicMessage(func() {
		media.New(stack, "Media", media.Props{Originals: existing, EventBridge: true})
	})
	wanted := "media: Media: EventBridge: true, want false with Originals; call " +
		"EnableEventBridgeNotification of the bucket"
	if got != wanted {
		t.Errorf("panics with %q, want %q", got, wanted)
	}
	got = panicMessage(func() {
		other := awscdk.NewStack(app, jsii.String("Other"), nil)
		media.New(other, "Media", media.Props{Originals: existing})
	})
	wanted = "media: Media: Originals: Stack/Existing, want a bucket of the same stack; import " +
		"it there with awss3.Bucket_FromBucketName"
	if got != wanted {
		t.Errorf("panics with %q, want %q", got, wanted)
	}
	m := media.New(stack, "Media", media.Props{})
	var function *gofunction.Function // a nil pointer in an interface
	for method, grantUse := range map[string]func(awsiam.IGrantable) awsiam.Grant{
		"GrantUpload": m.GrantUpload, "GrantPromoteUploads": m.GrantPromoteUploads,
		"GrantDeletePictures": m.GrantDeletePictures,
	} {
		for _, grantee := range []awsiam.IGrantable{nil, function} {
			wanted := "media: Stack/Media." + method +
				": grantee is required; pass the function " +
				"or the role that gets the permissions"
			if got := panicMessage(func() { grantUse(grantee) }); got != wanted {
				t.Errorf("panics with %q, want %q", got, wanted)
			}
		}
	}
}
