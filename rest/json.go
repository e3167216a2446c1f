package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// unmarshal is stricter than encoding/json: text must be valid UTF-8, and an object must not have
// duplicate names. So a client gets an error instead of a lost value.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return errors.New("not valid JSON in UTF-8")
	}
	if name, ok := findDuplicate(data); ok {
		return fmt.Errorf("duplicate field %.40q; send it once", name)
	}
	return json.Unmarshal(data, v)
}

// findDuplicate finds a duplicate name in an object of data, which must be valid JSON.
func findDuplicate(data []byte) (name string, found bool) {
	type level struct {
		names map[string]bool // nil in an array
		value bool            // the next token is a value, not a name
	}
	var levels []level
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return "", false
		}
		top := len(levels) - 1
		if delimiter, ok := token.(json.Delim); ok && (delimiter == '}' || delimiter == ']') {
			levels = levels[:top]
			continue
		}
		if top >= 0 && levels[top].names != nil {
			if !levels[top].value {
				name, _ = token.(string)
				if levels[top].names[name] {
					return name, true
				}
				levels[top].names[name] = true
			}
			levels[top].value = !levels[top].value
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		}
	}
}
