package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// unmarshal is stricter than encoding/json by itself: text is UTF-8, and no name comes twice in an object. So a client
// learns of its mistake and not that a value went missing.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return errors.New("not JSON in UTF-8")
	}
	if name, twice := findDuplicate(data); twice {
		return fmt.Errorf("%.40q comes twice; send it once", name)
	}
	return json.Unmarshal(data, v)
}

// findDuplicate finds a name that comes twice in one object of data, which is valid JSON.
func findDuplicate(data []byte) (name string, twice bool) {
	type level struct {
		names map[string]bool // nil in a list
		value bool            // a value comes next, not a name
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
