package stacks

import (
	"net/url"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/website"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/web"
)

// Website is the stack of the web client.
type Website struct {
	Origin  string   // of its pages: https://app.example.com
	Origins []string // web origins that may use the platform from a browser, including Origin
}

// NewWebsite declares the web client's website.
func NewWebsite(stage awscdk.Stage, env environments.Environment) *Website {
	stack := newStack(stage, "Website", "Web client, delivered by CloudFront")
	props := website.Props{
		Content:               web.Placeholder(),
		CertificateARN:        env.WebsiteCertificateARN,
		ContentSecurityPolicy: contentSecurityPolicy(stack, env),
	}
	if env.WebsiteCertificateARN != "" {
		for _, origin := range env.WebOrigins {
			u, err := url.Parse(origin)
			if err != nil {
				panic(err) // the environment has been validated
			}
			props.DomainNames = append(props.DomainNames, u.Host)
		}
	}
	site := website.New(stack, "Website", props)
	// With a certificate, no other stack uses this value, but the other stacks are deployed after
	// this one: without the explicit export, CloudFormation would reject the change that adds the
	// first certificate. See ADR 5.
	stack.ExportValue(site.Distribution.DistributionDomainName(), nil)
	output(stack, "WebsiteURL", "URL of the website, without a slash at the end",
		jsii.String(site.Origin()))
	output(stack, "WebsiteDomain", "CloudFront domain that the website's DNS records must point to",
		site.Distribution.DistributionDomainName())
	origins := env.WebOrigins
	if env.WebsiteCertificateARN == "" {
		origins = append([]string{site.Origin()}, origins...)
	}
	return &Website{Origin: site.Origin(), Origins: origins}
}

// contentSecurityPolicy returns the sources that the client needs besides its own files. The stacks
// below depend on the website's origin, so the website cannot depend on their URLs: those of the
// API, the buckets and the pictures are patterns by service and region.
func contentSecurityPolicy(stack awscdk.Stack, env environments.Environment) map[string][]string {
	region := *stack.Region()
	return map[string][]string{
		"connect-src": {
			"'self'",
			"https://*.execute-api." + region + ".amazonaws.com",
			"https://cognito-idp." + region + ".amazonaws.com",
			"https://cognito-identity." + region + ".amazonaws.com",
			"https://" + env.SignInDomain + "-" + *stack.Account() + ".auth." + region +
				".amazoncognito.com",
			"https://*.s3." + region + ".amazonaws.com",
			"https://*.s3-accelerate.amazonaws.com",
		},
		// blob: for previews before upload
		"img-src": {"'self'", "data:", "blob:", "https://*.cloudfront.net"},
	}
}
