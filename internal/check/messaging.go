package check

import (
	"errors"
	"maps"
	"slices"
)

// FilterPolicy accepts a filter of a subscription: names of message attributes, each with its
// values. "Filter policy constraints in Amazon SNS" in the Amazon SNS Developer Guide.
func FilterPolicy(prop string, filter map[string][]string) error {
	combinations := 1
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		values := filter[name]
		combinations *= max(1, len(values))
		problems = append(problems,
			That(prop, filter, name != "", "names of message attributes that are not empty"),
			That(prop+"["+name+"]", values, len(values) > 0, "at least one value"),
		)
	}
	return errors.Join(append(problems,
		Range(prop+": number of names", len(filter), 0, 5),
		Range(prop+": number of combinations of values", combinations, 1, 150),
	)...)
}
