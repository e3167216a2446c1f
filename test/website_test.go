package test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/website"
	"github.com/ashlar-cdk/ashlar/environments"
	deploywebsitefn "github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
	"github.com/ashlar-cdk/ashlar/stacks"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// content is the smallest valid content of a website.
var content = fstest.MapFS{"index.html": {Data: []byte("<h1>Ashlar</h1>")}}

// distributionOf returns a function that returns the value at a path into the configuration of the
// stack's distribution.
func distributionOf(t *testing.T, stack assembly.Stack) func(path ...any) any {
	t.Helper()
	distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
	return func(path ...any) any {
		return distribution.At(append([]any{"DistributionConfig"}, path...)...)
	}
}

// bucketPermissions returns what the policy of a bucket allows: principal, actions, resource and
// condition.
func bucketPermissions(stack assembly.Stack, bucket string) [][]any {
	var found [][]any
	for _, policy := range stack.Template.OfType("AWS::S3::BucketPolicy") {
		for _, s := range oneOrMore(policy.At("PolicyDocument", "Statement")) {
			if assembly.Refers(policy.At("Bucket")) == bucket &&
				assembly.At(s, "Effect") == "Allow" {
				found = append(found, []any{
					assembly.At(s, "Principal"), assembly.At(s, "Action"),
					assembly.At(s, "Resource"), assembly.At(s, "Condition"),
				})
			}
		}
	}
	return found
}

func TestOnlyTheOriginAccessIdentityReadsTheWebsitesBucket(t *testing.T) {
	forEachEnvironment(t, "Website", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		bucket := only(t, stack, "AWS::S3::Bucket", "WebsiteBucket").ID
		identity := only(t, stack, "AWS::CloudFront::CloudFrontOriginAccessIdentity", "").ID
		arn := map[string]any{"Fn::GetAtt": []any{bucket, "Arn"}}
		reader := map[string]any{
			"CanonicalUser": map[string]any{"Fn::GetAtt": []any{identity, "S3CanonicalUserId"}},
		}
		want := [][]any{
			{reader, "s3:GetObject", map[string]any{"Fn::Join": []any{"", []any{arn, "/*"}}}, nil},
			{reader, "s3:ListBucket", arn, nil},
		}
		if diff := cmp.Diff(want, bucketPermissions(stack, bucket)); diff != "" {
			t.Errorf("the bucket's policy allows (-want +got):\n%s", diff)
		}
		origins := oneOrMore(distributionOf(t, stack)("Origins"))
		if len(origins) != 1 || assembly.Refers(assembly.At(origins[0], "DomainName")) != bucket ||
			assembly.Refers(
				assembly.At(origins[0], "S3OriginConfig", "OriginAccessIdentity", "Fn::Join", 1, 1),
			) != identity {
			t.Errorf("origins %s, want the bucket, read by the identity", text(origins))
		}
	})
}

func TestOriginAccessControlReplacesTheIdentity(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		website.New(stack, "Website", website.Props{Content: content, OriginAccessControl: true})
	})
	identities := stack.Template.OfType("AWS::CloudFront::CloudFrontOriginAccessIdentity")
	if len(identities) > 0 {
		t.Errorf("there is also the origin access identity %s", identities[0].ID)
	}
	control := only(t, stack, "AWS::CloudFront::OriginAccessControl", "")
	for property, value := range map[string]string{
		"OriginAccessControlOriginType": "s3", "SigningBehavior": "always",
		"SigningProtocol": "sigv4",
	} {
		want(t, control, value, "OriginAccessControlConfig", property)
	}
	used := assembly.Refers(distributionOf(t, stack)("Origins", 0, "OriginAccessControlId"))
	if used != control.ID {
		t.Errorf("the origin uses %q, want %s", used, control.ID)
	}
	bucket := only(t, stack, "AWS::S3::Bucket", "WebsiteBucket").ID
	distribution := only(t, stack, "AWS::CloudFront::Distribution", "").ID
	allowed := bucketPermissions(stack, bucket)
	var actions []any
	for _, a := range allowed {
		source := text(assembly.At(a[3], "StringEquals"))
		if text(a[0]) != `{"Service":"cloudfront.amazonaws.com"}` ||
			!strings.Contains(source, `{"Ref":"`+distribution+`"}`) {
			t.Errorf("%s is allowed %s if %s, want only the distribution", text(a[0]), a[1],
				text(a[3]))
		}
		actions = append(actions, a[1])
	}
	if diff := cmp.Diff([]any{"s3:GetObject", "s3:ListBucket"}, actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestTheWebsiteIsReadOverTLSAndHTTP3(t *testing.T) {
	forEachEnvironment(t, "Website",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
			for property, value := range map[string]any{
				"ViewerProtocolPolicy": "redirect-to-https",
				"AllowedMethods":       []any{"GET", "HEAD"},
				"Compress":             true,
			} {
				want(t, distribution, value, "DistributionConfig", "DefaultCacheBehavior", property)
			}
			for property, value := range map[string]any{
				"HttpVersion": "http2and3", "IPV6Enabled": true, "Enabled": true,
				"DefaultRootObject": "index.html",
			} {
				want(t, distribution, value, "DistributionConfig", property)
			}
		})
}

// TestErrorsOfOtherBehaviorsAreNotRewritten: error responses would replace the errors of an API
// behind the same distribution by index.html, and the function would rewrite its requests.
func TestErrorsOfOtherBehaviorsAreNotRewritten(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		s := website.New(stack, "Website", website.Props{Content: content})
		s.Distribution.AddBehavior(jsii.String("/api/*"),
			awscloudfrontorigins.NewHttpOrigin(jsii.String("api.example.com"), nil),
			&awscloudfront.AddBehaviorOptions{})
	})
	configuration := distributionOf(t, stack)
	function := only(t, stack, "AWS::CloudFront::Function", "").ID
	used := configuration("DefaultCacheBehavior", "FunctionAssociations")
	if len(oneOrMore(used)) != 1 || assembly.At(used, 0, "EventType") != "viewer-request" ||
		assembly.Refers(assembly.At(used, 0, "FunctionARN")) != function {
		t.Errorf("functions %s, want %s for viewer requests", text(used), function)
	}
	others := oneOrMore(configuration("CacheBehaviors"))
	if len(others) != 1 || assembly.At(others[0], "FunctionAssociations") != nil {
		t.Errorf("other behaviors %s, want one without functions", text(others))
	}
	if responses := configuration("CustomErrorResponses"); responses != nil {
		t.Errorf("error responses %s, want none", text(responses))
	}
	forEachEnvironment(t, "Website",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			if responses := distributionOf(t, stack)("CustomErrorResponses"); responses != nil {
				t.Errorf("error responses %s, want none", text(responses))
			}
		})
}

// TestAppURLsAreRewrittenToIndexHTMLAndFilesAreNot runs the deployed function in Node.js,
// with events as in "Event structure" in the Amazon CloudFront Developer Guide.
func TestAppURLsAreRewrittenToIndexHTMLAndFilesAreNot(t *testing.T) {
	function := only(t, platforms["Prod"]["Website"], "AWS::CloudFront::Function", "")
	want(t, function, "cloudfront-js-2.0", "FunctionConfig", "Runtime")
	want(t, function, true, "AutoPublish")
	code := function.At("FunctionCode").(string)
	if !strings.Contains(code, "'/"+deploywebsitefn.HashedPrefix+"'") {
		t.Errorf("the function does not contain /%s", deploywebsitefn.HashedPrefix)
	}
	const page = "/index.html"
	shown := map[string]string{
		"/":                       page,
		"/posts":                  page,
		"/posts/":                 page,
		"/posts/42/comments":      page,
		"/v1.2/about":             page,
		"/users/jane%2Edoe":       page,
		"/caf%C3%A9/%F0%9F%8D%B0": page,
		"/a%2Fb.js/c":             page,
		"//":                      page,
		"/..":                     "/..",
		"/well-known/thing":       page,
		"/assetsnot/thing":        page,
		"/index.html":             page,
		"/docs/index.html":        "/docs/index.html",
		"/favicon.ico":            "/favicon.ico",
		"/missing.js":             "/missing.js",
		"/images/a%20b.png":       "/images/a%20b.png",
		"/assets/app-07e0b3df.js": "/assets/app-07e0b3df.js",
		"/assets/LICENCE":         "/assets/LICENCE",
		"/assets/":                "/assets/",
		"/.well-known/apple-app-site-association": "/.well-known/apple-app-site-association",
		"/.well-known/assetlinks.json":            "/.well-known/assetlinks.json",
		"/.env":                                   "/.env",
		"/.git/config":                            page,
	}
	const requestID = "EXAMPLEntjQpEXAMPLE_SG5Z-EXAMPLEPmPfEXAMPLEu3EqEXAMPLE=="
	var events []map[string]any
	uris := []string{}
	for uri := range shown {
		uris = append(uris, uri)
		events = append(events, map[string]any{
			"version": "1.0",
			"context": map[string]any{
				"distributionDomainName": "d111111abcdef8.cloudfront.net",
				"distributionId":         "E1EXAMPLE",
				"eventType":              "viewer-request",
				"requestId":              requestID,
			},
			"viewer": map[string]any{"ip": "192.0.2.44"},
			"request": map[string]any{
				"method": "GET", "uri": uri,
				"querystring": map[string]any{"page": map[string]any{"value": "2"}},
				"headers":     map[string]any{"host": map[string]any{"value": "app.example.com"}},
				"cookies":     map[string]any{},
			},
		})
	}
	const run = `const [, code, events] = process.argv;
const handler = new Function(code + '; return handler')();
process.stdout.write(JSON.stringify(JSON.parse(events).map((event) => handler(event))));`
	output, err := exec.Command("node", "-e", run, "--", code, text(events)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var requests []map[string]any
	if err := json.Unmarshal(output, &requests); err != nil || len(requests) != len(events) {
		t.Fatalf("%v\n%s", err, output)
	}
	for i, request := range requests {
		if request["uri"] != shown[uris[i]] {
			t.Errorf("%s is rewritten to %s, want %s", uris[i], request["uri"], shown[uris[i]])
		}
		was := events[i]["request"].(map[string]any)
		was["uri"] = request["uri"]
		if text(request) != text(was) {
			t.Errorf("%s: the request is %s, want nothing else changed", uris[i], text(request))
		}
	}
}

func TestCloudFrontCachesFilesByTheirCacheControl(t *testing.T) {
	forEachEnvironment(t, "Website", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		policy := only(t, stack, "AWS::CloudFront::CachePolicy", "")
		used := assembly.Refers(distributionOf(t, stack)("DefaultCacheBehavior", "CachePolicyId"))
		if used != policy.ID {
			t.Errorf("the cache policy is %s, want %s", used, policy.ID)
		}
		for property, value := range map[string]any{
			"MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 365 * 24 * 3600,
		} {
			want(t, policy, value, "CachePolicyConfig", property)
		}
		// No cookies, headers or query strings; with query strings, viewers could list the bucket.
		want(t, policy, map[string]any{
			"EnableAcceptEncodingBrotli": true,
			"EnableAcceptEncodingGzip":   true,
			"CookiesConfig":              map[string]any{"CookieBehavior": "none"},
			"HeadersConfig":              map[string]any{"HeaderBehavior": "none"},
			"QueryStringsConfig":         map[string]any{"QueryStringBehavior": "none"},
		}, "CachePolicyConfig", "ParametersInCacheKeyAndForwardedToOrigin")
		request := distributionOf(t, stack)("DefaultCacheBehavior", "OriginRequestPolicyId")
		if request != nil {
			t.Errorf("the origin request policy is %s, want none", text(request))
		}
	})
}

// responseHeadersPolicy returns the stack's response headers policy. The default behavior has to
// use it.
func responseHeadersPolicy(t *testing.T, stack assembly.Stack) assembly.Resource {
	t.Helper()
	policy := only(t, stack, "AWS::CloudFront::ResponseHeadersPolicy", "")
	used := assembly.Refers(
		distributionOf(t, stack)("DefaultCacheBehavior", "ResponseHeadersPolicyId"))
	if used != policy.ID {
		t.Errorf("the response headers policy is %s, want %s", used, policy.ID)
	}
	return policy
}

func TestTheWebsiteSendsSecurityHeaders(t *testing.T) {
	forEachEnvironment(t, "Website", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		headers := responseHeadersPolicy(t, stack)
		for header, value := range map[string]any{
			"ContentTypeOptions": map[string]any{"Override": true},
			"FrameOptions":       map[string]any{"FrameOption": "DENY", "Override": true},
			"ReferrerPolicy": map[string]any{
				"ReferrerPolicy": "strict-origin-when-cross-origin", "Override": true,
			},
			"StrictTransportSecurity": map[string]any{
				"AccessControlMaxAgeSec": 31536000, "IncludeSubdomains": true, "Override": true,
			},
		} {
			want(t, headers, value, "ResponseHeadersPolicyConfig", "SecurityHeadersConfig", header)
		}
		want(t, headers, []any{map[string]any{
			"Header": "Permissions-Policy", "Override": true,
			"Value": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), " +
				"usb=()",
		}}, "ResponseHeadersPolicyConfig", "CustomHeadersConfig", "Items")
		want(t, headers, true, "ResponseHeadersPolicyConfig", "SecurityHeadersConfig",
			"ContentSecurityPolicy", "Override")
	})
}

// contentSecurityPolicy returns the content security policy by directive, with "REGION" where the
// template refers to the region.
func contentSecurityPolicy(t *testing.T, stack assembly.Stack) map[string]string {
	t.Helper()
	value := responseHeadersPolicy(t, stack).At("ResponseHeadersPolicyConfig",
		"SecurityHeadersConfig", "ContentSecurityPolicy", "ContentSecurityPolicy")
	policy, ok := value.(string)
	if !ok {
		for _, part := range oneOrMore(assembly.At(value, "Fn::Join", 1)) {
			switch literal := part.(type) {
			case string:
				policy += literal
			default:
				policy += map[string]string{
					"AWS::Region": "REGION", "AWS::AccountId": "ACCOUNT",
				}[assembly.Refers(part)]
			}
		}
	}
	directives := map[string]string{}
	for _, directive := range strings.Split(policy, "; ") {
		name, sources, _ := strings.Cut(directive, " ")
		directives[name] = sources
	}
	return directives
}

func TestTheContentSecurityPolicyAllowsTheWebsitesOwnFilesAndItsServices(t *testing.T) {
	strict := map[string]string{
		"default-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'",
		"connect-src": "'self'", "font-src": "'self'", "form-action": "'self'",
		"manifest-src": "'self'",
		"script-src":   "'self'", "style-src": "'self'", "worker-src": "'self'",
		"img-src": "'self' data:",
	}
	stack := synthStack(func(stack awscdk.Stack) {
		website.New(stack, "Website", website.Props{Content: content})
	})
	if diff := cmp.Diff(strict, contentSecurityPolicy(t, stack)); diff != "" {
		t.Errorf("by default (-want +got):\n%s", diff)
	}
	forEachEnvironment(t, "Website",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			region, account := environment.Region, environment.Account
			if region == "" {
				region, account = "REGION", "ACCOUNT"
			}
			strict["connect-src"] = strings.NewReplacer("REGION", region, "ACCOUNT", account,
				"PREFIX", environment.SignInDomain).Replace("'self'" +
				" https://*.execute-api.REGION.amazonaws.com" +
				" https://cognito-idp.REGION.amazonaws.com" +
				" https://cognito-identity.REGION.amazonaws.com" +
				" https://PREFIX-ACCOUNT.auth.REGION.amazoncognito.com" +
				" https://*.s3.REGION.amazonaws.com" +
				" https://*.s3-accelerate.amazonaws.com")
			strict["img-src"] = "'self' data: blob: https://*.cloudfront.net"
			if diff := cmp.Diff(strict, contentSecurityPolicy(t, stack)); diff != "" {
				t.Errorf("content security policy (-want +got):\n%s", diff)
			}
		})
}

func TestTheWebsiteAndItsBucketAreLogged(t *testing.T) {
	forEachEnvironment(t, "Website",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			logs := only(t, stack, "AWS::S3::Bucket", "WebsiteAccessLogs")
			want(t, logs, []any{
				map[string]any{
					"Id": "ExpireLogs", "Status": "Enabled",
					"ExpirationInDays": environment.LogRetention.Hours() / 24,
				},
				map[string]any{
					"Id": "AbortIncompleteUploads", "Status": "Enabled",
					"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1},
				},
			}, "LifecycleConfiguration", "Rules")
			logging := distributionOf(t, stack)("Logging")
			if assembly.Refers(assembly.At(logging, "Bucket")) != logs.ID ||
				assembly.At(logging, "Prefix") != "cloudfront/" ||
				assembly.At(logging, "IncludeCookies") == true {
				t.Errorf("the distribution logs to %s, want cloudfront/ of %s, without cookies",
					text(logging), logs.ID)
			}
			want(t, only(t, stack, "AWS::S3::Bucket", "WebsiteBucket"), map[string]any{
				"DestinationBucketName": map[string]any{"Ref": logs.ID}, "LogFilePrefix": "s3/",
			}, "LoggingConfiguration")
		})
}

func TestPreviousFilesExpireAfterAMonth(t *testing.T) {
	forEachEnvironment(t, "Website", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		bucket := only(t, stack, "AWS::S3::Bucket", "WebsiteBucket")
		want(t, bucket, "Enabled", "VersioningConfiguration", "Status")
		want(t, bucket, []any{
			map[string]any{
				"Id": "ExpireNoncurrentVersions", "Status": "Enabled",
				"ExpiredObjectDeleteMarker":   true,
				"NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 30},
			},
			map[string]any{
				"Id": "ExpireSupersededFiles", "Status": "Enabled", "ExpirationInDays": 30,
				"TagFilters": []any{
					map[string]any{"Key": deploywebsitefn.Superseded, "Value": "true"},
				},
			},
			map[string]any{
				"Id": "AbortIncompleteUploads", "Status": "Enabled",
				"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1},
			},
		}, "LifecycleConfiguration", "Rules")
	})
}

// TestLoggingResourcesAreDeletedBeforeTheirLogs: a log written after a disposable bucket was
// emptied would fail its deletion.
func TestLoggingResourcesAreDeletedBeforeTheirLogs(t *testing.T) {
	stack := platforms["Dev"]["Website"]
	emptied := only(t, stack, "Custom::EmptyBucket", "WebsiteAccessLogsEmptyOnDelete").ID
	for _, writer := range []assembly.Resource{
		only(t, stack, "AWS::CloudFront::Distribution", ""),
		only(t, stack, "AWS::S3::Bucket", "WebsiteBucket"),
	} {
		if !slices.Contains(oneOrMore(writer.DependsOn), any(emptied)) {
			t.Errorf("%s depends on %s, want it to depend on %s", writer.ID, text(writer.DependsOn),
				emptied)
		}
	}
}

// TestDisposableBucketsAreEmptiedAndNoOthers checks the tag, the function and the custom resource
// of each bucket.
func TestDisposableBucketsAreEmptiedAndNoOthers(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		emptied := map[string]bool{}
		for _, resource := range stack.Template.OfType("Custom::EmptyBucket") {
			bucket := assembly.Refers(resource.At("BucketName"))
			emptied[bucket] = true
			function := stack.Template.Resources[assembly.Refers(resource.At("ServiceToken"))]
			for _, s := range statements(t, stack) {
				role := assembly.Refers(stack.Template.Resources[s.resource].At("Roles", 0))
				if role != assembly.Refers(function.At("Role")) {
					continue
				}
				for _, action := range s.actions {
					if strings.HasPrefix(action, "s3:") && (len(s.resources) != 1 ||
						!strings.Contains(text(s.resources[0]),
							`{"Fn::GetAtt":["`+bucket+`","Arn"]}`)) {
						t.Errorf("%s may %s on %s, want only on %s", function.ID, action,
							text(s.resources), bucket)
					}
				}
			}
		}
		for _, bucket := range stack.Template.OfType("AWS::S3::Bucket") {
			tagged := strings.Contains(text(bucket.At("Tags")),
				`{"Key":"ashlar:DeletedWithStack","Value":"true"}`)
			if emptied[bucket.ID] != disposable(stack) || tagged != disposable(stack) {
				t.Errorf("%s: emptied %t, tagged %t, want both to be %t", bucket.ID,
					emptied[bucket.ID], tagged, disposable(stack))
			}
		}
	})
}

// TestADeploymentChangesItsOwnWebsiteOnly checks the function's permissions and their resources.
func TestADeploymentChangesItsOwnWebsiteOnly(t *testing.T) {
	forEachEnvironment(t, "Website", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		bucket := `{"Fn::GetAtt":["` + only(t, stack, "AWS::S3::Bucket", "WebsiteBucket").ID +
			`","Arn"]}`
		distribution := `:distribution/",{"Ref":"` +
			only(t, stack, "AWS::CloudFront::Distribution", "").ID + `"}]]}`
		role := assembly.Refers(only(t, stack, "AWS::Lambda::Function", "WebsiteDeploy").At("Role"))
		assets := regexp.MustCompile(`cdk-hnb659fds-assets-[^/]*/\*\.zip"`)
		for _, s := range statements(t, stack) {
			if assembly.Refers(stack.Template.Resources[s.resource].At("Roles", 0)) != role {
				continue
			}
			for _, action := range s.actions {
				for _, on := range s.resources {
					switch service, _, _ := strings.Cut(action, ":"); {
					case service == "logs", service == "xray", action == "s3:ListBucket":
					case service == "cloudfront" && strings.HasSuffix(text(on), distribution):
					case service == "s3" && text(on) == `{"Fn::Join":["",[`+bucket+`,"/*"]]}`:
					case action == "s3:GetObject" && assets.MatchString(text(on)):
					default:
						t.Errorf("the function may %s on %s", action, text(on))
					}
				}
			}
		}
	})
}

func TestTheWebsiteHasTheDomainOfTheWebClient(t *testing.T) {
	forEachEnvironment(t, "Website",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			distribution := only(t, stack, "AWS::CloudFront::Distribution", "")
			own := map[string]any{"Fn::GetAtt": []any{distribution.ID, "DomainName"}}
			url := any(map[string]any{"Fn::Join": []any{"", []any{"https://", own}}})
			if environment.WebsiteCertificateARN == "" {
				want(t, distribution, nil, "DistributionConfig", "Aliases")
				want(t, distribution, nil, "DistributionConfig", "ViewerCertificate")
			} else {
				hosts := []string{}
				for _, origin := range environment.WebOrigins {
					hosts = append(hosts, strings.TrimPrefix(origin, "https://"))
				}
				url = environment.WebOrigins[0]
				want(t, distribution, hosts, "DistributionConfig", "Aliases")
				want(t, distribution, map[string]any{
					"AcmCertificateArn":      environment.WebsiteCertificateARN,
					"MinimumProtocolVersion": "TLSv1.2_2021", "SslSupportMethod": "sni-only",
				}, "DistributionConfig", "ViewerCertificate")
			}
			if got := stack.Template.Outputs["WebsiteURL"]["Value"]; text(got) != text(url) {
				t.Errorf("the URL is %s, want %s", text(got), text(url))
			}
			if got := stack.Template.Outputs["WebsiteDomain"]["Value"]; text(got) != text(own) {
				t.Errorf("CloudFront's name is %s, want %s", text(got), text(own))
			}
		})
}

// TestAFirstCertificateCanBeDeployed: CloudFormation refuses to delete an export that another stack
// imports.
func TestAFirstCertificateCanBeDeployed(t *testing.T) {
	forEachEnvironment(t, "Website",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			domain := map[string]any{"Fn::GetAtt": []string{
				only(t, stack, "AWS::CloudFront::Distribution", "").ID, "DomainName",
			}}
			if !exports(stack, domain) {
				t.Errorf("%s is not exported", text(domain))
			}
		})
}

func TestTheOriginsAreTheWebsitesAndTheEnvironments(t *testing.T) {
	for _, environment := range environments.All() {
		app := newApp()
		stage := awscdk.NewStage(app, jsii.String(environment.Name), nil)
		website := stacks.NewWebsite(stage, environment)
		want := environment.WebOrigins
		if environment.WebsiteCertificateARN == "" {
			construct := stage.Node().FindChild(jsii.String("Website")).Node().FindChild(
				jsii.String("Website"))
			distribution := construct.Node().FindChild(
				jsii.String("Distribution")).(awscloudfront.Distribution)
			want = append([]string{"https://" + *distribution.DistributionDomainName()}, want...)
		}
		if !slices.Equal(website.Origins, want) || website.Origin != want[0] {
			t.Errorf("%s: origin %q, origins %q, want %q", environment.Name, website.Origin,
				website.Origins, want)
		}
	}
}

func TestAWebACLProtectsTheWebsiteIfOneIsPassed(t *testing.T) {
	const acl = "arn:aws:wafv2:us-east-1:111111111111:global/webacl/Website/" +
		"00000000-0000-4000-8000-000000000001"
	stack := synthStack(func(stack awscdk.Stack) {
		website.New(stack, "Website", website.Props{Content: content, WebACLARN: acl})
	})
	if got := distributionOf(t, stack)("WebACLId"); got != acl {
		t.Errorf("the web ACL is %v, want %s", got, acl)
	}
	if got := distributionOf(t, platforms["Prod"]["Website"])("WebACLId"); got != nil {
		t.Errorf("the web ACL is %v, want none", got)
	}
}

// TestAChangedFileStartsADeployment: CloudFormation invokes the function only when the asset's name
// changes.
func TestAChangedFileStartsADeployment(t *testing.T) {
	asset := func(content fstest.MapFS) string {
		stack := synthStack(func(stack awscdk.Stack) {
			website.New(stack, "Website", website.Props{Content: content})
		})
		deployment := only(t, stack, "Custom::WebsiteContent", "")
		bucket := only(t, stack, "AWS::S3::Bucket", "WebsiteBucket").ID
		distribution := only(t, stack, "AWS::CloudFront::Distribution", "").ID
		want(t, deployment, map[string]any{"Ref": bucket}, "BucketName")
		want(t, deployment, map[string]any{"Ref": distribution}, "DistributionID")
		want(t, deployment, "960", "ServiceTimeout")
		return deployment.At("AssetKey").(string)
	}
	first, again := asset(content), asset(content)
	changed := asset(fstest.MapFS{"index.html": {Data: []byte("<h1>Ashler</h1>")}})
	added := asset(
		fstest.MapFS{"index.html": content["index.html"], "assets/a.js": {Data: []byte("a()")}})
	if !regexp.MustCompile(`^[0-9a-f]{64}\.zip$`).MatchString(first) || first != again {
		t.Errorf("assets %s and %s, want the same zip", first, again)
	}
	if changed == first || added == first || added == changed {
		t.Errorf("assets %s, %s and %s, want three", first, changed, added)
	}
}

func TestWebsitePropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) { website.New(stack, "Website", website.Props{}) },
		"website: Website: Content is required; pass an embed.FS, or os.DirFS of the folder")
	wantPanic(t, func(stack awscdk.Stack) {
		website.New(stack, "Website", website.Props{
			Content: fstest.MapFS{"readme.txt": {}},
			DomainNames: []string{
				"app.example.com", "*.example.com", "https://example.com", "app.example.com",
			},
		})
	},
		"website: Website: Content: open index.html: file does not exist, want an index.html",
		`website: Website: DomainNames[1]: "*.example.com", want a domain name such as `+
			"app.example.com",
		`website: Website: DomainNames[2]: "https://example.com", want a domain name such as `+
			"app.example.com",
		`website: Website: DomainNames[3]: "app.example.com", want no duplicates`,
		`website: Website: CertificateARN: "", want a certificate for the DomainNames, or neither`)
	wantPanic(t, func(stack awscdk.Stack) {
		website.New(stack, "Website", website.Props{Content: fstest.MapFS{
			"index.html": {},
			"config.js":  {Data: []byte("const suffix = '${Token[AWS.URLSuffix.7]}'")},
		}})
	},
		"website: Website: Content[config.js]: has the CDK token ${Token[AWS.URLSuffix.7]}, which "+
			"stays as it is; write a value that is known at synthesis, or let the app request it")
	const (
		id          = "00000000-0000-4000-8000-000000000001"
		certificate = "arn:aws:acm:eu-central-1:111111111111:certificate/" + id
		acl         = "arn:aws:wafv2:us-east-1:111111111111:regional/webacl/Website/" + id
		source      = ", want one source: an origin, a scheme with its colon, or a keyword in " +
			"quotes"
	)
	wantPanic(t, func(stack awscdk.Stack) {
		website.New(stack, "Website", website.Props{
			Content: content, DomainNames: []string{"app.example.com"},
			CertificateARN: certificate, WebACLARN: acl,
			ContentSecurityPolicy: map[string][]string{
				"script-src": {"'self' 'unsafe-inline'"}, "img-src": {"'self';"}, "style-src": {},
				"Font-Src": {"'self'"}, "connect-src": {"'self'"}, "worker-src": {"self"},
			},
		})
	},
		`website: Website: CertificateARN: "`+certificate+`", want the ARN of an ACM `+
			"certificate in us-east-1",
		`website: Website: WebACLARN: "`+acl+`", want the ARN of a web ACL with scope `+
			"CLOUDFRONT, which is in us-east-1",
		`website: Website: ContentSecurityPolicy[Font-Src]: "Font-Src", want a directive such as `+
			"connect-src",
		`website: Website: ContentSecurityPolicy[img-src][0]: "'self';"`+source,
		`website: Website: ContentSecurityPolicy[script-src][0]: "'self' 'unsafe-inline'", want a `+
			"keyword, a nonce or a hash in quotes, such as 'self'",
		"website: Website: ContentSecurityPolicy[style-src]: no sources, want at least one, such "+
			"as 'self'",
		`website: Website: ContentSecurityPolicy[worker-src][0]: "self", want it in quotes: 'self'`)
}
