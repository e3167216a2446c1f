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
	Origins []string // whose pages may use the platform from a browser; Origin is one of them
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
	// With a certificate, no other stack uses it any more, but they are deployed after this one: without the export,
	// CloudFormation would refuse the change that brings the first certificate. See ADR 5.
	stack.ExportValue(site.Distribution.DistributionDomainName(), nil)
	output(stack, "WebsiteURL", "Where the website is; without a slash at the end", jsii.String(site.Origin()))
	output(stack, "WebsiteDomain", "CloudFront's name of the website, where the DNS records of its own have to point", site.Distribution.DistributionDomainName())
	origins := env.WebOrigins
	if env.WebsiteCertificateARN == "" {
		origins = append([]string{site.Origin()}, origins...)
	}
	return &Website{Origin: site.Origin(), Origins: origins}
}

// contentSecurityPolicy lets the client reach what it needs besides its own files. The stacks below know the website's
// origin, so the website cannot know their addresses: the API's, the buckets' and the pictures' are said by service and
// region.
func contentSecurityPolicy(stack awscdk.Stack, env environments.Environment) map[string][]string {
	region := *stack.Region()
	return map[string][]string{
		"connect-src": {
			"'self'",
			"https://*.execute-api." + region + ".amazonaws.com",
			"https://cognito-idp." + region + ".amazonaws.com",
			"https://cognito-identity." + region + ".amazonaws.com",
			"https://" + env.SignInDomain + "-" + *stack.Account() + ".auth." + region + ".amazoncognito.com",
			"https://*.s3." + region + ".amazonaws.com",
			"https://*.s3-accelerate.amazonaws.com",
		},
		"img-src": {"'self'", "data:", "blob:", "https://*.cloudfront.net"}, // blob: is a picture before it is uploaded
	}
}
