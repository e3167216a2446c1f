package test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// stateful contains the types of resources whose replacement loses data or causes an outage.
var stateful = map[string]bool{
	// Its id is in the URL that clients call.
	"AWS::ApiGateway::RestApi": true,

	// Nothing is delivered until the bucket's policy names the new one.
	"AWS::CloudFront::CloudFrontOriginAccessIdentity": true,

	// DNS records refer to its name, and clients if there is no custom domain.
	"AWS::CloudFront::Distribution": true,

	// Its identities name the folders of users' uploads.
	"AWS::Cognito::IdentityPool": true,

	// Installed apps contain the id of their client, and refer to the domain, as Google and Apple
	// do.
	"AWS::Cognito::UserPool":       true,
	"AWS::Cognito::UserPoolClient": true,
	"AWS::Cognito::UserPoolDomain": true,

	// Policies are attached to devices' certificates, thing types are assigned to devices.
	"AWS::IoT::Policy":    true,
	"AWS::IoT::ThingType": true,

	// No other key decrypts its data.
	"AWS::KMS::Key": true,

	// A new delivery stream only reads later records.
	"AWS::Kinesis::Stream":                 true,
	"AWS::KinesisFirehose::DeliveryStream": true,

	// A new parameter group restarts the database.
	"AWS::RDS::DBInstance":       true,
	"AWS::RDS::DBParameterGroup": true,
	"AWS::RDS::DBSubnetGroup":    true,

	// DNS records refer to it; a new one sends nothing until they are changed.
	"AWS::SES::EmailIdentity": true,

	"AWS::DynamoDB::Table":               true,
	"AWS::EC2::Subnet":                   true,
	"AWS::EC2::VPC":                      true,
	"AWS::RedshiftServerless::Namespace": true,
	"AWS::S3::Bucket":                    true,
	"AWS::SecretsManager::Secret":        true,
}

// TestStatefulResourcesKeepTheirLogicalIDs compares the templates with stateful.json, which no
// command rewrites: CloudFormation deletes a resource whose logical id is removed, and creates a
// new, empty one.
func TestStatefulResourcesKeepTheirLogicalIDs(t *testing.T) {
	const file = "stateful.json"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pinned map[string]map[string]string // stack → logical id → type
	if err := json.Unmarshal(data, &pinned); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]string{}
	forEachStack(t, func(_ *testing.T, stack assembly.Stack) {
		for id, resource := range stack.Template.Resources {
			if stateful[resource.Type] {
				name := stack.Environment + "/" + stack.Name
				if found[name] == nil {
					found[name] = map[string]string{}
				}
				found[name][id] = resource.Type
			}
		}
	})
	if diff := cmp.Diff(pinned, found); diff != "" {
		t.Errorf("-%s +templates:\n%s\nThe next deployment deletes a resource with -, with its "+
			"data, and creates one "+
			"with +, empty. If that is intended, edit %s by hand.", file, diff, file)
	}
}

func TestStacksHaveTerminationProtectionUnlessDisposable(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		if want := !disposable(stack); stack.TerminationProtection != want {
			t.Errorf("termination protection is %t, want %t", stack.TerminationProtection, want)
		}
	})
}

func TestStatefulResourcesOutliveTheirStackUnlessDisposable(t *testing.T) {
	policies := map[string]string{
		// It contains the queries that users saved.
		"AWS::Athena::WorkGroup":             "RetainExceptOnCreate",
		"AWS::Cognito::IdentityPool":         "RetainExceptOnCreate",
		"AWS::Cognito::UserPool":             "Retain",
		"AWS::DynamoDB::Table":               "Retain",
		"AWS::KMS::Key":                      "RetainExceptOnCreate",
		"AWS::Kinesis::Stream":               "RetainExceptOnCreate",
		"AWS::Logs::LogGroup":                "RetainExceptOnCreate",
		"AWS::RDS::DBInstance":               "Snapshot",
		"AWS::RedshiftServerless::Namespace": "RetainExceptOnCreate",
		"AWS::S3::Bucket":                    "RetainExceptOnCreate",
		"AWS::SecretsManager::Secret":        "RetainExceptOnCreate",
	}
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, resource := range stack.Template.Resources {
			want, ok := policies[resource.Type]
			if !ok {
				continue
			}
			if disposable(stack) || resource.At("SourceDBInstanceIdentifier") != nil {
				want = "Delete" // a replica has no data of its own
			}
			// UpdateReplacePolicy has no RetainExceptOnCreate.
			replaced := strings.TrimSuffix(want, "ExceptOnCreate")
			if resource.DeletionPolicy != want || resource.UpdateReplacePolicy != replaced {
				t.Errorf("%s: on deletion %s, on replacement %s, want %s and %s", resource.ID,
					resource.DeletionPolicy, resource.UpdateReplacePolicy, want, replaced)
			}
		}
	})
}
