package test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/constructs/website"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// A statement is one of an IAM policy's, with lists where IAM allows single values.
type statement struct {
	resource  string // the logical id of the policy, or of what it is attached to
	effect    string
	actions   []string
	resources []any
	document  map[string]any
}

// statements lists every statement of every policy in the stack, whatever it is attached to.
func statements(t *testing.T, stack assembly.Stack) []statement {
	t.Helper()
	var found []statement
	var walk func(id string, value any)
	walk = func(id string, value any) {
		switch value := value.(type) {
		case map[string]any:
			if list, ok := value["Statement"].([]any); ok {
				for _, each := range list {
					document, ok := each.(map[string]any)
					if !ok {
						t.Fatalf("%s: a statement is %s, want an object", id, text(each))
					}
					actions := []string{}
					for _, action := range oneOrMore(document["Action"]) {
						actions = append(actions, fmt.Sprint(action))
					}
					found = append(found, statement{
						resource: id, effect: fmt.Sprint(document["Effect"]), actions: actions,
						resources: oneOrMore(document["Resource"]), document: document,
					})
				}
			}
			for _, key := range slices.Sorted(maps.Keys(value)) {
				walk(id, value[key])
			}
		case []any:
			for _, each := range value {
				walk(id, each)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(stack.Template.Resources)) {
		walk(id, stack.Template.Resources[id].Properties)
	}
	return found
}

func oneOrMore(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	if value == nil {
		return nil
	}
	return []any{value}
}

// wildcards are the actions that are allowed on every resource, and why. A reason that is no longer needed fails the
// test as much as a wildcard without one.
var wildcards = map[string]string{
	"athena:ListDataCatalogs":         "listing knows no resources",
	"ec2:CreateNetworkInterface":      "the interface does not exist before the call; the function's code is denied it",
	"ec2:DescribeNetworkInterfaces":   "describing knows no resources",
	"ec2:DescribeSubnets":             "describing knows no resources",
	"ec2:DeleteNetworkInterface":      "the service names the interface it made; the function's code is denied it",
	"ec2:AssignPrivateIpAddresses":    "the service names the interface it made; the function's code is denied it",
	"ec2:UnassignPrivateIpAddresses":  "the service names the interface it made; the function's code is denied it",
	"redshift-data:DescribeStatement": "a statement has no ARN; a condition leaves a role its own",
	"xray:PutTraceSegments":           "traces have no resource",
	"xray:PutTelemetryRecords":        "traces have no resource",
}

func TestNoActionIsAWildcardAndResourceWildcardsHaveAReason(t *testing.T) {
	used := map[string]bool{}
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, s := range statements(t, stack) {
			if s.effect != "Allow" || stack.Template.Resources[s.resource].Type == "AWS::KMS::Key" {
				continue // a key's policy calls the key *: TestKeysAllowTheirAccountAndTheirServicesOnly
			}
			if s.document["NotAction"] != nil || s.document["NotResource"] != nil {
				t.Errorf("%s allows all but something: %s", s.resource, text(s.document))
			}
			if principal := s.document["Principal"]; principal == "*" || assembly.At(principal, "AWS") == "*" {
				t.Errorf("%s allows everybody: %s", s.resource, text(s.document))
			}
			for _, action := range s.actions {
				if strings.Contains(action, "*") {
					t.Errorf("%s allows the actions %s", s.resource, action)
				}
				for _, on := range s.resources {
					if on != "*" {
						continue
					}
					if wildcards[action] == "" {
						t.Errorf("%s allows %s on every resource, and nobody has said why", s.resource, action)
					}
					used[action] = true
				}
			}
		}
	})
	for action := range wildcards {
		if !used[action] {
			t.Errorf("nobody is allowed %s on every resource; take its reason away", action)
		}
	}
}

// serviceActions are what a function's role allows the Lambda service to do in the function's name; its code makes
// none of these calls.
var serviceActions = []string{"logs:", "xray:", "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces",
	"ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}

// TestFunctionsMayMakeTheirRecordedCallsAndNoOthers holds the roles against the calls that each function's own test
// recorded when it ran the built function.
func TestFunctionsMayMakeTheirRecordedCallsAndNoOthers(t *testing.T) {
	seen := map[string]bool{}
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
			folder := folder(t, function)
			recorded, err := os.ReadFile(filepath.Join("..", folder, "calls.txt"))
			if err != nil {
				t.Fatalf("%s: %v", function.ID, err)
			}
			made := strings.Fields(string(recorded))
			if allowed := calls(t, stack, function); !cmp.Equal(allowed, made) {
				t.Errorf("%s may make the calls %q and makes %q", function.ID, allowed, made)
			}
			seen[folder] = true
		}
	})
	err := filepath.WalkDir(filepath.Join("..", "lambdas"), func(path string, _ fs.DirEntry, err error) error {
		if folder, _ := filepath.Rel("..", filepath.Dir(path)); filepath.Base(path) == "main.go" && !seen[filepath.ToSlash(folder)] {
			t.Errorf("no environment has a function of %s", folder)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// folder returns the folder of the repository that the function is built from: lambdas/posts.
func folder(t *testing.T, function assembly.Resource) string {
	t.Helper()
	path, ok := function.Metadata[gofunction.PackageMetadata].(string)
	folder := strings.TrimPrefix(path, "github.com/ashlar-cdk/ashlar/")
	if !ok || !strings.HasPrefix(folder, "lambdas/") {
		t.Fatalf("%s is built from %q, want a package of this module below lambdas", function.ID, path)
	}
	return folder
}

// pollingActions is what Lambda does to a queue or a stream in the name of the function that gets its messages or records.
var pollingActions = []string{
	"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
	"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
}

// calls lists what the code of the function may call, and what services may do for it when it calls them.
func calls(t *testing.T, stack assembly.Stack, function assembly.Resource) []string {
	t.Helper()
	role := assembly.Refers(function.At("Role"))
	made := slices.DeleteFunc(grants(t, stack, role), isKeyUse)
	return slices.DeleteFunc(actions(made), func(action string) bool {
		return slices.ContainsFunc(serviceActions, func(prefix string) bool { return strings.HasPrefix(action, prefix) }) ||
			isPollingOnly(t, stack, function, role, action)
	})
}

// isPollingOnly tells whether the action is one by which Lambda polls, and the role allows it on nothing but what Lambda polls
// for the function.
func isPollingOnly(t *testing.T, stack assembly.Stack, function assembly.Resource, role, action string) bool {
	t.Helper()
	if !slices.Contains(pollingActions, action) {
		return false
	}
	var polled []string
	for _, mapping := range stack.Template.OfType("AWS::Lambda::EventSourceMapping") {
		if assembly.Refers(mapping.At("FunctionName")) == function.ID {
			polled = append(polled, text(mapping.At("EventSourceArn")))
		}
	}
	for _, s := range grants(t, stack, role) {
		if !slices.Contains(s.actions, action) {
			continue
		}
		for _, on := range s.resources {
			if !slices.Contains(polled, text(on)) {
				return false
			}
		}
	}
	return true
}

// isKeyUse tells whether a statement lets a role use a key through a service that encrypts by it: whether there is a key is the
// stack's affair, and the function's calls are the same without.
func isKeyUse(s statement) bool {
	return assembly.At(s.document, "Condition", "StringEquals", "kms:ViaService") != nil
}

// allowed lists the actions that a role's policies allow, each once.
func allowed(t *testing.T, stack assembly.Stack, role string) []string {
	t.Helper()
	return actions(grants(t, stack, role))
}

// grants are the statements by which a role's policies allow something.
func grants(t *testing.T, stack assembly.Stack, role string) []statement {
	t.Helper()
	return slices.DeleteFunc(statements(t, stack), func(s statement) bool {
		return s.effect != "Allow" || assembly.Refers(stack.Template.Resources[s.resource].At("Roles", 0)) != role
	})
}

// actions are those of statements, each once.
func actions(of []statement) []string {
	var names []string
	for _, s := range of {
		names = append(names, s.actions...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestOnlyAPIGatewayHasAManagedPolicy(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, role := range stack.Template.OfType("AWS::IAM::Role") {
			policies := text(role.At("ManagedPolicyArns"))
			// API Gateway takes this policy or one with the same rights on every log group.
			if policies != "null" && !strings.Contains(policies, "policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs") {
				t.Errorf("%s has the policies %s", role.ID, policies)
			}
		}
	})
}

// TestNothingIsPublic looks at every resource of a type that can be.
func TestNothingIsPublic(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, resource := range stack.Template.Resources {
			switch resource.Type {
			case "AWS::RDS::DBInstance":
				want(t, resource, false, "PubliclyAccessible")
			case "AWS::EC2::Subnet":
				want(t, resource, false, "MapPublicIpOnLaunch")
			case "AWS::EC2::SecurityGroup":
				for _, rule := range oneOrMore(resource.At("SecurityGroupIngress")) {
					if open := text(rule); strings.Contains(open, "0.0.0.0/0") || strings.Contains(open, "::/0") {
						t.Errorf("%s lets everybody in: %s", resource.ID, open)
					}
				}
			case "AWS::EC2::SecurityGroupIngress":
				if resource.At("SourceSecurityGroupId") == nil {
					t.Errorf("%s lets addresses in, want a security group", resource.ID)
				}
			case "AWS::S3::Bucket":
				for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
					want(t, resource, true, "PublicAccessBlockConfiguration", block)
				}
				ownership := "BucketOwnerEnforced" // no object has an ACL
				if receivesCloudFrontLogs(stack, resource.ID) {
					ownership = "BucketOwnerPreferred" // CloudFront's account is admitted by the bucket's ACL
				}
				want(t, resource, ownership, "OwnershipControls", "Rules", 0, "ObjectOwnership")
			case "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy":
				// A topic or a queue is public by its policy alone. It lets in services of AWS, for what is ours.
				for _, statement := range oneOrMore(resource.At("PolicyDocument", "Statement")) {
					if assembly.At(statement, "Effect") != "Deny" && !allowsOwnSource(stack, statement) {
						t.Errorf("%s lets others in: %s", resource.ID, text(statement))
					}
				}
			case "AWS::Lambda::Url":
				t.Errorf("%s is a %s, which this test does not know yet; teach it what public means there", resource.ID, resource.Type)
			}
		}
	})
}

// receivesCloudFrontLogs tells whether a distribution of the stack logs to the bucket.
func receivesCloudFrontLogs(stack assembly.Stack, bucket string) bool {
	return slices.ContainsFunc(stack.Template.OfType("AWS::CloudFront::Distribution"), func(distribution assembly.Resource) bool {
		return assembly.Refers(distribution.At("DistributionConfig", "Logging", "Bucket")) == bucket
	})
}

// allowsOwnSource tells whether a statement allows a service of AWS just to send, and only for the environment's own account
// or for a resource of the stack.
func allowsOwnSource(stack assembly.Stack, statement any) bool {
	service, _ := assembly.At(statement, "Principal", "Service").(string)
	action := assembly.At(statement, "Action")
	if !strings.HasSuffix(service, ".amazonaws.com") || action != "sqs:SendMessage" && action != "sns:Publish" {
		return false
	}
	if account := assembly.At(statement, "Condition", "StringEquals", "aws:SourceAccount"); account != nil {
		return text(account) == text(accountID(stack))
	}
	source := assembly.Refers(assembly.At(statement, "Condition", "ArnEquals", "aws:SourceArn"))
	_, ours := stack.Template.Resources[source]
	return ours || isExported(stack.Environment, source)
}

// isExported tells whether a stack of the environment exports something by that name.
func isExported(environment, name string) bool {
	for _, stack := range platforms[environment] {
		for _, output := range stack.Template.Outputs {
			if name != "" && assembly.At(output["Export"], "Name") == name {
				return true
			}
		}
	}
	return false
}

// accountID is the account of the stack's environment, as templates have it.
func accountID(stack assembly.Stack) any {
	for _, environment := range allEnvironments() {
		if environment.Name == stack.Environment && environment.Account != "" {
			return environment.Account
		}
	}
	return map[string]any{"Ref": "AWS::AccountId"}
}

// TestBucketPoliciesAllowTheirOwnServicesAndRequireTLS holds the policies of all buckets: roles are given
// access by their own policies. What a distribution may read is said beside each.
func TestBucketPoliciesAllowTheirOwnServicesAndRequireTLS(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		refusing := map[string]bool{} // buckets, by logical id
		for _, policy := range stack.Template.OfType("AWS::S3::BucketPolicy") {
			bucket := assembly.Refers(policy.At("Bucket"))
			arn := map[string]any{"Fn::GetAtt": []any{bucket, "Arn"}}
			refusal := map[string]any{
				"Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "s3:*",
				"Resource":  []any{arn, map[string]any{"Fn::Join": []any{"", []any{arn, "/*"}}}},
				"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
			}
			for _, statement := range oneOrMore(policy.At("PolicyDocument", "Statement")) {
				switch {
				case text(statement) == text(refusal):
					refusing[bucket] = true
				case assembly.At(statement, "Effect") == "Deny":
				case allowsDistribution(stack, bucket, statement), allowsAccessLogs(stack, bucket, statement):
				default:
					t.Errorf("%s: %s, want nothing allowed", policy.ID, text(statement))
				}
			}
		}
		for _, bucket := range stack.Template.OfType("AWS::S3::Bucket") {
			if !refusing[bucket.ID] {
				t.Errorf("%s takes requests without TLS", bucket.ID)
			}
		}
	})
}

// allowsDistribution tells whether the statement lets the identity of a distribution, whose origin the bucket is, read
// objects or see which there are, and no more.
func allowsDistribution(stack assembly.Stack, bucket string, statement any) bool {
	for _, action := range oneOrMore(assembly.At(statement, "Action")) {
		if action != "s3:GetObject" && action != "s3:ListBucket" {
			return false
		}
	}
	identity := assembly.Refers(assembly.At(statement, "Principal", "CanonicalUser"))
	for _, distribution := range stack.Template.OfType("AWS::CloudFront::Distribution") {
		for _, origin := range oneOrMore(distribution.At("DistributionConfig", "Origins")) {
			reader := assembly.Refers(assembly.At(origin, "S3OriginConfig", "OriginAccessIdentity", "Fn::Join", 1, 1))
			if identity != "" && reader == identity && assembly.Refers(assembly.At(origin, "DomainName")) == bucket {
				return true
			}
		}
	}
	return false
}

// allowsAccessLogs tells whether the statement lets S3 write the access logs of a bucket that names this one for them.
func allowsAccessLogs(stack assembly.Stack, bucket string, statement any) bool {
	from := assembly.Refers(assembly.At(statement, "Condition", "ArnLike", "aws:SourceArn"))
	return assembly.At(statement, "Action") == "s3:PutObject" &&
		assembly.At(statement, "Principal", "Service") == "logging.s3.amazonaws.com" &&
		text(assembly.At(statement, "Condition", "StringEquals", "aws:SourceAccount")) == text(accountID(stack)) &&
		from != "" && assembly.Refers(stack.Template.Resources[from].At("LoggingConfiguration", "DestinationBucketName")) == bucket
}

// TestQueuesAndTopicsAreEncryptedAndRequireTLS: and each has a policy that says so.
func TestQueuesAndTopicsAreEncryptedAndRequireTLS(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		refusing := map[string]bool{} // queues and topics, by logical id
		for _, s := range statements(t, stack) {
			unencrypted := text(s.document["Condition"]) == `{"Bool":{"aws:SecureTransport":"false"}}`
			everybody := s.document["Principal"] == "*" || assembly.At(s.document["Principal"], "AWS") == "*"
			if s.effect == "Deny" && unencrypted && everybody && (slices.Contains(s.actions, "sqs:*") || slices.Contains(s.actions, "sns:Publish")) {
				for _, on := range s.resources {
					refusing[assembly.Refers(on)] = true
				}
			}
		}
		for _, queue := range stack.Template.OfType("AWS::SQS::Queue") {
			want(t, queue, true, "SqsManagedSseEnabled")
		}
		for _, topic := range stack.Template.OfType("AWS::SNS::Topic") {
			if key := assembly.Refers(topic.At("KmsMasterKeyId")); stack.Template.Resources[key].Type != "AWS::KMS::Key" {
				want(t, topic, "alias/aws/sns", "KmsMasterKeyId")
			}
		}
		for _, resource := range slices.Concat(stack.Template.OfType("AWS::SQS::Queue"), stack.Template.OfType("AWS::SNS::Topic")) {
			if !refusing[resource.ID] {
				t.Errorf("%s takes messages without TLS", resource.ID)
			}
		}
	})
}

// TestKeysAllowTheirAccountAndTheirServicesOnly: who else may use a key says so by IAM, as for all that the account has.
func TestKeysAllowTheirAccountAndTheirServicesOnly(t *testing.T) {
	keys := 0
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, key := range stack.Template.OfType("AWS::KMS::Key") {
			keys++
			want(t, key, true, "EnableKeyRotation")
			want(t, key, 7, "PendingWindowInDays") // until a deleted key is gone
			for _, statement := range oneOrMore(key.At("KeyPolicy", "Statement")) {
				service := assembly.At(statement, "Principal", "Service") != nil &&
					text(assembly.At(statement, "Action")) == `["kms:Decrypt","kms:GenerateDataKey"]` &&
					text(assembly.At(statement, "Condition")) == text(map[string]any{"ArnLike": map[string]any{
						"kms:EncryptionContext:aws:sns:topicArn": accountARN(stack, "sns", "*"),
					}})
				root := text(assembly.At(statement, "Principal")) == text(map[string]any{"AWS": accountARN(stack, "iam", "root")})
				if !service && !root {
					t.Errorf("%s: %s", key.ID, text(statement))
				}
			}
		}
	})
	if keys == 0 {
		t.Error("there is no key; take this test away")
	}
}

// accountARN is the ARN of what the stack's account has, or what it has in the stack's region, as templates have it.
func accountARN(stack assembly.Stack, service, name string) any {
	partition, region, account := any("aws"), any("eu-central-1"), accountID(stack)
	if _, known := account.(string); !known {
		partition, region = map[string]any{"Ref": "AWS::Partition"}, map[string]any{"Ref": "AWS::Region"}
	}
	if service == "iam" {
		region = ""
	}
	return fnJoin("arn:", partition, ":"+service+":", region, ":", account, ":"+name)
}

// TestNoTemplateHasACircularDependency: CloudFormation refuses a template with a circle.
func TestNoTemplateHasACircularDependency(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		done := map[string]bool{}
		var visit func(id string, above []string)
		visit = func(id string, above []string) {
			if slices.Contains(above, id) {
				t.Fatalf("%s waits for itself: %q", id, above)
			}
			if done[id] {
				return
			}
			for _, needed := range dependencies(stack, stack.Template.Resources[id]) {
				visit(needed, append(above, id))
			}
			done[id] = true
		}
		for id := range stack.Template.Resources {
			visit(id, nil)
		}
	})
}

// substitution is where Fn::Sub names a resource.
var substitution = regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)

// dependencies lists the resources that have to be there before the resource, by logical id.
func dependencies(stack assembly.Stack, resource assembly.Resource) []string {
	var needed []string
	add := func(id any) {
		if _, ok := stack.Template.Resources[fmt.Sprint(id)]; ok {
			needed = append(needed, fmt.Sprint(id))
		}
	}
	for _, id := range oneOrMore(resource.DependsOn) {
		add(id)
	}
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			add(value["Ref"])
			add(assembly.At(value, "Fn::GetAtt", 0))
			if sub := value["Fn::Sub"]; sub != nil {
				for _, match := range substitution.FindAllStringSubmatch(text(sub), -1) {
					add(match[1])
				}
			}
			for _, each := range value {
				walk(each)
			}
		case []any:
			for _, each := range value {
				walk(each)
			}
		}
	}
	walk(resource.Properties)
	return needed
}

func TestNoSecretIsInATemplate(t *testing.T) {
	reference := regexp.MustCompile(`\{\{resolve:secretsmanager:`)
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, resource := range stack.Template.Resources {
			allowed := 0
			// CloudFormation resolves it on the way to the service, and it appears nowhere.
			switch {
			case resource.Type == "AWS::RDS::DBInstance" && resource.At("MasterUserPassword") != nil,
				resource.Type == "AWS::Cognito::UserPoolIdentityProvider":
				allowed = 1
			}
			if found := len(reference.FindAllString(text(resource.Properties), -1)); found != allowed {
				t.Errorf("%s resolves %d secrets, want %d", resource.ID, found, allowed)
			}
			switch resource.Type {
			case "AWS::SecretsManager::Secret":
				if resource.At("SecretString") != nil || resource.At("GenerateSecretString") == nil {
					t.Errorf("%s holds a secret that is not generated", resource.ID)
				}
			case "AWS::Cognito::UserPoolClient":
				want(t, resource, false, "GenerateSecret")
			}
		}
	})
}

func TestEveryLogGroupHasTheRetentionOfItsEnvironment(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, group := range stack.Template.OfType("AWS::Logs::LogGroup") {
			for _, environment := range allEnvironments() {
				if environment.Name == stack.Environment {
					want(t, group, environment.LogRetention.Hours()/24, "RetentionInDays")
				}
			}
		}
	})
}

// TestNamesOfCloudFrontResourcesContainTheRegion: CloudFront has its policies and functions once for all regions of an
// account, by name.
func TestNamesOfCloudFrontResourcesContainTheRegion(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		pictures := pictureProps
		pictures.OriginAccessControl = true
		media.New(stack, "Media", pictures)
		website.New(stack, "Website", website.Props{Content: content, OriginAccessControl: true})
	})
	for resourceType, path := range map[string][]any{
		"AWS::CloudFront::CachePolicy":           {"CachePolicyConfig", "Name"},
		"AWS::CloudFront::Function":              {"Name"},
		"AWS::CloudFront::OriginAccessControl":   {"OriginAccessControlConfig", "Name"},
		"AWS::CloudFront::ResponseHeadersPolicy": {"ResponseHeadersPolicyConfig", "Name"},
	} {
		found := stack.Template.OfType(resourceType)
		if len(found) == 0 {
			t.Errorf("there is no %s", resourceType)
		}
		for _, resource := range found {
			if name := text(resource.At(path...)); !strings.Contains(name, `{"Ref":"AWS::Region"}`) {
				t.Errorf("%s is named %s, which another region's would be too", resource.ID, name)
			}
		}
	}
}
