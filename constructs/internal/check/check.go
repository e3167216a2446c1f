// Package check refuses props that a construct cannot be made from: all that is wrong at once, before the first
// resource is declared.
package check

import (
	"errors"
	"fmt"
)

// Props panics with every problem that is not nil. A program that declares a construct wrongly is mistaken in its
// source, so there is nothing that it could do with an error.
func Props(construct, id string, problems ...error) {
	var named []error
	for _, problem := range problems {
		if problem != nil {
			named = append(named, fmt.Errorf("%s: %s: %w", construct, id, problem))
		}
	}
	if len(named) > 0 {
		panic(errors.Join(named...))
	}
}

// Required is a problem unless the prop is set; the remedy says what to pass.
func Required(prop string, set bool, remedy string) error {
	if set {
		return nil
	}
	return fmt.Errorf("%s is required; %s", prop, remedy)
}

// That is a problem unless the prop's value is one that the construct wants.
func That(prop string, value any, ok bool, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s: %v, want %s", prop, value, want)
}
