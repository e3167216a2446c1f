package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

func valid() accounts.Profile {
	return accounts.Profile{
		Subject: "1f0c9b1e-0001", DisplayName: "Ada", Bio: "Cuts stones.\n\tSecond line.",
		Language: "en-GB",
	}
}

func TestProfile_Validate_accepts(t *testing.T) {
	for name, change := range map[string]func(*accounts.Profile){
		"unchanged":           func(*accounts.Profile) {},
		"no bio, no language": func(p *accounts.Profile) { p.Bio, p.Language = "", "" },
		"longest name in runes": func(p *accounts.Profile) {
			p.DisplayName = strings.Repeat("🪨", accounts.MaxDisplayName)
		},
		"longest bio in runes": func(p *accounts.Profile) {
			p.Bio = strings.Repeat("ß", accounts.MaxBio)
		},
		"longest subject": func(p *accounts.Profile) {
			p.Subject = strings.Repeat("s", validate.MaxUserName)
		},
		"surrounding spaces":        func(p *accounts.Profile) { p.DisplayName = " Ada " },
		"script and region subtags": func(p *accounts.Profile) { p.Language = "zh-Hant-TW" },
		"variant with digits":       func(p *accounts.Profile) { p.Language = "de-CH-1996" },
		"joined emoji":              func(p *accounts.Profile) { p.DisplayName = "👩‍🔬" },
	} {
		p := valid()
		change(&p)
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProfile_Validate_rejects(t *testing.T) {
	for name, test := range map[string]struct {
		change         func(*accounts.Profile)
		field, problem string
	}{
		"empty subject": {func(p *accounts.Profile) {
			p.Subject = ""
		}, "subject", "is empty; it is required"},
		"subject not ASCII": {func(p *accounts.Profile) {
			p.Subject = "é"
		}, "subject", "has the character U+00E9; only visible ASCII is allowed"},
		"subject with space": {func(p *accounts.Profile) {
			p.Subject = "a b"
		}, "subject", "has the character U+0020; only visible ASCII is allowed"},
		"long subject": {func(p *accounts.Profile) {
			p.Subject = strings.Repeat("s", 129)
		}, "subject", "has 129 characters; at most 128 are allowed"},
		"empty name": {func(p *accounts.Profile) {
			p.DisplayName = ""
		}, "displayName", "is empty; it is required"},
		"blank name": {func(p *accounts.Profile) {
			p.DisplayName = " \u2003"
		}, "displayName", "is only spaces; write at least one visible character"},
		"name of two lines": {func(p *accounts.Profile) {
			p.DisplayName = "A\nB"
		}, "displayName", "has the control character U+000A; remove it"},
		"long name": {func(p *accounts.Profile) {
			p.DisplayName = strings.Repeat("🪨", 81)
		}, "displayName", "has 81 characters; at most 80 are allowed"},
		"name not UTF-8": {func(p *accounts.Profile) {
			p.DisplayName = "A\xff"
		}, "displayName", "is not valid UTF-8"},
		"bio with NUL": {func(p *accounts.Profile) {
			p.Bio = "a\x00"
		}, "bio", "has the control character U+0000; remove it"},
		"bio with DEL": {func(p *accounts.Profile) {
			p.Bio = "a\x7f"
		}, "bio", "has the control character U+007F; remove it"},
		"long bio": {func(p *accounts.Profile) {
			p.Bio = strings.Repeat("b", 501)
		}, "bio", "has 501 characters; at most 500 are allowed"},
		"long language": {func(p *accounts.Profile) {
			p.Language = "en" + strings.Repeat("-abcdefg", 5)
		}, "language", "has 42 characters; at most 35 are allowed"},
		"language name": {func(p *accounts.Profile) {
			p.Language = "Klingonese"
		}, "language", "is not a BCP 47 language tag such as en or pt-BR"},
		"underscore": {func(p *accounts.Profile) {
			p.Language = "pt_BR"
		}, "language", "is not a BCP 47 language tag such as en or pt-BR"},
		"trailing hyphen": {func(p *accounts.Profile) {
			p.Language = "en-"
		}, "language", "is not a BCP 47 language tag such as en or pt-BR"},
		"one letter": {func(p *accounts.Profile) {
			p.Language = "e"
		}, "language", "is not a BCP 47 language tag such as en or pt-BR"},
	} {
		p := valid()
		test.change(&p)
		var invalid *validate.Error
		if err := p.Validate(); !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, want a validate.Error", name, err)
			continue
		}
		want := []validate.Problem{{Field: test.field, Problem: test.problem}}
		if diff := cmp.Diff(want, invalid.Problems); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestProfile_Validate_reports_all_problems(t *testing.T) {
	err := accounts.Profile{Bio: "\x00", Language: "_"}.Validate()
	want := "invalid: subject is empty; it is required; displayName is empty; it is required; " +
		"bio has the control character U+0000; remove it; language is not a BCP 47 language tag " +
		"such as en or pt-BR"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
