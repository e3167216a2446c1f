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

// A statement is a statement of an IAM policy, with lists where IAM allows single values.
type statement struct {
	resource  string // the logical id of the policy, or of the resource that contains it
	effect    string
	actions   []string
	resources []any
	document  map[string]any
}

// statements returns all statements of all policies in the stack, attached to any resource.
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

// wildcards contains the actions that are allowed on every resource, with the reason. An unused
// reason fails the test, like a wildcard without one.
var wildcards = map[string]string{
	"athena:ListDataCatalogs": "list actions have no resource",
	"ec2:CreateNetworkInterface": "the interface does not exist before the call; denied to " +
		"the function's code",
	"ec2:DescribeNetworkInterfaces": "describe actions have no resource",
	"ec2:DescribeSubnets":           "describe actions have no resource",
	"ec2:DeleteNetworkInterface": "Lambda names the interface that it created; denied to the " +
		"function's code",
	"ec2:AssignPrivateIpAddresses": "Lambda names the interface that it created; denied to the " +
		"function's code",
	"ec2:UnassignPrivateIpAddresses": "Lambda names the interface that it created; denied to the " +
		"function's code",
	"redshift-data:DescribeStatement": "a statement has no ARN; a condition restricts a role to " +
		"its own",
	"xray:PutTraceSegments":    "traces have no resource",
	"xray:PutTelemetryRecords": "traces have no resource",
}

func TestNoActionIsAWildcardAndResourceWildcardsHaveAReason(t *testing.T) {
	used := map[string]bool{}
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, s := range statements(t, stack) {
			if s.effect != "Allow" || stack.Template.Resources[s.resource].Type == "AWS::KMS::Key" {
				continue // * is the key itself: TestKeysAllowTheirAccountAndTheirServicesOnly
			}
			if s.document["NotAction"] != nil || s.document["NotResource"] != nil {
				t.Errorf("%s allows everything except a list: %s", s.resource, text(s.document))
			}
			if principal := s.document["Principal"]; principal == "*" ||
				assembly.At(principal, "AWS") == "*" {
				t.Errorf("%s allows every principal: %s", s.resource, text(s.document))
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
						t.Errorf(
							"%s allows %s on every resource without a reason; add it to wildcards",
							s.resource, action)
					}
					used[action] = true
				}
			}
		}
	})
	for action := range wildcards {
		if !used[action] {
			t.Errorf("no policy allows %s on every resource; remove it from wildcards", action)
		}
	}
}

// serviceActions are the actions that the Lambda service performs with a function's role; the
// function's code makes none of these calls.
var serviceActions = []string{
	"logs:", "xray:", "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces",
	"ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses",
	"ec2:UnassignPrivateIpAddresses",
}

// TestFunctionsMayMakeTheirRecordedCallsAndNoOthers compares the roles with the calls that each
// function's own test recorded when it ran the built function.
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
	err := filepath.WalkDir(filepath.Join("..", "lambdas"),
		func(path string, _ fs.DirEntry, err error) error {
			folder, _ := filepath.Rel("..", filepath.Dir(path))
			if filepath.Base(path) == "main.go" && !seen[filepath.ToSlash(folder)] {
				t.Errorf("no environment has a function built from %s", folder)
			}
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
}

// folder returns the folder that the function is built from: lambdas/posts.
func folder(t *testing.T, function assembly.Resource) string {
	t.Helper()
	path, ok := function.Metadata[gofunction.PackageMetadata].(string)
	folder := strings.TrimPrefix(path, "github.com/ashlar-cdk/ashlar/")
	if !ok || !strings.HasPrefix(folder, "lambdas/") {
		t.Fatalf("%s is built from %q, want a package of this module below lambdas", function.ID,
			path)
	}
	return folder
}

// pollingActions are the actions with which Lambda polls a queue or a stream, with the role of the
// function that receives the messages or records.
var pollingActions = []string{
	"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator",
	"dynamodb:ListStreams",
	"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
}

// calls returns the actions that the function's code may call, and those that services may perform
// on its behalf.
func calls(t *testing.T, stack assembly.Stack, function assembly.Resource) []string {
	t.Helper()
	role := assembly.Refers(function.At("Role"))
	made := slices.DeleteFunc(grants(t, stack, role), isKeyUse)
	return slices.DeleteFunc(actions(made), func(action string) bool {
		return slices.ContainsFunc(serviceActions, func(prefix string) bool {
			return strings.HasPrefix(action, prefix)
		}) ||
			isPollingOnly(t, stack, function, role, action)
	})
}

// isPollingOnly reports whether Lambda polls with the action, and the role allows it only on
// sources that Lambda polls for the function.
func isPollingOnly(
	t *testing.T, stack assembly.Stack, function assembly.Resource, role, action string,
) bool {
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

// isKeyUse reports whether a statement allows a role to use a key through a service that encrypts
// with it. The stack decides whether there is a key; the function's calls are the same without one.
func isKeyUse(s statement) bool {
	return assembly.At(s.document, "Condition", "StringEquals", "kms:ViaService") != nil
}

// allowed returns the actions that a role's policies allow, each once.
func allowed(t *testing.T, stack assembly.Stack, role string) []string {
	t.Helper()
	return actions(grants(t, stack, role))
}

// grants returns the Allow statements of a role's policies.
func grants(t *testing.T, stack assembly.Stack, role string) []statement {
	t.Helper()
	return slices.DeleteFunc(statements(t, stack), func(s statement) bool {
		return s.effect != "Allow" ||
			assembly.Refers(stack.Template.Resources[s.resource].At("Roles", 0)) != role
	})
}

// actions returns the actions of statements, each once.
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
			// API Gateway requires this policy, or one with the same permissions on every log
			// group.
			if policies != "null" &&
				!strings.Contains(policies,
					"policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs") {
				t.Errorf("%s has the policies %s", role.ID, policies)
			}
		}
	})
}

// TestNothingIsPublic checks all resources of types that can be public.
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
					if open := text(rule); strings.Contains(open, "0.0.0.0/0") ||
						strings.Contains(open, "::/0") {
						t.Errorf("%s allows every address: %s", resource.ID, open)
					}
				}
			case "AWS::EC2::SecurityGroupIngress":
				if resource.At("SourceSecurityGroupId") == nil {
					t.Errorf("%s allows addresses, want a security group", resource.ID)
				}
			case "AWS::S3::Bucket":
				for _, block := range []string{
					"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls",
					"RestrictPublicBuckets",
				} {
					want(t, resource, true, "PublicAccessBlockConfiguration", block)
				}
				ownership := "BucketOwnerEnforced" // no object has an ACL
				if receivesCloudFrontLogs(stack, resource.ID) {
					// The bucket's ACL grants CloudFront's account access.
					ownership = "BucketOwnerPreferred"
				}
				want(t, resource, ownership, "OwnershipControls", "Rules", 0, "ObjectOwnership")
			case "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy":
				// Only its policy makes a topic or a queue public. The policy allows AWS services,
				// on behalf of our own resources.
				for _, statement := range oneOrMore(resource.At("PolicyDocument", "Statement")) {
					if assembly.At(statement, "Effect") != "Deny" &&
						!allowsOwnSource(stack, statement) {
						t.Errorf("%s allows other sources: %s", resource.ID, text(statement))
					}
				}
			case "AWS::Lambda::Url":
				t.Errorf("%s is a %s, which this test does not support; add what public means for "+
					"it",
					resource.ID, resource.Type)
			}
		}
	})
}

// receivesCloudFrontLogs reports whether a distribution of the stack logs to the bucket.
func receivesCloudFrontLogs(stack assembly.Stack, bucket string) bool {
	return slices.ContainsFunc(stack.Template.OfType("AWS::CloudFront::Distribution"),
		func(distribution assembly.Resource) bool {
			return assembly.Refers(
				distribution.At("DistributionConfig", "Logging", "Bucket")) == bucket
		})
}

// allowsOwnSource reports whether a statement allows an AWS service to send, and nothing else, on
// behalf of the environment's own account or of a resource of its stacks.
func allowsOwnSource(stack assembly.Stack, statement any) bool {
	service, _ := assembly.At(statement, "Principal", "Service").(string)
	action := assembly.At(statement, "Action")
	if !strings.HasSuffix(service, ".amazonaws.com") ||
		action != "sqs:SendMessage" && action != "sns:Publish" {
		return false
	}
	account := assembly.At(statement, "Condition", "StringEquals", "aws:SourceAccount")
	if account != nil {
		return text(account) == text(accountID(stack))
	}
	source := assembly.Refers(assembly.At(statement, "Condition", "ArnEquals", "aws:SourceArn"))
	_, ours := stack.Template.Resources[source]
	return ours || isExported(stack.Environment, source)
}

// isExported reports whether a stack of the environment has an export with that name.
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

// accountID returns the account of the stack's environment, as in templates.
func accountID(stack assembly.Stack) any {
	for _, environment := range allEnvironments() {
		if environment.Name == stack.Environment && environment.Account != "" {
			return environment.Account
		}
	}
	return map[string]any{"Ref": "AWS::AccountId"}
}

// TestBucketPoliciesAllowTheirOwnServicesAndRequireTLS checks the policies of all buckets. Roles
// get access through their own policies. The tests of each distribution check what it may read.
func TestBucketPoliciesAllowTheirOwnServicesAndRequireTLS(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		denying := map[string]bool{} // buckets, by logical id
		for _, policy := range stack.Template.OfType("AWS::S3::BucketPolicy") {
			bucket := assembly.Refers(policy.At("Bucket"))
			arn := map[string]any{"Fn::GetAtt": []any{bucket, "Arn"}}
			denial := map[string]any{
				"Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "s3:*",
				"Resource":  []any{arn, map[string]any{"Fn::Join": []any{"", []any{arn, "/*"}}}},
				"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
			}
			for _, statement := range oneOrMore(policy.At("PolicyDocument", "Statement")) {
				switch {
				case text(statement) == text(denial):
					denying[bucket] = true
				case assembly.At(statement, "Effect") == "Deny":
				case allowsDistribution(stack, bucket, statement),
					allowsAccessLogs(stack, bucket, statement):
				default:
					t.Errorf("%s: %s, want no other Allow statement", policy.ID, text(statement))
				}
			}
		}
		for _, bucket := range stack.Template.OfType("AWS::S3::Bucket") {
			if !denying[bucket.ID] {
				t.Errorf("%s accepts requests without TLS", bucket.ID)
			}
		}
	})
}

// allowsDistribution reports whether the statement allows the identity of a distribution, whose
// origin is the bucket, to read or list objects, and nothing else.
func allowsDistribution(stack assembly.Stack, bucket string, statement any) bool {
	for _, action := range oneOrMore(assembly.At(statement, "Action")) {
		if action != "s3:GetObject" && action != "s3:ListBucket" {
			return false
		}
	}
	identity := assembly.Refers(assembly.At(statement, "Principal", "CanonicalUser"))
	for _, distribution := range stack.Template.OfType("AWS::CloudFront::Distribution") {
		for _, origin := range oneOrMore(distribution.At("DistributionConfig", "Origins")) {
			reader := assembly.Refers(
				assembly.At(origin, "S3OriginConfig", "OriginAccessIdentity", "Fn::Join", 1, 1))
			if identity != "" && reader == identity &&
				assembly.Refers(assembly.At(origin, "DomainName")) == bucket {
				return true
			}
		}
	}
	return false
}

// allowsAccessLogs reports whether the statement allows S3 to write the access logs of another
// bucket that logs to this one.
func allowsAccessLogs(stack assembly.Stack, bucket string, statement any) bool {
	account := assembly.At(statement, "Condition", "StringEquals", "aws:SourceAccount")
	source := assembly.Refers(assembly.At(statement, "Condition", "ArnLike", "aws:SourceArn"))
	logging, ok := stack.Template.Resources[source]
	return ok && assembly.At(statement, "Action") == "s3:PutObject" &&
		assembly.At(statement, "Principal", "Service") == "logging.s3.amazonaws.com" &&
		text(account) == text(accountID(stack)) &&
		assembly.Refers(logging.At("LoggingConfiguration", "DestinationBucketName")) == bucket
}

// TestQueuesAndTopicsAreEncryptedAndRequireTLS: the policy of each denies requests without TLS.
func TestQueuesAndTopicsAreEncryptedAndRequireTLS(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		denying := map[string]bool{} // queues and topics, by logical id
		for _, s := range statements(t, stack) {
			unencrypted := text(
				s.document["Condition"]) == `{"Bool":{"aws:SecureTransport":"false"}}`
			everyPrincipal := s.document["Principal"] == "*" ||
				assembly.At(s.document["Principal"], "AWS") == "*"
			if s.effect == "Deny" && unencrypted && everyPrincipal &&
				(slices.Contains(s.actions, "sqs:*") || slices.Contains(s.actions, "sns:Publish")) {
				for _, on := range s.resources {
					denying[assembly.Refers(on)] = true
				}
			}
		}
		for _, queue := range stack.Template.OfType("AWS::SQS::Queue") {
			want(t, queue, true, "SqsManagedSseEnabled")
		}
		for _, topic := range stack.Template.OfType("AWS::SNS::Topic") {
			key := assembly.Refers(topic.At("KmsMasterKeyId"))
			if stack.Template.Resources[key].Type != "AWS::KMS::Key" {
				want(t, topic, "alias/aws/sns", "KmsMasterKeyId")
			}
		}
		for _, resource := range slices.Concat(stack.Template.OfType("AWS::SQS::Queue"),
			stack.Template.OfType("AWS::SNS::Topic")) {
			if !denying[resource.ID] {
				t.Errorf("%s accepts messages without TLS", resource.ID)
			}
		}
	})
}

// TestKeysAllowTheirAccountAndTheirServicesOnly: all others get access to a key through IAM, as to
// other resources of the account.
func TestKeysAllowTheirAccountAndTheirServicesOnly(t *testing.T) {
	keys := 0
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, key := range stack.Template.OfType("AWS::KMS::Key") {
			keys++
			want(t, key, true, "EnableKeyRotation")
			want(t, key, 7, "PendingWindowInDays") // the waiting period of a deletion
			for _, statement := range oneOrMore(key.At("KeyPolicy", "Statement")) {
				service := assembly.At(statement, "Principal", "Service") != nil &&
					text(
						assembly.At(
							statement, "Action")) == `["kms:Decrypt","kms:GenerateDataKey"]` &&
					text(assembly.At(statement, "Condition")) == text(
						map[string]any{"ArnLike": map[string]any{
							"kms:EncryptionContext:aws:sns:topicArn": accountARN(stack, "sns", "*"),
						}})
				root := text(assembly.At(statement, "Principal")) == text(
					map[string]any{"AWS": accountARN(stack, "iam", "root")})
				if !service && !root {
					t.Errorf("%s: %s", key.ID, text(statement))
				}
			}
		}
	})
	if keys == 0 {
		t.Error("there is no key; remove this test")
	}
}

// accountARN returns the ARN of a resource in the stack's account and region, as in templates.
func accountARN(stack assembly.Stack, service, name string) any {
	partition, region, account := any("aws"), any("eu-central-1"), accountID(stack)
	if _, known := account.(string); !known {
		partition = map[string]any{"Ref": "AWS::Partition"}
		region = map[string]any{"Ref": "AWS::Region"}
	}
	if service == "iam" {
		region = ""
	}
	return fnJoin("arn:", partition, ":"+service+":", region, ":", account, ":"+name)
}

// TestNoTemplateHasACircularDependency: CloudFormation rejects a template with one.
func TestNoTemplateHasACircularDependency(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		done := map[string]bool{}
		var visit func(id string, above []string)
		visit = func(id string, above []string) {
			if slices.Contains(above, id) {
				t.Fatalf("%s depends on itself: %q", id, above)
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

// substitution matches a reference to a resource in Fn::Sub.
var substitution = regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)

// dependencies returns the logical ids of the resources that the resource depends on.
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
			// CloudFormation resolves it when it calls the service; it appears nowhere.
			switch {
			case resource.Type == "AWS::RDS::DBInstance" &&
				resource.At("MasterUserPassword") != nil,
				resource.Type == "AWS::Cognito::UserPoolIdentityProvider":
				allowed = 1
			}
			found := len(reference.FindAllString(text(resource.Properties), -1))
			if found != allowed {
				t.Errorf("%s resolves %d secrets, want %d", resource.ID, found, allowed)
			}
			switch resource.Type {
			case "AWS::SecretsManager::Secret":
				if resource.At("SecretString") != nil ||
					resource.At("GenerateSecretString") == nil {
					t.Errorf("%s contains a secret that is not generated", resource.ID)
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

// TestNamesOfCloudFrontResourcesContainTheRegion: names of CloudFront's policies and functions are
// unique in an account, across regions.
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
			name := text(resource.At(path...))
			if !strings.Contains(name, `{"Ref":"AWS::Region"}`) {
				t.Errorf("%s is named %s, want the region in the name", resource.ID, name)
			}
		}
	}
}
