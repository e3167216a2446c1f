// Package assembly reads the cloud assembly that a synth writes, without the CDK.
package assembly

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Stack is one stack of one environment.
type Stack struct {
	Environment           string // the CDK stage
	Name                  string // without the environment: API
	Template              Template
	Text                  []byte // the template, unparsed
	TerminationProtection bool
	DependsOn             []string // names of the stacks that it depends on
}

// A Template is the CloudFormation template of a stack.
type Template struct {
	Description string
	Resources   map[string]Resource
	Outputs     map[string]map[string]any
}

// A Resource is a resource of a template.
type Resource struct {
	ID         string `json:"-"` // its logical id
	Type       string
	Properties map[string]any
	Metadata   map[string]any
	DependsOn  any

	DeletionPolicy      string
	UpdateReplacePolicy string
}

// Read returns the stacks of all stages in the cloud assembly in dir, ordered by environment and
// name.
func Read(dir string) ([]Stack, error) {
	stages, err := filepath.Glob(filepath.Join(dir, "assembly-*"))
	if err != nil {
		return nil, err
	}
	var stacks []Stack
	for _, stage := range stages {
		found, err := readStage(stage)
		if err != nil {
			return nil, err
		}
		stacks = append(stacks, found...)
	}
	if len(stacks) == 0 {
		return nil, fmt.Errorf("%s contains no stacks; run make synth", dir)
	}
	return stacks, nil
}

func readStage(dir string) ([]Stack, error) {
	environment := strings.TrimPrefix(filepath.Base(dir), "assembly-")
	var manifest struct {
		Artifacts map[string]struct {
			Type         string
			DisplayName  string
			Dependencies []string
			Properties   struct {
				TemplateFile          string
				TerminationProtection bool
			}
		}
	}
	if _, err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return nil, err
	}
	// An artifact's display name is Prod/API (Prod-API).
	name := func(artifact string) string {
		path, _, _ := strings.Cut(manifest.Artifacts[artifact].DisplayName, " ")
		return strings.TrimPrefix(path, environment+"/")
	}
	var stacks []Stack
	for id, artifact := range manifest.Artifacts {
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		stack := Stack{
			Environment: environment, Name: name(id),
			TerminationProtection: artifact.Properties.TerminationProtection,
		}
		for _, dependency := range artifact.Dependencies {
			if manifest.Artifacts[dependency].Type == artifact.Type {
				stack.DependsOn = append(stack.DependsOn, name(dependency))
			}
		}
		slices.Sort(stack.DependsOn)
		var err error
		file := filepath.Join(dir, artifact.Properties.TemplateFile)
		if stack.Text, err = readJSON(file, &stack.Template); err != nil {
			return nil, err
		}
		for id, resource := range stack.Template.Resources {
			resource.ID = id
			stack.Template.Resources[id] = resource
		}
		stacks = append(stacks, stack)
	}
	slices.SortFunc(stacks, func(a, b Stack) int { return strings.Compare(a.Name, b.Name) })
	return stacks, nil
}

func readJSON(name string, into any) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// OfType returns the template's resources of a type, ordered by logical id.
func (t Template) OfType(resourceType string) []Resource {
	var found []Resource
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		if t.Resources[id].Type == resourceType {
			found = append(found, t.Resources[id])
		}
	}
	return found
}

// At returns the value at a path into the resource's properties, like the function [At].
func (r Resource) At(path ...any) any { return At(r.Properties, path...) }

// At returns the value at a path into nested objects and lists, such as "VpcConfig", "SubnetIds",
// 0; nil if there is none.
func At(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		default:
			panic(fmt.Sprintf("a path consists of strings and ints, not %T", step))
		}
	}
	return value
}

// Refers returns the logical id that value refers to with Ref or Fn::GetAtt, or the name of the
// export that it imports; otherwise an empty string.
func Refers(value any) string {
	if id, ok := At(value, "Ref").(string); ok {
		return id
	}
	if id, ok := At(value, "Fn::GetAtt", 0).(string); ok {
		return id
	}
	name, _ := At(value, "Fn::ImportValue").(string)
	return name
}

// A Finding is a validator's finding about constructs where it is not acknowledged.
type Finding struct {
	Severity, Rule, Description string
	Constructs                  []string // their paths
}

// Findings returns the unacknowledged findings of the report that the synth's validators wrote to
// dir.
//
// An acknowledgement applies to the construct where it was made, and below. The CDK applies it to
// all of the app, and makes some itself: the one at a flow log, for example, would let unknown
// properties pass everywhere.
func Findings(dir string) ([]Finding, error) {
	type violation struct {
		Severity, RuleName, Description string
		ViolatingConstructs             []struct{ ConstructPath string }
		AcknowledgedID                  string
	}
	var report struct {
		PluginReports []struct{ Violations, SuppressedViolations []violation }
	}
	_, err := readJSON(filepath.Join(dir, "validation-report.json"), &report)
	if errors.Is(err, os.ErrNotExist) {
		return nil,
			fmt.Errorf("%s was synthesized without validators (CDK_VALIDATION=false): %w", dir, err)
	}
	if err != nil {
		return nil, err
	}
	acknowledged, err := acknowledgements(dir)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, plugin := range report.PluginReports {
		for _, violation := range slices.Concat(plugin.Violations, plugin.SuppressedViolations) {
			finding := Finding{
				Severity: violation.Severity, Rule: violation.RuleName,
				Description: violation.Description,
			}
			for _, construct := range violation.ViolatingConstructs {
				isAcknowledged := slices.ContainsFunc(acknowledged[violation.AcknowledgedID],
					func(above string) bool {
						return strings.HasPrefix(construct.ConstructPath+"/", above+"/")
					})
				if !isAcknowledged {
					finding.Constructs = append(finding.Constructs, construct.ConstructPath)
				}
			}
			if len(finding.Constructs) > 0 || len(violation.ViolatingConstructs) == 0 {
				findings = append(findings, finding)
			}
		}
	}
	return findings, nil
}

// acknowledgements returns the paths of the constructs where a rule was acknowledged, by rule.
func acknowledgements(dir string) (map[string][]string, error) {
	var files []string
	for _, pattern := range []string{"*.metadata.json", "assembly-*/*.metadata.json"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	paths := map[string][]string{}
	for _, file := range files {
		var metadata map[string][]struct {
			Type string
			Data json.RawMessage
		}
		if _, err := readJSON(file, &metadata); err != nil {
			return nil, err
		}
		for path, entries := range metadata {
			for _, entry := range entries {
				if entry.Type != "aws:cdk:acknowledged-rules" {
					continue
				}
				var reasons map[string]string
				if err := json.Unmarshal(entry.Data, &reasons); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", file, path, err)
				}
				for rule := range reasons {
					paths[rule] = append(paths[rule], strings.TrimPrefix(path, "/"))
				}
			}
		}
	}
	return paths, nil
}
