// Package check validates the props of constructs: it reports all problems at once, before the
// first resource is declared.
package check

import (
	"errors"
	"fmt"
)

// Props panics with all problems that are not nil. It does not return an error, because invalid
// props are a bug in the app.
func Props(construct, id string, problems ...error) {
	var all []error
	for _, problem := range problems {
		if problem != nil {
			all = append(all, fmt.Errorf("%s: %s: %w", construct, id, problem))
		}
	}
	if len(all) > 0 {
		panic(errors.Join(all...))
	}
}

// Required returns a problem unless the prop is set; the remedy states what to pass.
func Required(prop string, set bool, remedy string) error {
	if set {
		return nil
	}
	return fmt.Errorf("%s is required; %s", prop, remedy)
}

// That returns a problem unless the prop's value is valid.
func That(prop string, value any, ok bool, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s: %v, want %s", prop, value, want)
}
