// Package check provides the rules of props and settings: each is one function, which constructs
// and environments share. It is plain Go: a CDK token in a string is recognized by its text, and
// accepted where its value is not known at synthesis.
//
// A rule takes the name of the prop and its value, and returns an error that states the prop, the
// value and what is wanted, or nil. [Props] and [Call] report all problems at once, before the
// first resource is declared.
package check

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Problem is an invalid value of a prop.
type Problem struct {
	Prop string // Zones[1]
	Got  string // the value, shortened: it may be a whole file, passed by mistake
	Want string
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%s: %s, want %s", p.Prop, p.Got, p.Want)
}

// Props panics with all problems of a construct's props that are not nil. It does not return an
// error, because invalid props are a bug in the app.
func Props(construct, id string, problems ...error) {
	if all := Named(construct+": "+id, problems...); len(all) > 0 {
		panic(errors.Join(all...))
	}
}

// Call panics with all problems of the arguments of a construct's method that are not nil.
func Call(construct, id, method string, problems ...error) {
	Props(construct, id+"."+method, problems...)
}

// Problems returns the problems of values among the errors of rules, those of joined errors one by
// one.
func Problems(rules ...error) []*Problem {
	var all []*Problem
	for _, err := range flatten(rules) {
		if problem := (*Problem)(nil); errors.As(err, &problem) {
			all = append(all, problem)
		}
	}
	return all
}

// Named returns the problems that are not nil, those of joined errors one by one, each after the
// name of what has it: Templates: en.txt is missing.
func Named(name string, problems ...error) []error {
	var all []error
	for _, problem := range flatten(problems) {
		all = append(all, fmt.Errorf("%s: %w", name, problem))
	}
	return all
}

// flatten returns the problems that are not nil, those of joined errors one by one.
func flatten(problems []error) []error {
	var all []error
	for _, problem := range problems {
		if joined, ok := problem.(interface{ Unwrap() []error }); ok {
			all = append(all, flatten(joined.Unwrap())...)
		} else if problem != nil {
			all = append(all, problem)
		}
	}
	return all
}

// Required returns a problem unless the prop is set; the remedy states what to pass.
func Required(prop string, set bool, remedy string) error {
	if set {
		return nil
	}
	return fmt.Errorf("%s is required; %s", prop, remedy)
}

// NotNil returns a problem if value is nil, or an interface that holds a nil pointer; the remedy
// states what to pass.
func NotNil(prop string, value any, remedy string) error {
	set := value != nil
	if set {
		switch v := reflect.ValueOf(value); v.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
			set = !v.IsNil()
		}
	}
	return Required(prop, set, remedy)
}

// That returns a problem unless the prop's value is valid.
func That(prop string, value any, ok bool, want string) error {
	if ok {
		return nil
	}
	got := fmt.Sprint(value)
	if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' }) {
		got = strconv.Quote(got)
	}
	return &Problem{Prop: prop, Got: shorten(got), Want: want}
}

// text returns a problem, with the value in quotes, unless it is valid.
func text(prop, value string, ok bool, want string) error {
	if ok {
		return nil
	}
	return &Problem{Prop: prop, Got: quote(value), Want: want}
}

// IfSet applies a rule to an optional prop: the zero value has no problem.
func IfSet[T comparable](prop string, value T, rule func(prop string, value T) error) error {
	var zero T
	if value == zero {
		return nil
	}
	return rule(prop, value)
}

// Each applies a rule to each item of a prop: Origins[0], Origins[1] and so on.
func Each[T any](prop string, items []T, rule func(prop string, value T) error) error {
	var problems []error
	for i, item := range items {
		problems = append(problems, rule(fmt.Sprintf("%s[%d]", prop, i), item))
	}
	return errors.Join(problems...)
}

// maxGot is the length of a value in a message, in bytes.
const maxGot = 200

func quote(value string) string {
	if len(value) <= maxGot {
		return strconv.Quote(value)
	}
	return strconv.Quote(cut(value)) + "…"
}

func shorten(value string) string {
	if len(value) <= maxGot {
		return value
	}
	return cut(value) + "…"
}

// cut returns the start of a long value, without a part of a character.
func cut(value string) string {
	end := maxGot
	for !utf8.RuneStart(value[end]) {
		end--
	}
	return value[:end]
}
