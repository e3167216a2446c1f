package validate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

func TestError_Check(t *testing.T) {
	var invalid validate.Error
	if err := invalid.OrNil(); err != nil {
		t.Errorf("nothing was checked: %v", err)
	}
	invalid.Check("title", validate.Required("x"), validate.NotBlank("x"), validate.UTF8("ß"),
		validate.NoControl("\n", "\n"),
		validate.AtMost("🪨🪨", 2), validate.VisibleASCII("!~"))
	if err := invalid.OrNil(); err != nil {
		t.Errorf("no problem: %v", err)
	}
	invalid.Check("title", "", "is first", "is second")
	invalid.Check("body", "is wrong")
	want := []validate.Problem{
		{Field: "title", Problem: "is first"}, {Field: "body", Problem: "is wrong"},
	}
	if diff := cmp.Diff(want, invalid.Problems); diff != "" {
		t.Error(diff)
	}
	if err := invalid.OrNil(); err == nil ||
		err.Error() != "invalid: title is first; body is wrong" {
		t.Errorf("got %v", err)
	}
}

func TestChecks_return_problem_and_remedy(t *testing.T) {
	for want, got := range map[string]string{
		"is empty; it is required":                             validate.Required(""),
		"is only spaces; write at least one visible character": validate.NotBlank(" \u2003"),
		"is not valid UTF-8":                                   validate.UTF8("\xff"),
		"has the control character U+0085; remove it": validate.NoControl("\n\u0085",
			"\n"),
		"has 3 characters; at most 2 are allowed":                 validate.AtMost("🪨ßa", 2),
		"has the character U+0020; only visible ASCII is allowed": validate.VisibleASCII("a b"),
		"has the character U+00E9; only visible ASCII is allowed": validate.VisibleASCII("é"),
		"is not a BCP 47 language tag such as en or pt-BR":        validate.LanguageTag("pt_BR"),
		"has the character U+007F; only visible ASCII is allowed": validate.VisibleASCII("\x7f"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
