package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/restrictdefaultsecuritygroup/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// defaultRules are the rules of the default security group of a VPC with an IPv6 block.
var defaultRules = []awstest.Rule{
	{Peer: group},
	{Egress: true, Peer: "0.0.0.0/0"},
	{Egress: true, Peer: "::/0"},
}

// TestBootstrap sends CloudFormation's events to the built function.
func TestBootstrap(t *testing.T) {
	ec2 := awstest.StartEC2(t, account)
	environment := map[string]string{"EC2_ENDPOINT": ec2.URL}
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), environment)
	cloudFormation := awstest.StartCloudFormation(t)
	send := func(t *testing.T, file string) awstest.CustomResourceResponse {
		t.Helper()
		event := cloudFormation.Event(t, "testdata/"+file)
		if _, err := fn.Invoke(t.Context(), event, time.Minute); err != nil {
			t.Fatalf("%v\n%s", err, fn.Logs())
		}
		return cloudFormation.Response(t)
	}
	success := awstest.CustomResourceResponse{
		Status:             "SUCCESS",
		PhysicalResourceID: group,
		StackID:            stack,
		RequestID:          "00000000-0000-4000-8000-0000000000bb",
		LogicalResourceID:  "NetworkRestrictedDefaultSecurityGroup",
	}
	kept := awstest.Rule{Peer: "10.0.0.0/16"}

	t.Run("create revokes the default rules and keeps others", func(t *testing.T) {
		ec2.PutSecurityGroup(group, append(slices.Clone(defaultRules), kept)...)
		if diff := cmp.Diff(success, send(t, "create.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]awstest.Rule{kept}, ec2.Rules(group)); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
	})
	t.Run("create for a group without default rules succeeds", func(t *testing.T) {
		if diff := cmp.Diff(success, send(t, "create.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
	})
	t.Run("create without IPv6 succeeds", func(t *testing.T) {
		ec2.PutSecurityGroup(group, defaultRules[:2]...)
		if diff := cmp.Diff(success, send(t, "create.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
		if rules := ec2.Rules(group); len(rules) != 0 {
			t.Errorf("rules %v, want none", rules)
		}
	})
	t.Run("update restricts the new group", func(t *testing.T) {
		ec2.PutSecurityGroup(group, defaultRules...)
		if diff := cmp.Diff(success, send(t, "update.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
		if rules := ec2.Rules(group); len(rules) != 0 {
			t.Errorf("rules %v, want none", rules)
		}
	})
	t.Run("delete changes nothing", func(t *testing.T) {
		ec2.PutSecurityGroup(group, defaultRules...)
		calls := len(ec2.Calls())
		if diff := cmp.Diff(success, send(t, "delete.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
		if now := len(ec2.Calls()); now != calls {
			t.Errorf("%d calls, want none", now-calls)
		}
	})
	t.Run("a temporary failure of EC2 is retried", func(t *testing.T) {
		ec2.PutSecurityGroup(group, defaultRules...)
		ec2.SetFault(awstest.Fault{
			Status: http.StatusServiceUnavailable, Code: "RequestLimitExceeded", Times: 2,
		})
		if diff := cmp.Diff(success, send(t, "create.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
		if rules := ec2.Rules(group); len(rules) != 0 {
			t.Errorf("rules %v, want none", rules)
		}
	})
	t.Run("an error of EC2 fails the deployment and is reported", func(t *testing.T) {
		ec2.SetFault(awstest.Fault{Status: http.StatusForbidden, Code: "UnauthorizedOperation"})
		defer ec2.SetFault(awstest.Fault{})
		got := send(t, "create.json")
		if got.Status != "FAILED" || !strings.Contains(got.Reason, "UnauthorizedOperation") ||
			got.PhysicalResourceID != group {
			t.Errorf("response %+v, want FAILED for UnauthorizedOperation", got)
		}
	})

	awstest.CheckActions(t, "calls.txt", ec2.Calls())
}
