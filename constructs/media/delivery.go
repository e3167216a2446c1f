package media

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
)

// addDistribution declares the distribution of thumbnails, and lets it read all prefixes except the
// private one. The CDK's origins would let it read the whole bucket.
func (m *Media) addDistribution(scope constructs.Construct, props Props) {
	origin := &awscloudfront.OriginProps{}
	if props.OriginAccessControl {
		control := awscloudfront.NewS3OriginAccessControl(scope, jsii.String("OriginAccessControl"),
			&awscloudfront.S3OriginAccessControlProps{
				OriginAccessControlName: convert.GlobalName(scope, "OAC"),
			})
		origin.OriginAccessControlId = control.OriginAccessControlId()
	}
	m.Distribution = awscloudfront.NewDistribution(scope, jsii.String("Distribution"),
		&awscloudfront.DistributionProps{
			Comment: jsii.String("Thumbnails of users' pictures"),
			DefaultBehavior: &awscloudfront.BehaviorOptions{
				Origin: awscloudfrontorigins.S3BucketOrigin_WithBucketDefaults(m.Thumbnails,
					origin),
				ViewerProtocolPolicy:  awscloudfront.ViewerProtocolPolicy_REDIRECT_TO_HTTPS,
				AllowedMethods:        awscloudfront.AllowedMethods_ALLOW_GET_HEAD(),
				Compress:              jsii.Bool(false), // JPEGs do not get smaller
				CachePolicy:           newCachePolicy(scope),
				ResponseHeadersPolicy: newResponseHeaders(scope, props.AllowedOrigins),
			},
			// A thumbnail that is requested before it exists is available a second later.
			// CloudFront caches errors for ten by default.
			ErrorResponses: &[]*awscloudfront.ErrorResponse{
				{HttpStatus: jsii.Number(403), Ttl: convert.Duration(time.Second)},
			},
			HttpVersion:   awscloudfront.HttpVersion_HTTP2_AND_3,
			LogBucket:     m.AccessLogs,
			LogFilePrefix: jsii.String("delivery/"),
		})
	bucket.EmptyAfter(m.AccessLogs, m.Distribution)

	statement := &awsiam.PolicyStatementProps{
		Actions: jsii.Strings("s3:GetObject"), Resources: &[]*string{},
	}
	for _, prefix := range []string{
		props.TempPrefix, props.PermanentPrefix, props.ProtectedPrefix,
	} {
		*statement.Resources = append(*statement.Resources,
			m.Thumbnails.ArnForObjects(jsii.String(prefix+"*")))
	}
	if props.OriginAccessControl {
		statement.Principals = &[]awsiam.IPrincipal{
			awsiam.NewServicePrincipal(jsii.String("cloudfront.amazonaws.com"), nil),
		}
		statement.Conditions = &map[string]any{
			"StringEquals": map[string]any{"AWS:SourceArn": m.Distribution.DistributionArn()},
		}
	} else {
		identity := awscloudfront.NewOriginAccessIdentity(scope,
			jsii.String("OriginAccessIdentity"), &awscloudfront.OriginAccessIdentityProps{
				Comment: jsii.String("Reads thumbnails of users' pictures"),
			})
		m.Distribution.Node().DefaultChild().(awscloudfront.CfnDistribution).AddPropertyOverride(
			jsii.String("DistributionConfig.Origins.0.S3OriginConfig.OriginAccessIdentity"),
			"origin-access-identity/cloudfront/"+*identity.OriginAccessIdentityId())
		statement.Principals = &[]awsiam.IPrincipal{identity.GrantPrincipal()}
	}
	m.Thumbnails.AddToResourcePolicy(awsiam.NewPolicyStatement(statement))
}

// newCachePolicy makes edge locations cache a thumbnail as long as its Cache-Control allows, and at
// most for a day: until then, thumbnails of a deleted picture may remain visible. The cache key is
// the path.
func newCachePolicy(scope constructs.Construct) awscloudfront.CachePolicy {
	return awscloudfront.NewCachePolicy(scope, jsii.String("CachePolicy"),
		&awscloudfront.CachePolicyProps{
			Comment:    jsii.String("Follows Cache-Control, for a day at most"),
			MinTtl:     awscdk.Duration_Seconds(jsii.Number(0)),
			DefaultTtl: awscdk.Duration_Seconds(jsii.Number(0)),
			MaxTtl:     convert.Duration(bucket.Day),
		})
}

// newResponseHeaders makes browsers treat the response as a picture and nothing else, and lets
// pages of the origins read it.
func newResponseHeaders(
	scope constructs.Construct, origins []string,
) awscloudfront.ResponseHeadersPolicy {
	const year = 365 * bucket.Day
	override := jsii.Bool(true)
	var cors *awscloudfront.ResponseHeadersCorsBehavior
	if len(origins) > 0 {
		cors = &awscloudfront.ResponseHeadersCorsBehavior{
			AccessControlAllowOrigins: jsii.Strings(origins...),
			AccessControlAllowMethods: jsii.Strings("GET", "HEAD"),
			// Unused: no preflight request gets as far.
			AccessControlAllowHeaders:     jsii.Strings("*"),
			AccessControlAllowCredentials: jsii.Bool(false),
			OriginOverride:                override,
		}
	}
	return awscloudfront.NewResponseHeadersPolicy(scope, jsii.String("ResponseHeaders"),
		&awscloudfront.ResponseHeadersPolicyProps{
			ResponseHeadersPolicyName: convert.GlobalName(scope, "ResponseHeaders"),
			Comment:                   jsii.String("Headers of pictures for the web client"),
			CorsBehavior:              cors,
			SecurityHeadersBehavior: &awscloudfront.ResponseSecurityHeadersBehavior{
				ContentTypeOptions: &awscloudfront.ResponseHeadersContentTypeOptions{
					Override: override,
				},
				ContentSecurityPolicy: &awscloudfront.ResponseHeadersContentSecurityPolicy{
					ContentSecurityPolicy: jsii.String("default-src 'none'"), Override: override,
				},
				StrictTransportSecurity: &awscloudfront.ResponseHeadersStrictTransportSecurity{
					AccessControlMaxAge: convert.Duration(year), Override: override,
				},
			},
			CustomHeadersBehavior: &awscloudfront.ResponseCustomHeadersBehavior{
				CustomHeaders: &[]*awscloudfront.ResponseCustomHeader{
					// Pages of other sites may embed pictures, also under isolation (COEP): the web
					// client is another site.
					{
						Header:   jsii.String("Cross-Origin-Resource-Policy"),
						Value:    jsii.String("cross-origin"),
						Override: override,
					},
				},
			},
		})
}
