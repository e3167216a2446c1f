package iottest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// A policy is an AWS::IoT::Policy.
type policy struct {
	PolicyName     string
	PolicyDocument struct {
		Version   string
		Statement []statement
	}
	Tags any
}

type statement struct {
	Sid, Effect      string
	Action, Resource oneOrMore
	Condition        map[string]map[string]string
}

// oneOrMore is a JSON string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// A connection has the values of a policy's variables.
type connection struct {
	thing  string // empty: the certificate is attached to no thing
	client string
}

// check returns an error for a statement that the package does not emulate.
func (p policy) check() error {
	for _, s := range p.PolicyDocument.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" {
			return fmt.Errorf("iottest does not emulate effect %q", s.Effect)
		}
		for operator, keys := range s.Condition {
			for key, value := range keys {
				if operator != "Bool" || key != "iot:Connection.Thing.IsAttached" ||
					value != "true" {
					return fmt.Errorf("iottest does not emulate condition %s %s %s",
						operator, key, value)
				}
			}
		}
	}
	return nil
}

// allows reports whether the policy allows an action: "AWS IoT Core policies" in the AWS IoT Core
// Developer Guide. An explicit deny overrides an allow, and the default is deny.
func (p policy) allows(by connection, action, kind, name string) bool {
	allowed := false
	for _, s := range p.PolicyDocument.Statement {
		if len(s.Condition) > 0 && by.thing == "" || !matchesAny(s.Action, action, connection{}) {
			continue
		}
		// The account and the region are ignored: they come from the template.
		resource := kind + "/" + name
		var resources []string
		for _, arn := range s.Resource {
			if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
				arn = parts[5]
			}
			resources = append(resources, arn)
		}
		if !matchesAny(resources, resource, by) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func matchesAny(patterns []string, value string, by connection) bool {
	for _, pattern := range patterns {
		variables := map[string]string{
			"${iot:Connection.Thing.ThingName}": by.thing, "${iot:ClientId}": by.client,
		}
		known := true
		var expression strings.Builder
		for pattern != "" && known {
			switch {
			case strings.HasPrefix(pattern, "${"):
				end := strings.IndexByte(pattern, '}') + 1
				variable := variables[pattern[:end]]
				// A pattern with a variable that has no value matches nothing.
				known = end > 0 && variable != ""
				expression.WriteString(regexp.QuoteMeta(variable))
				pattern = pattern[end:]
				continue
			case pattern[0] == '*':
				expression.WriteString(".*")
			case pattern[0] == '?':
				expression.WriteString(".")
			default:
				expression.WriteString(regexp.QuoteMeta(pattern[:1]))
			}
			pattern = pattern[1:]
		}
		if known && compiled(`(?s)\A`+expression.String()+`\z`).MatchString(value) {
			return true
		}
	}
	return false
}

// expressions caches the compiled expressions by their text: the policy is evaluated for each
// publication, and compiling takes as long as all other work for a publication.
var expressions sync.Map

func compiled(text string) *regexp.Regexp {
	if known, ok := expressions.Load(text); ok {
		return known.(*regexp.Regexp)
	}
	expression := regexp.MustCompile(text)
	expressions.Store(text, expression)
	return expression
}
