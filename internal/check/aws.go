package check

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	// A zone of a region, not a Local Zone or a Wavelength Zone, which few services have.
	zonePattern        = regexp.MustCompile(`^([a-z]{2}(?:-[a-z]+)+-[0-9])[a-z]$`)
	certificatePattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:acm:([a-z0-9-]+):([0-9]{12}):certificate/[0-9a-f-]+$`)
	webACLPattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:wafv2:us-east-1:[0-9]{12}:global/webacl/[^/]+/[0-9a-f-]+$`)
	quickSightPattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:quicksight:[a-z0-9-]+:([0-9]{12}):(user|group)/[^/*]+/[^*]+$`)
	secretNamePattern = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)
)

// Account accepts the number of an AWS account: "View AWS account identifiers" in the AWS Account
// Management Reference Guide.
func Account(prop, account string) error {
	return text(prop, account, hasToken(account) || accountPattern.MatchString(account),
		"12 digits")
}

// Region accepts the code of a region: "AWS Regions" in the AWS General Reference.
func Region(prop, region string) error {
	return text(prop, region, hasToken(region) || regionPattern.MatchString(region),
		"a region such as eu-central-1")
}

// MaxZones is the number of Availability Zones that the network's addresses are laid out for.
const MaxZones = 3

// Zones accepts the names of two or three Availability Zones of the region, without duplicates
// ("Regions and Zones" in the Amazon EC2 User Guide). RDS requires subnets in two: "Working with a
// DB instance in a VPC" in the Amazon RDS User Guide. If the region is empty or a CDK token, it is
// not known: then all zones must be of the same one.
func Zones(prop string, zones []string, region string) error {
	problems := []error{
		That(prop, zones, len(zones) >= 2 && len(zones) <= MaxZones,
			fmt.Sprintf("2 or %d", MaxZones)),
	}
	for i, zone := range zones {
		if hasToken(zone) {
			continue
		}
		match := zonePattern.FindStringSubmatch(zone)
		if match != nil && (region == "" || hasToken(region)) {
			region = match[1]
		}
		ok := match != nil && match[1] == region && !slices.Contains(zones[:i], zone)
		of := " of the region " + region
		if region == "" || hasToken(region) {
			of = " such as eu-central-1a"
		}
		problems = append(problems,
			text(fmt.Sprintf("%s[%d]", prop, i), zone, ok, "a zone"+of+", without duplicates"))
	}
	return errors.Join(problems...)
}

// CertificateARN accepts the ARN of an ACM certificate of a region and an account; empty, or a CDK
// token, means any. CloudFront requires us-east-1: "Requirements for using SSL/TLS certificates
// with CloudFront" in the Amazon CloudFront Developer Guide.
func CertificateARN(prop, arn, region, account string) error {
	match := certificatePattern.FindStringSubmatch(arn)
	ok := hasToken(arn) ||
		match != nil && isOrAny(match[1], region) && isOrAny(match[2], account)
	want := "the ARN of an ACM certificate"
	if region != "" && !hasToken(region) {
		want += " in " + region
	}
	if account != "" && !hasToken(account) {
		want += " of the account " + account
	}
	return text(prop, arn, ok, want)
}

func isOrAny(value, want string) bool {
	return want == "" || hasToken(want) || value == want
}

// WebACLARN accepts the ARN of a web ACL for CloudFront: CreateWebACL in the AWS WAF API Reference.
func WebACLARN(prop, arn string) error {
	return text(prop, arn, hasToken(arn) || webACLPattern.MatchString(arn),
		"the ARN of a web ACL with scope CLOUDFRONT, which is in us-east-1")
}

// QuickSightPrincipal accepts the ARN of a QuickSight user or group of an account; empty, or a CDK
// token, means any. Their region is that of the account's QuickSight identities: "Resource types
// defined by Amazon QuickSight" in the Service Authorization Reference.
func QuickSightPrincipal(prop, arn, account string) error {
	match := quickSightPattern.FindStringSubmatch(arn)
	want := "the ARN of a QuickSight user or group"
	if account != "" && !hasToken(account) {
		want += " of the account " + account
	}
	return text(prop, arn, hasToken(arn) || match != nil && isOrAny(match[1], account), want)
}

// SecretName accepts the name, not the ARN, of a secret: CreateSecret in the AWS Secrets Manager
// API Reference.
func SecretName(prop, name string) error {
	return text(prop, name, hasToken(name) || secretNamePattern.MatchString(name),
		"the name, not the ARN, of a secret")
}

// logRetentionDays are the only values that CloudWatch Logs accepts: PutRetentionPolicy in its API
// Reference.
var logRetentionDays = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180,
	365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

// LogRetention accepts the retention of a log group: one of CloudWatch's steps.
func LogRetention(prop string, retention time.Duration) error {
	return That(prop, retention,
		retention%day == 0 && slices.Contains(logRetentionDays, int(retention/day)),
		fmt.Sprintf("one of CloudWatch's steps, in days: %s",
			strings.Trim(fmt.Sprint(logRetentionDays), "[]")))
}
