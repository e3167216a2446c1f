// Package lambdaenv passes a function's settings from the stack that declares it to the code that
// runs in it: one struct, encoded as environment variables by the stack and loaded at start-up by
// the function.
//
// A field is a setting when it has an env tag:
//
//	type Settings struct {
//		Sender   string         `env:"SENDER"`
//		Timeout  time.Duration  `env:"TIMEOUT"`
//		Origins  []string       `env:"ORIGINS,optional"`
//		Database mysqlconn.Settings // a struct without a tag is part of this one
//		Archive  mysqlconn.Settings `envPrefix:"ARCHIVE_"` // its variables have this prefix
//	}
//
// Strings, booleans, integers, [time.Duration], []string and []int can be settings. A setting is
// required: a zero value is an omission, with which the stack does not synthesize and the function
// does not start. An optional setting may be zero, as any boolean may; a zero setting has no
// variable.
//
// A string may be a CDK token: it is passed on unchanged, and CloudFormation replaces it with the
// value.
package lambdaenv

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A FieldError is an invalid setting.
type FieldError struct {
	Variable string // the environment variable
	Field    string // the Go field, from the settings struct down: Settings.Database.Port
	Problem  string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s (%s): %s", e.Variable, e.Field, e.Problem)
}

// Encode returns the environment variables of a settings struct. Zero settings have none: [Check]
// reports whether one of them is required. The error joins a [*FieldError] for every value that has
// no lossless encoding.
func Encode(settings any) (map[string]string, error) {
	fields, err := fieldsOf(reflect.TypeOf(settings))
	if err != nil {
		return nil, err
	}
	value := reflect.ValueOf(settings)
	variables := make(map[string]string, len(fields))
	var problems []error
	for _, field := range fields {
		fieldValue := value.FieldByIndex(field.index)
		if fieldValue.IsZero() {
			continue
		}
		text, err := encode(fieldValue)
		if err != nil {
			problems = append(problems, field.error(err.Error()))
			continue
		}
		variables[field.variable] = text
	}
	return variables, errors.Join(problems...)
}

// Check validates variables for the settings struct that will be loaded from them. The error joins
// a [*FieldError] for every required setting that is missing, every value that cannot be loaded,
// and every variable that the struct does not read. Only the type of settings matters.
func Check(settings any, variables map[string]string) error {
	settingsType := reflect.TypeOf(settings)
	fields, err := fieldsOf(settingsType)
	if err != nil {
		return err
	}
	problems := []error{decodeInto(reflect.New(settingsType).Elem(), fields,
		func(name string) (string, bool) {
			text, ok := variables[name]
			return text, ok
		})}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.variable == name }) {
			problems = append(problems, &FieldError{
				Variable: name,
				Field:    settingsType.String(),
				Problem: fmt.Sprintf("no field reads it; add the struct that has it, or a "+
					"field with the tag env:%q, to the function's settings", name),
			})
		}
	}
	return errors.Join(problems...)
}

// Reads reports whether a settings struct has a field for the variable. Only the type of settings
// matters.
func Reads(settings any, variable string) bool {
	fields, _ := fieldsOf(reflect.TypeOf(settings)) // Check reports the error
	return slices.ContainsFunc(fields, func(f field) bool { return f.variable == variable })
}

// Load reads the settings of type T from the process's environment. The error joins a [*FieldError]
// for every setting that is missing or malformed.
func Load[T any]() (T, error) {
	var settings T
	value := reflect.ValueOf(&settings).Elem()
	fields, err := fieldsOf(value.Type())
	if err != nil {
		return settings, err
	}
	if err := decodeInto(value, fields, os.LookupEnv); err != nil {
		var zero T
		return zero, err
	}
	return settings, nil
}

// MustLoad is like [Load] but panics on an error: a function with incomplete settings must not
// start.
func MustLoad[T any]() T {
	settings, err := Load[T]()
	if err != nil {
		panic(fmt.Errorf("lambdaenv: %w", err))
	}
	return settings
}

type field struct {
	variable string
	path     string
	index    []int
	optional bool
}

func (f field) error(problem string) *FieldError {
	return &FieldError{Variable: f.variable, Field: f.path, Problem: problem}
}

// Lambda rejects other names, and sets these variables itself: Environment of CreateFunction in the
// AWS Lambda API Reference, and "Defined runtime environment variables" in the AWS Lambda Developer
// Guide.
var (
	variablePattern   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)
	reservedVariables = []string{
		"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME",
		"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
		"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API",
		"AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR",
		"LAMBDA_TASK_ROOT",
	}
)

var durationType = reflect.TypeFor[time.Duration]()

// fieldsOf returns the settings of a struct type. The error joins a [*FieldError] for every field
// that cannot be encoded.
func fieldsOf(settingsType reflect.Type) ([]field, error) {
	if settingsType == nil || settingsType.Kind() != reflect.Struct {
		return nil, fmt.Errorf("settings are %v, want a struct", settingsType)
	}
	var fields []field
	var problems []error
	seen := map[string]string{}
	var walk func(structType reflect.Type, path, prefix string, index []int)
	walk = func(structType reflect.Type, path, prefix string, index []int) {
		for i := range structType.NumField() {
			structField := structType.Field(i)
			f := field{path: path + "." + structField.Name, index: append(slices.Clone(index), i)}
			tag, tagged := structField.Tag.Lookup("env")
			if !tagged && structField.Type.Kind() == reflect.Struct {
				if !structField.IsExported() && !structField.Anonymous {
					problems = append(problems, f.error("is not exported"))
					continue
				}
				walk(structField.Type, f.path, prefix+structField.Tag.Get("envPrefix"), f.index)
				continue
			}
			name, option, _ := strings.Cut(tag, ",")
			if name != "" {
				name = prefix + name
			}
			f.variable, f.optional = name, option == "optional" ||
				structField.Type.Kind() == reflect.Bool
			switch {
			case name == "":
				problems = append(problems, f.error("has no env tag"))
			case !variablePattern.MatchString(name) || slices.Contains(reservedVariables, name):
				problems = append(problems, f.error(
					"is a variable that Lambda rejects; use letters, digits and _, and no name "+
						"that Lambda sets itself"))
			case !structField.IsExported():
				problems = append(problems, f.error("is not exported"))
			case option != "" && option != "optional":
				problems = append(problems,
					f.error(fmt.Sprintf("has the unknown option %q; want optional", option)))
			case !supported(structField.Type):
				problems = append(problems, f.error(fmt.Sprintf(
					"is a %s; want string, bool, integer, time.Duration, []string or []int",
					structField.Type)))
			case seen[name] != "":
				problems = append(problems, f.error("has the same variable as "+seen[name]))
			}
			seen[name] = f.path
			fields = append(fields, f)
		}
	}
	walk(settingsType, settingsType.Name(), "", nil)
	return fields, errors.Join(problems...)
}

func supported(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32,
		reflect.Int64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String || t.Elem().Kind() == reflect.Int
	default:
		return false
	}
}

func encode(value reflect.Value) (string, error) {
	var text string
	switch {
	case value.Type() == durationType:
		text = time.Duration(value.Int()).String()
	case value.Kind() == reflect.String:
		text = value.String()
	case value.Kind() == reflect.Bool:
		text = strconv.FormatBool(value.Bool())
	case value.Kind() == reflect.Slice:
		items := make([]string, value.Len())
		for i := range items {
			item, err := encode(value.Index(i))
			if err != nil {
				return "", err
			}
			items[i] = item
			if items[i] == "" || strings.Contains(items[i], ",") {
				return "", fmt.Errorf("item %d is %q; want no empty item and no comma", i, items[i])
			}
		}
		text = strings.Join(items, ",")
	default:
		text = strconv.FormatInt(value.Int(), 10)
	}
	if strings.ContainsRune(text, 0) {
		return "", errors.New("has a NUL byte, which no environment variable can hold")
	}
	return text, nil
}

func decodeInto(settings reflect.Value, fields []field, lookup func(string) (string, bool)) error {
	var problems []error
	for _, f := range fields {
		text, ok := lookup(f.variable)
		if !ok || text == "" {
			if !f.optional {
				problems = append(problems,
					f.error("is missing; set it, or call the grant that fills it"))
			}
			continue
		}
		value := settings.FieldByIndex(f.index)
		if strings.HasPrefix(text, "${Token[") && value.Kind() != reflect.String {
			continue // a CDK token: CloudFormation replaces it with a value that is not known yet
		}
		if err := decode(value, text); err != nil {
			problems = append(problems, f.error(err.Error()))
		} else if value.IsZero() && !f.optional {
			problems = append(problems,
				f.error(fmt.Sprintf("is %s; a required setting cannot be zero", text)))
		}
	}
	return errors.Join(problems...)
}

func decode(value reflect.Value, text string) error {
	switch {
	case value.Type() == durationType:
		duration, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("is %q; want a duration such as 1m30s", text)
		}
		value.SetInt(int64(duration))
	case value.Kind() == reflect.String:
		value.SetString(text)
	case value.Kind() == reflect.Bool:
		truth, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("is %q; want true or false", text)
		}
		value.SetBool(truth)
	case value.Kind() == reflect.Slice:
		items := strings.Split(text, ",")
		value.Set(reflect.MakeSlice(value.Type(), len(items), len(items)))
		for i, item := range items {
			if err := decode(value.Index(i), item); err != nil {
				return fmt.Errorf("item %d %w", i, err)
			}
		}
	default:
		number, err := strconv.ParseInt(text, 10, value.Type().Bits())
		if err != nil {
			return fmt.Errorf("is %q; want an integer of %d bits", text, value.Type().Bits())
		}
		value.SetInt(number)
	}
	return nil
}
