package check_test

import (
	"fmt"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/check"
)

func TestFilterPolicy(t *testing.T) {
	many := make([]string, 13)
	for _, test := range []struct {
		filter map[string][]string
		want   string
	}{
		{nil, ""},
		{map[string][]string{"event": {"created", "deleted"}}, ""},
		{map[string][]string{"a": {""}, "b": {""}, "c": {""}, "d": {""}, "e": {""}}, ""},
		{map[string][]string{"": {"a"}}, "Filter: map[:[a]], want names of message attributes " +
			"that are not empty"},
		{map[string][]string{"event": {}}, "Filter[event]: [], want at least one value"},
		{map[string][]string{"a": {""}, "b": {""}, "c": {""}, "d": {""}, "e": {""}, "f": {""}},
			"Filter: number of names: 6, want 0 to 5"},
		{map[string][]string{"a": many, "b": many},
			"Filter: number of combinations of values: 169, want 1 to 150"},
	} {
		got := ""
		if err := check.FilterPolicy("Filter", test.filter); err != nil {
			got = fmt.Sprint(err)
		}
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.filter, got, test.want)
		}
	}
}
