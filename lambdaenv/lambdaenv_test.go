package lambdaenv_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
)

type mode string

type storage struct {
	Bucket string `env:"BUCKET"`
	Limit  int64  `env:"LIMIT"`
}

type settings struct {
	Sender  string        `env:"SENDER"`
	Mode    mode          `env:"MODE,optional"`
	Timeout time.Duration `env:"TIMEOUT"`
	Origins []string      `env:"ORIGINS,optional"`
	Widths  []int         `env:"WIDTHS,optional"`
	Small   int8          `env:"SMALL,optional"`
	Verbose bool          `env:"VERBOSE"`
	Storage storage
}

func drawSettings(t *rapid.T) settings {
	text := rapid.StringMatching(`[^\x00]+`)
	item := rapid.StringMatching(`[^\x00,]+`)
	return settings{
		Sender: text.Draw(t, "Sender"),
		Mode:   mode(rapid.StringMatching(`[^\x00]*`).Draw(t, "Mode")),
		Timeout: time.Duration(
			rapid.Int64().Filter(func(n int64) bool { return n != 0 }).Draw(t, "Timeout")),
		Origins: rapid.SliceOf(item).Draw(t, "Origins"),
		Widths:  rapid.SliceOf(rapid.Int()).Draw(t, "Widths"),
		Small:   rapid.Int8().Draw(t, "Small"),
		Verbose: rapid.Bool().Draw(t, "Verbose"),
		Storage: storage{
			Bucket: text.Draw(t, "Bucket"), Limit: rapid.Int64Range(1, 1<<62).Draw(t, "Limit"),
		},
	}
}

// names are the variables of settings.
var names = []string{
	"SENDER", "MODE", "TIMEOUT", "ORIGINS", "WIDTHS", "SMALL", "VERBOSE", "BUCKET", "LIMIT",
}

// restoreEnvironment restores the process's variables, which load changes, at the end of t.
func restoreEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range names {
		t.Setenv(name, "")
	}
}

// load loads settings from variables, as a function with that environment would.
func load(t interface{ Fatal(...any) }, variables map[string]string) (settings, error) {
	for _, name := range names {
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range variables {
		if err := os.Setenv(
			name, value); err != nil { //nolint:usetesting // a property test has no t.Setenv
			t.Fatal(err)
		}
	}
	return lambdaenv.Load[settings]()
}

func TestLoad_is_the_inverse_of_Encode(t *testing.T) {
	restoreEnvironment(t)
	rapid.Check(t, func(t *rapid.T) {
		want := drawSettings(t)
		variables, err := lambdaenv.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := lambdaenv.Check(settings{}, variables); err != nil {
			t.Fatal(err)
		}
		got, err := load(t, variables)
		if err != nil {
			t.Fatal(err)
		}
		if len(want.Origins) == 0 {
			want.Origins = nil // an empty list and none are the same setting
		}
		if len(want.Widths) == 0 {
			want.Widths = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestEncode_passes_tokens_on(t *testing.T) {
	const token = "${Token[TOKEN.123]}"
	variables, err := lambdaenv.Encode(
		settings{Sender: token, Origins: []string{token, "${Token[TOKEN.124]}"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"SENDER": token, "ORIGINS": token + ",${Token[TOKEN.124]}"}
	if diff := cmp.Diff(want, variables); diff != "" {
		t.Error(diff)
	}
}

var complete = map[string]string{
	"SENDER": "a@example.com", "TIMEOUT": "1m30s", "BUCKET": "b", "LIMIT": "5",
}

func TestCheck_and_Load_report_all_problems(t *testing.T) {
	restoreEnvironment(t)
	for name, test := range map[string]struct {
		set   map[string]string // added to complete settings; empty removes a variable
		wants []string
	}{
		"complete": {nil, nil},
		"missing": {map[string]string{"SENDER": "", "BUCKET": ""}, []string{
			"SENDER (settings.Sender): is missing; set it, or call the grant that fills it",
			"BUCKET (settings.Storage.Bucket): is missing; set it, or call the grant that fills it",
		}},
		"malformed": {map[string]string{"TIMEOUT": "90", "LIMIT": "five"}, []string{
			`TIMEOUT (settings.Timeout): is "90"; want a duration such as 1m30s`,
			`LIMIT (settings.Storage.Limit): is "five"; want an integer of 64 bits`,
		}},
		"zero": {
			map[string]string{"TIMEOUT": "0s"},
			[]string{"TIMEOUT (settings.Timeout): is 0s; a required setting cannot be zero"},
		},
		"no number": {
			map[string]string{"WIDTHS": "320,,640"},
			[]string{`WIDTHS (settings.Widths): item 1 is ""; want an integer of 64 bits`},
		},
		"too big": {
			map[string]string{"SMALL": "128"},
			[]string{`SMALL (settings.Small): is "128"; want an integer of 8 bits`},
		},
		"neither": {
			map[string]string{"VERBOSE": "maybe"},
			[]string{`VERBOSE (settings.Verbose): is "maybe"; want true or false`},
		},
		"optional, absent": {map[string]string{"MODE": "", "VERBOSE": ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			variables := maps.Clone(complete)
			for name, value := range test.set {
				if variables[name] = value; value == "" {
					delete(variables, name)
				}
			}
			_, loadErr := load(t, variables)
			for function, err := range map[string]error{
				"Check": lambdaenv.Check(settings{}, variables), "Load": loadErr,
			} {
				if got := lines(err); !cmp.Equal(got, test.wants) {
					t.Errorf("%s: %q, want %q", function, got, test.wants)
				}
				if fieldError := (*lambdaenv.FieldError)(nil); err != nil &&
					!errors.As(err, &fieldError) {
					t.Errorf("%s: error %v is no *FieldError", function, err)
				}
			}
		})
	}
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestCheck_accepts_tokens_of_any_type(t *testing.T) {
	variables := maps.Clone(complete)
	variables["LIMIT"], variables["TIMEOUT"] = "${Token[TOKEN.1]}", "${Token[TOKEN.2]}"
	if err := lambdaenv.Check(settings{}, variables); err != nil {
		t.Error(err)
	}
}

func TestCheck_unknown_variable(t *testing.T) {
	variables := maps.Clone(complete)
	variables["SENDR"] = "a@example.com"
	want := []string{
		"SENDR (lambdaenv_test.settings): no field reads it; add the struct that has it, or a " +
			`field with the tag env:"SENDR", to the function's settings`,
	}
	if got := lines(lambdaenv.Check(settings{}, variables)); !cmp.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEncode_values_without_lossless_encoding(t *testing.T) {
	_, err := lambdaenv.Encode(settings{Sender: "a\x00b", Origins: []string{"a,b"}})
	want := []string{
		"SENDER (settings.Sender): has a NUL byte, which no environment variable can hold",
		`ORIGINS (settings.Origins): item 0 is "a,b"; want no empty item and no comma`,
	}
	if got := lines(err); !cmp.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEncode_invalid_types(t *testing.T) {
	for want, settings := range map[string]any{
		"settings are int, want a struct": 1,
		"AA (.A): is a float64; want string, bool": struct {
			A float64 `env:"AA"`
		}{},
		"AA (.A): is a []bool; want string, bool": struct {
			A []bool `env:"AA"`
		}{},
		" (.A): has no env tag": struct{ A string }{},
		"AA (.a): is not exported": struct {
			a string `env:"AA"`
		}{},
		" (.a): is not exported": struct {
			a struct {
				A string `env:"AA"`
			}
		}{},
		`AA (.A): has the unknown option "required"`: struct {
			A string `env:"AA,required"`
		}{},
		"AA (.B): has the same variable as .A": struct {
			A, B string `env:"AA"`
		}{},
		"A-1 (.A): is a variable that Lambda rejects": struct {
			A string `env:"A-1"`
		}{},
		"AWS_REGION (.A): is a variable that Lambda rejects": struct {
			A string `env:"AWS_REGION"`
		}{},
	} {
		if _, err := lambdaenv.Encode(settings); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%T: error %v, want one that says %q", settings, err, want)
		}
	}
}

func TestEncode_adds_prefixes_to_variables(t *testing.T) {
	type database struct {
		Host string `env:"HOST"`
	}
	type nested struct {
		Orders database `envPrefix:"ORDERS_"`
	}
	type settings struct {
		Main    database
		Archive nested `envPrefix:"ARCHIVE_"`
	}
	want := settings{Main: database{"a"}, Archive: nested{database{"b"}}}
	variables, err := lambdaenv.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	wantVariables := map[string]string{"HOST": "a", "ARCHIVE_ORDERS_HOST": "b"}
	if diff := cmp.Diff(wantVariables, variables); diff != "" {
		t.Error(diff)
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
	got, err := lambdaenv.Load[settings]()
	if err != nil || got != want {
		t.Errorf("loaded %+v, %v, want %+v", got, err, want)
	}
}

func TestFiles_are_beside_the_executable(t *testing.T) {
	root := t.TempDir()
	t.Setenv("LAMBDA_TASK_ROOT", root)
	if _, err := fs.ReadFile(lambdaenv.Files(), "a.txt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v without files, want fs.ErrNotExist", err)
	}
	files := fstest.MapFS{"a.txt": {Data: []byte("a")}}
	if err := os.CopyFS(filepath.Join(root, lambdaenv.FilesFolder), files); err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(lambdaenv.Files(), "a.txt"); err != nil || string(text) != "a" {
		t.Errorf("a.txt is %q, %v, want a", text, err)
	}
}

func TestMustLoad_panics_without_settings(t *testing.T) {
	t.Setenv("SENDER", "")
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "SENDER") {
			t.Errorf("panicked with %v, want an error that names SENDER", err)
		}
	}()
	lambdaenv.MustLoad[struct {
		Sender string `env:"SENDER"`
	}]()
}
