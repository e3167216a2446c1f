package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// token matches a CDK token in a string, or one for a list of strings: "Tokens and the AWS CDK" in
// the AWS CDK Developer Guide.
var token = regexp.MustCompile(`[$#]\{Token\[[^\]]*\]\}`)

func hasToken(value string) bool { return token.MatchString(value) }

// NoToken accepts a text without CDK tokens: where it is not part of a template, for example in a
// file, CloudFormation does not replace them. The remedy states what to do instead.
func NoToken(prop, content, remedy string) error {
	found := token.FindString(content)
	if found == "" {
		return nil
	}
	return fmt.Errorf("%s: has the CDK token %s, which stays as it is; %s",
		prop, shorten(found), remedy)
}

// JSON accepts a JSON text, which may have CDK tokens as values and in strings.
func JSON(prop, content string) error {
	// As a digit, a token is valid where a value is and inside a string.
	return text(prop, content, json.Valid([]byte(token.ReplaceAllString(content, "0"))), "JSON")
}

// Range accepts an integer from least to most.
func Range[T ~int | ~int32 | ~int64](prop string, value, least, most T) error {
	return That(prop, value, value >= least && value <= most, fmt.Sprintf("%d to %d", least, most))
}

// Duration accepts a whole number of units from least to most; 0 as most means no upper limit.
func Duration(prop string, value, least, most, unit time.Duration) error {
	units := "multiples of " + unit.String()
	switch unit {
	case time.Second:
		units = "whole seconds"
	case time.Minute:
		units = "whole minutes"
	case time.Hour:
		units = "whole hours"
	case day:
		units = "whole days"
	}
	limits := fmt.Sprintf("%s to %s", least, most)
	if most == 0 {
		limits = fmt.Sprintf("at least %s", least)
	}
	return That(prop, value, value >= least && (most == 0 || value <= most) && value%unit == 0,
		units+", "+limits)
}

const day = 24 * time.Hour

// NoDuplicates accepts items that are all different.
func NoDuplicates[T comparable](prop string, items []T) error {
	var problems []error
	for i, item := range items {
		got := fmt.Sprint(item)
		if s, ok := any(item).(string); ok {
			got = strconv.Quote(s)
		}
		problems = append(problems, That(fmt.Sprintf("%s[%d]", prop, i), got,
			!slices.Contains(items[:i], item), "no duplicates"))
	}
	return errors.Join(problems...)
}
