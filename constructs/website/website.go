// Package website provisions a single-page app: its files in a private bucket, delivered by
// CloudFront.
package website

import (
	_ "embed" // rewrite.js
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/internal/check"
	deploywebsitefn "github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// Props describes the website. Zero values take the stated default.
type Props struct {
	// Content holds the website's files, with an index.html: an embed.FS, or os.DirFS of a
	// bundler's output. Files below assets/ have a hash of their content in their names and are
	// cached without revalidation; all others are revalidated on each request. URLs without an
	// extension show index.html, so files without an extension are delivered only from .well-known/
	// and assets/. Required.
	Content fs.FS

	// DomainNames are the website's own. Each needs a DNS record that points to the Distribution's.
	// Default: none, only CloudFront's domain name.
	DomainNames []string
	// CertificateARN is the ARN of an ACM certificate for all DomainNames, in us-east-1 regardless
	// of the stack's region. Required with DomainNames. Without them, CloudFront's certificate is
	// used, with which it accepts TLS 1.0 too.
	CertificateARN string
	WebACLARN      string // a web ACL of AWS WAF with scope CLOUDFRONT; default: none

	// ContentSecurityPolicy replaces the sources of the directives that it names: {"connect-src":
	// {"'self'", "https://api.example.com"}}. Default: the website's own files, images in data:
	// URLs, and nothing else.
	ContentSecurityPolicy map[string][]string

	// OriginAccessControl authenticates CloudFront to the bucket with an origin access control.
	// Default: with an origin access identity, which AWS calls legacy, and which regions opened
	// after 2022 do not support (CloudFront does not deliver logs there either: ADR 16). The bucket
	// admits one of the two: while a deployment changes it, which takes CloudFront some minutes,
	// requests for files that are not cached fail.
	OriginAccessControl bool
	LogRetention        time.Duration // of all logs; default: the scope's (package defaults)
	Disposable          bool          // delete the content and the logs with the stack
}

// A Website is a bucket of files and the distribution that delivers them.
type Website struct {
	// Bucket holds the delivered files. A deployment deletes files that are not in Props.Content.
	Bucket awss3.Bucket
	// AccessLogs holds the access logs of the distribution, below cloudfront/, and of the bucket,
	// below s3/.
	AccessLogs   awss3.Bucket
	Distribution awscloudfront.Distribution

	domain string
}

// rewriteCode is the CloudFront function that rewrites the app's addresses to index.html (SPA
// fallback).
//
//go:embed rewrite.js
var rewriteCode string

const day = bucket.Day

// New declares a website under scope.
func New(scope constructs.Construct, id string, props Props) *Website {
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	defaults.Override(construct, props.LogRetention, props.Disposable)
	w := &Website{AccessLogs: bucket.NewAccessLogs(construct, "AccessLogs",
		bucket.AccessLogsProps{CloudFront: true})}
	w.Bucket = bucket.New(construct, "Bucket", bucket.Props{
		Versioned: true,
		LifecycleRules: []*awss3.LifecycleRule{
			{
				Id:                          jsii.String("ExpireNoncurrentVersions"),
				NoncurrentVersionExpiration: convert.Duration(30 * day),
				ExpiredObjectDeleteMarker:   jsii.Bool(true),
			},
			{
				Id: jsii.String("ExpireSupersededFiles"), Expiration: convert.Duration(30 * day),
				TagFilters: &map[string]any{deploywebsitefn.Superseded: "true"},
			},
		},
		AccessLogs: w.AccessLogs,
		LogPrefix:  "s3/",
	})
	origin, reader := w.origin(construct, props)
	w.Distribution = awscloudfront.NewDistribution(construct, jsii.String("Distribution"),
		w.distributionProps(construct, props, origin))
	bucket.EmptyAfter(w.AccessLogs, w.Distribution)
	if props.OriginAccessControl {
		reader = awsiam.NewServicePrincipal(jsii.String("cloudfront.amazonaws.com"),
			&awsiam.ServicePrincipalOpts{
				Conditions: &map[string]any{
					"StringEquals": map[string]any{
						"aws:SourceArn": w.Distribution.DistributionArn(),
					},
				},
			})
	}
	// With s3:ListBucket, S3 responds with 404 for a missing file; without it, 403. Listings are
	// not exposed: a URL that could request one shows index.html, and query strings do not reach
	// the bucket.
	w.Bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("s3:ListBucket"),
		Resources:  jsii.Strings(*w.Bucket.BucketArn()),
		Principals: &[]awsiam.IPrincipal{reader},
	}))
	w.domain = *w.Distribution.DistributionDomainName()
	if len(props.DomainNames) > 0 {
		w.domain = props.DomainNames[0]
	}
	w.deploy(construct, props)
	return w
}

// Origin returns the website's origin, as browsers send it in the header Origin:
// https://app.example.com.
func (w *Website) Origin() string { return "https://" + w.domain }

func (w *Website) distributionProps(
	scope constructs.Construct, props Props, origin awscloudfront.IOrigin,
) *awscloudfront.DistributionProps {
	function := awscloudfront.NewFunction(scope, jsii.String("Rewrite"),
		&awscloudfront.FunctionProps{
			Comment: jsii.String("Shows index.html at the app's URLs"),
			Code:    awscloudfront.FunctionCode_FromInline(jsii.String(rewriteCode)),
			Runtime: awscloudfront.FunctionRuntime_JS_2_0(),
		})
	distributionProps := &awscloudfront.DistributionProps{
		// Identifies the distribution in the console.
		Comment:           awscdk.Stack_Of(scope).StackName(),
		DefaultRootObject: jsii.String(deploywebsitefn.Index),
		DefaultBehavior: &awscloudfront.BehaviorOptions{
			Origin:               origin,
			AllowedMethods:       awscloudfront.AllowedMethods_ALLOW_GET_HEAD(),
			ViewerProtocolPolicy: awscloudfront.ViewerProtocolPolicy_REDIRECT_TO_HTTPS,
			Compress:             jsii.Bool(true),
			// The cache key has neither query strings nor cookies, so CloudFront does not forward
			// them: ?list-type=2 cannot list the bucket.
			CachePolicy: awscloudfront.NewCachePolicy(scope, jsii.String("CachePolicy"),
				&awscloudfront.CachePolicyProps{
					Comment: jsii.String("Follows the file's Cache-Control"),
					MinTtl:  convert.Duration(0), DefaultTtl: convert.Duration(0),
					MaxTtl:                     convert.Duration(365 * day),
					EnableAcceptEncodingBrotli: jsii.Bool(true),
					EnableAcceptEncodingGzip:   jsii.Bool(true),
				}),
			ResponseHeadersPolicy: newResponseHeaders(scope, props),
			// A function and not error responses, which would show the page instead of the errors
			// of all other behaviors, such as an API's.
			FunctionAssociations: &[]*awscloudfront.FunctionAssociation{
				{EventType: awscloudfront.FunctionEventType_VIEWER_REQUEST, Function: function},
			},
		},
		HttpVersion:   awscloudfront.HttpVersion_HTTP2_AND_3,
		EnableIpv6:    jsii.Bool(true),
		EnableLogging: jsii.Bool(true),
		LogBucket:     w.AccessLogs,
		LogFilePrefix: jsii.String("cloudfront/"),
	}
	if len(props.DomainNames) > 0 {
		distributionProps.DomainNames = convert.List(*jsii.Strings(props.DomainNames...))
		distributionProps.Certificate = awscertificatemanager.Certificate_FromCertificateArn(
			scope, jsii.String("Certificate"), jsii.String(props.CertificateARN))
		tls12 := awscloudfront.SecurityPolicyProtocol_TLS_V1_2_2021
		distributionProps.MinimumProtocolVersion = tls12
	}
	if props.WebACLARN != "" {
		distributionProps.WebAclId = jsii.String(props.WebACLARN)
	}
	return distributionProps
}

// origin returns the bucket as an origin, with a policy that lets CloudFront read objects. reader
// is the policy's principal if it is an origin access identity.
func (w *Website) origin(scope constructs.Construct, props Props) (
	origin awscloudfront.IOrigin, reader awsiam.IPrincipal,
) {
	if props.OriginAccessControl {
		control := awscloudfront.NewS3OriginAccessControl(scope, jsii.String("OriginAccessControl"),
			&awscloudfront.S3OriginAccessControlProps{
				OriginAccessControlName: convert.GlobalName(scope, "OAC"),
			})
		return awscloudfrontorigins.S3BucketOrigin_WithOriginAccessControl(w.Bucket,
			&awscloudfrontorigins.S3BucketOriginWithOACProps{
				OriginAccessControl: control,
			}), nil
	}
	identity := awscloudfront.NewOriginAccessIdentity(scope, jsii.String("OriginAccessIdentity"),
		&awscloudfront.OriginAccessIdentityProps{
			Comment: jsii.String("Reads the website's bucket"),
		})
	return awscloudfrontorigins.S3BucketOrigin_WithOriginAccessIdentity(w.Bucket,
		&awscloudfrontorigins.S3BucketOriginWithOAIProps{
			OriginAccessIdentity: identity,
		}), identity.GrantPrincipal()
}

// deploy declares the function that copies the content into the bucket.
func (w *Website) deploy(scope constructs.Construct, props Props) {
	asset := contentAsset(scope, props.Content)
	// Lambda's maximum; CloudFront usually takes a minute or two of it, and rarely ten.
	const timeout = 15 * time.Minute
	fn := gofunction.New(scope, "Deploy", gofunction.Props{
		Package:     deploywebsitefn.Package,
		Description: "Copies the website's content into its bucket",
		Timeout:     timeout,
		MemoryMiB:   1024, // for eight files at a time, of at most 50 MiB
	})
	assets := *asset.Bucket().BucketArn()
	// Includes the previous content, which no template names any more. The CDK stores all zips in
	// one folder.
	fn.AddToRolePolicy([]string{"s3:GetObject"}, assets+"/*.zip")
	fn.AddToRolePolicy([]string{"s3:ListBucket"}, assets, *w.Bucket.BucketArn())
	fn.AddToRolePolicy([]string{
		"s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging",
		"s3:DeleteObject",
	}, *w.Bucket.ArnForObjects(jsii.String("*")))
	fn.AddToRolePolicy(
		[]string{"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"},
		*w.Distribution.DistributionArn())
	content := awscdk.NewCustomResource(scope, jsii.String("Content"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::WebsiteContent"),
		ServiceToken: fn.Function.FunctionArn(),
		// CloudFormation's default is an hour
		ServiceTimeout: convert.Duration(timeout + time.Minute),
		Properties: convert.Properties(deploywebsitefn.Properties{
			BucketName: *w.Bucket.BucketName(), DistributionID: *w.Distribution.DistributionId(),
			AssetBucket: *asset.S3BucketName(), AssetKey: *asset.S3ObjectKey(),
		}),
	})
	content.Node().AddDependency(fn.Role)
}

// contentAsset declares the content as an asset. The CDK reads assets from a folder, so it copies
// the content to a temporary one.
func contentAsset(scope constructs.Construct, content fs.FS) awss3assets.Asset {
	dir, err := os.MkdirTemp("", "website-")
	if err == nil {
		err = os.CopyFS(dir, content)
	}
	if err != nil {
		panic(fmt.Errorf("website: Content: %w", err))
	}
	asset := awss3assets.NewAsset(scope, jsii.String("Asset"),
		&awss3assets.AssetProps{Path: jsii.String(dir)})
	if err := os.RemoveAll(dir); err != nil {
		panic(fmt.Errorf("website: %w", err))
	}
	return asset
}

// newResponseHeaders declares the security headers, which error responses have too.
func newResponseHeaders(
	scope constructs.Construct, props Props,
) awscloudfront.ResponseHeadersPolicy {
	override := jsii.Bool(true)
	referrerPolicy := awscloudfront.HeadersReferrerPolicy_STRICT_ORIGIN_WHEN_CROSS_ORIGIN
	permissionsPolicy := "camera=(), display-capture=(), geolocation=(), microphone=(), " +
		"payment=(), usb=()"
	return awscloudfront.NewResponseHeadersPolicy(scope, jsii.String("ResponseHeaders"),
		&awscloudfront.ResponseHeadersPolicyProps{
			ResponseHeadersPolicyName: convert.GlobalName(scope, "ResponseHeaders"),
			Comment:                   jsii.String("Security headers of the website"),
			SecurityHeadersBehavior: &awscloudfront.ResponseSecurityHeadersBehavior{
				ContentSecurityPolicy: &awscloudfront.ResponseHeadersContentSecurityPolicy{
					ContentSecurityPolicy: jsii.String(
						contentSecurityPolicy(props.ContentSecurityPolicy)),
					Override: override,
				},
				ContentTypeOptions: &awscloudfront.ResponseHeadersContentTypeOptions{
					Override: override,
				},
				FrameOptions: &awscloudfront.ResponseHeadersFrameOptions{
					FrameOption: awscloudfront.HeadersFrameOption_DENY, Override: override,
				},
				ReferrerPolicy: &awscloudfront.ResponseHeadersReferrerPolicy{
					ReferrerPolicy: referrerPolicy,
					Override:       override,
				},
				StrictTransportSecurity: &awscloudfront.ResponseHeadersStrictTransportSecurity{
					AccessControlMaxAge: convert.Duration(365 * day),
					IncludeSubdomains:   jsii.Bool(true), Override: override,
				},
			},
			CustomHeadersBehavior: &awscloudfront.ResponseCustomHeadersBehavior{
				CustomHeaders: &[]*awscloudfront.ResponseCustomHeader{{
					Header:   jsii.String("Permissions-Policy"),
					Value:    jsii.String(permissionsPolicy),
					Override: override,
				}},
			},
		})
}

// contentSecurityPolicy returns the default policy, with directives replacing its own.
func contentSecurityPolicy(directives map[string][]string) string {
	all := map[string][]string{
		"default-src":     {"'none'"},
		"base-uri":        {"'none'"},
		"connect-src":     {"'self'"},
		"font-src":        {"'self'"},
		"form-action":     {"'self'"},
		"frame-ancestors": {"'none'"},
		"img-src":         {"'self'", "data:"}, // bundlers inline small images into the style sheet
		"manifest-src":    {"'self'"},
		"script-src":      {"'self'"},
		"style-src":       {"'self'"},
		"worker-src":      {"'self'"},
	}
	maps.Copy(all, directives)
	var parts []string
	for _, directive := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, directive+" "+strings.Join(all[directive], " "))
	}
	return strings.Join(parts, "; ")
}

var (
	certificatePattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]+$`)
	webACLPattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:wafv2:us-east-1:[0-9]{12}:global/webacl/[^/]+/[0-9a-f-]+$`)
	domainPattern = regexp.MustCompile(
		`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$`)
	directivePattern = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
)

func (p Props) check(id string) {
	// The value of a token is not known at synthesis.
	malformedARN := func(arn string, pattern *regexp.Regexp) bool {
		return arn != "" && !*awscdk.Token_IsUnresolved(arn) && !pattern.MatchString(arn)
	}
	problems := []error{
		check.Required("Content", p.Content != nil, "pass an embed.FS, or os.DirFS of the folder"),
		check.That("CertificateARN", fmt.Sprintf("%q", p.CertificateARN),
			!malformedARN(p.CertificateARN, certificatePattern),
			"the ARN of an ACM certificate in us-east-1, which CloudFront requires"),
		check.That("CertificateARN", fmt.Sprintf("%q", p.CertificateARN),
			(p.CertificateARN == "") == (len(p.DomainNames) == 0),
			"a certificate for the DomainNames, or neither"),
		check.That("WebACLARN", fmt.Sprintf("%q", p.WebACLARN),
			!malformedARN(p.WebACLARN, webACLPattern),
			"the ARN of a web ACL with scope CLOUDFRONT, which is in us-east-1"),
	}
	if p.Content != nil {
		_, err := fs.Stat(p.Content, deploywebsitefn.Index)
		problems = append(problems,
			check.That("Content", err, !errors.Is(err, fs.ErrNotExist),
				"an "+deploywebsitefn.Index))
	}
	for i, name := range p.DomainNames {
		problems = append(problems, check.That(fmt.Sprintf("DomainNames[%d]", i), name,
			domainPattern.MatchString(name), "a domain name such as app.example.com"))
	}
	for _, directive := range slices.Sorted(maps.Keys(p.ContentSecurityPolicy)) {
		sources := p.ContentSecurityPolicy[directive]
		malformed := func(source string) bool {
			return source == "" || strings.ContainsAny(source, " \t\r\n;,")
		}
		valid := directivePattern.MatchString(directive) &&
			len(sources) > 0 && !slices.ContainsFunc(sources, malformed)
		problems = append(problems, check.That(fmt.Sprintf("ContentSecurityPolicy[%s]", directive),
			sources, valid, "a directive with at least one source, one per item"))
	}
	check.Props("website", id, problems...)
}
