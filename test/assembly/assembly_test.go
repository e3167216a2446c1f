package assembly_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// write writes a cloud assembly, given as file names and contents, and returns its folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755),
			os.WriteFile(name, []byte(content), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindings_acknowledged_only_at_or_below_the_construct(t *testing.T) {
	dir := write(t, map[string]string{
		"validation-report.json": `{"pluginReports": [{
			"violations": [
				{"severity": "error", "ruleName": "E1", "description": "wrong",
					"violatingConstructs": [{"constructPath": "Dev/A"}]},
				{"severity": "warning", "ruleName": "W1", "description": "odd"}
			],
			"suppressedViolations": [
				{"severity": "error", "ruleName": "F3002", "description": "unknown property",
					"acknowledgedId": "CloudFormation-Validate::F3002",
					"violatingConstructs": [
						{"constructPath": "Dev/A/Log/Resource"}, {"constructPath": "Dev/A/Log"},
						{"constructPath": "Dev/A/LogGroup"}]},
				{"severity": "error", "ruleName": "E2", "description": "fine",
					"acknowledgedId": "CloudFormation-Validate::E2",
					"violatingConstructs": [{"constructPath": "Dev/A/B/C"}]}
			]}]}`,
		"assembly-Dev/DevA.metadata.json": `{
			"/Dev/A": [
				{"type": "aws:cdk:stack-tags", "data": []},
				{"type": "aws:cdk:acknowledged-rules",
					"data": {"CloudFormation-Validate::E2": "because"}}],
			"/Dev/A/Log": [
				{"type": "aws:cdk:acknowledged-rules",
					"data": {"CloudFormation-Validate::F3002": "because"}}]}`,
	})
	got, err := assembly.Findings(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []assembly.Finding{
		{Severity: "error", Rule: "E1", Description: "wrong", Constructs: []string{"Dev/A"}},
		{Severity: "warning", Rule: "W1", Description: "odd"},
		{
			Severity: "error", Rule: "F3002", Description: "unknown property",
			Constructs: []string{"Dev/A/LogGroup"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFindings_fails_without_validation(t *testing.T) {
	if _, err := assembly.Findings(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
}

func TestRead(t *testing.T) {
	dir := write(t, map[string]string{
		"assembly-Dev/manifest.json": `{"artifacts": {
			"DevA1.assets": {"type": "cdk:asset-manifest"},
			"DevA1": {"type": "aws:cloudformation:stack", "displayName": "Dev/A (Dev-A)",
				"dependencies": ["DevA1.assets"],
				"properties": {"templateFile": "a.json", "terminationProtection": true}},
			"DevB1": {"type": "aws:cloudformation:stack", "displayName": "Dev/B (Dev-B)",
				"dependencies": ["DevA1"], "properties": {"templateFile": "b.json"}}}}`,
		"assembly-Dev/a.json": `{"Resources": {"Q": {
			"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Key": "k"}]}}}}`,
		"assembly-Dev/b.json": `{}`,
	})
	stacks, err := assembly.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(stacks) != 2 || stacks[0].Name != "A" || stacks[0].Environment != "Dev" ||
		!stacks[0].TerminationProtection || stacks[0].DependsOn != nil {
		t.Fatalf("stacks %+v, want A, protected, without dependencies, and B", stacks)
	}
	if b := stacks[1]; b.Name != "B" || b.TerminationProtection ||
		!cmp.Equal(b.DependsOn, []string{"A"}) {
		t.Errorf("stack %+v, want B, which depends on A", b)
	}
	queues := stacks[0].Template.OfType("AWS::SQS::Queue")
	if len(queues) != 1 || queues[0].ID != "Q" || queues[0].At("Tags", 0, "Key") != "k" ||
		queues[0].At("Tags", 1) != nil || queues[0].At("Tags", "Key") != nil {
		t.Errorf("queues %+v, want Q with a tag", queues)
	}
	if _, err := assembly.Read(t.TempDir()); err == nil {
		t.Error("an empty folder is read as a cloud assembly, want an error")
	}
}
