package iottest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A query is an AWS IoT SQL statement: named expressions over the publications to a topic filter.
type query struct {
	fields []field
	filter string
}

type field struct {
	name  string
	value expression
}

// An expression is a function call, a literal, or * for the unchanged payload.
type expression struct {
	function  string
	arguments []expression
	literal   any
}

// A template is text with expressions: "Substitution templates" in the AWS IoT Core Developer
// Guide.
type template []any // of string and expression

func parseQuery(sql string) (query, error) {
	p := &parser{rest: sql}
	if !p.word("SELECT") {
		return query{}, p.failure("SELECT")
	}
	var q query
	for {
		value, err := p.expression()
		if err != nil {
			return query{}, err
		}
		if !p.word("AS") {
			return query{}, p.failure("AS")
		}
		name := p.identifier()
		if name == "" {
			return query{}, p.failure("a name")
		}
		q.fields = append(q.fields, field{name, value})
		if !p.symbol(",") {
			break
		}
	}
	if !p.word("FROM") {
		return query{}, p.failure("FROM")
	}
	filter, err := p.expression()
	if err != nil {
		return query{}, err
	}
	var ok bool
	if q.filter, ok = filter.literal.(string); !ok || p.space() != "" {
		return query{}, p.failure("a topic filter and nothing after it")
	}
	return q, nil
}

func parseTemplate(text string) (template, error) {
	var found template
	for {
		before, after, ok := strings.Cut(text, "${")
		found = append(found, before)
		if !ok {
			return found, nil
		}
		p := &parser{rest: after}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		if !p.symbol("}") {
			return nil, p.failure("}")
		}
		found, text = append(found, value), p.rest
	}
}

// A parser parses a statement.
type parser struct{ rest string } // the text that is not parsed yet

func (p *parser) space() string {
	p.rest = strings.TrimLeft(p.rest, " \n\t")
	return p.rest
}

func (p *parser) failure(want string) error {
	return fmt.Errorf("at %q: want %s; iottest emulates only a part of AWS IoT SQL", p.rest, want)
}

func (p *parser) symbol(symbol string) bool {
	rest, ok := strings.CutPrefix(p.space(), symbol)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) word(keyword string) bool {
	before := p.rest
	if p.space(); strings.EqualFold(p.identifier(), keyword) {
		return true
	}
	p.rest = before
	return false
}

func (p *parser) identifier() string {
	p.space()
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		end = len(p.rest)
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return name
}

func (p *parser) expression() (expression, error) {
	switch c := p.space(); {
	case p.symbol("*"):
		return expression{function: "*"}, nil
	case c != "" && (c[0] == '\'' || c[0] == '"'):
		text, rest, ok := strings.Cut(c[1:], c[:1])
		if !ok {
			return expression{}, p.failure("the end of a string")
		}
		p.rest = rest
		return expression{literal: text}, nil
	}
	name := p.identifier()
	if number, err := strconv.Atoi(name); err == nil {
		return expression{literal: number}, nil
	}
	call := expression{function: strings.ToLower(name)}
	if name == "" || !p.symbol("(") {
		return expression{}, p.failure("a function and its arguments")
	}
	for !p.symbol(")") {
		if len(call.arguments) > 0 && !p.symbol(",") {
			return expression{}, p.failure(", or )")
		}
		argument, err := p.expression()
		if err != nil {
			return expression{}, err
		}
		call.arguments = append(call.arguments, argument)
	}
	// An invalid call is an error now: it would fail for all publications, never only for some.
	if _, err := call.evaluate(publication{topic: "a"}); err != nil {
		return expression{}, err
	}
	return call, nil
}

// evaluate returns the statement's result as a JSON object.
func (q query) evaluate(p publication) ([]byte, error) {
	var object []byte
	for i, field := range q.fields {
		value, err := field.value.evaluate(p)
		if err != nil {
			return nil, err
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		object = append(object, "{,"[min(i, 1)])
		object = append(strconv.AppendQuote(object, field.name), ':')
		object = append(object, encoded...)
	}
	return append(object, '}'), nil
}

func (t template) evaluate(p publication) (string, error) {
	var text strings.Builder
	for _, part := range t {
		if call, ok := part.(expression); ok {
			var err error
			if part, err = call.evaluate(p); err != nil {
				return "", err
			}
		}
		fmt.Fprint(&text, part)
	}
	return text.String(), nil
}

// evaluate returns the value of an expression. It emulates the functions that our rule calls:
// "Functions" in the AWS IoT Core Developer Guide.
func (e expression) evaluate(p publication) (any, error) {
	if e.literal != nil {
		return e.literal, nil
	}
	var values []any
	for _, argument := range e.arguments {
		if argument.function == "*" {
			values = append(values, p.payload)
			continue
		}
		value, err := argument.evaluate(p)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	switch {
	case e.function == "encode" && len(values) == 2 && values[1] == "base64":
		if payload, ok := values[0].([]byte); ok {
			return base64.StdEncoding.EncodeToString(payload), nil
		}
	case e.function == "topic" && len(values) == 0:
		return p.topic, nil
	case e.function == "timestamp" && len(values) == 0:
		return p.at.UnixMilli(), nil
	case e.function == "newuuid" && len(values) == 0:
		return uuid.NewString(), nil
	case e.function == "parse_time" && len(values) == 2 && values[0] == "yyyy-MM-dd":
		if at, ok := values[1].(int64); ok {
			return time.UnixMilli(at).UTC().Format(time.DateOnly), nil
		}
	}
	return nil, errors.New("iottest does not emulate " + e.function + " with such arguments")
}
