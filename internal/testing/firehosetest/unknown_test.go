package firehosetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfiguration_check changes the settings that Dev is deployed with: a setting that
// firehosetest does not emulate must be an error.
func TestConfiguration_check(t *testing.T) {
	template, err := os.ReadFile(
		filepath.Join("..", "..", "..", "test", "golden", "Dev", "Telemetry.json"))
	if err != nil {
		t.Fatal(err)
	}
	for change, says := range map[string]string{
		"":                                  "",
		`"Enabled": true|"Enabled": false`:  "want",
		`"OpenXJsonSerDe"|"HiveJsonSerDe"`:  `unknown field "HiveJsonSerDe"`,
		`"ParquetSerDe"|"OrcSerDe"`:         `unknown field "OrcSerDe"`,
		`"UNCOMPRESSED"|"GZIP"`:             "want no compression",
		`"GZIP"|"ZIP"`:                      "want raw copies",
		`timestamp:yyyy-MM-dd|timestamp:HH`: "does not emulate !{timestamp:HH}",
		`KeyFromLambda|KeyFromQuery`:        "does not emulate !{partitionKeyFromQuery:type}",

		`firehose:error-output-type|firehose:random-string`: "want an error prefix",

		`"NumberOfRetries"|"Retries"`:         "Retries: firehosetest does not emulate it",
		`"ErrorOutputPrefix"|"FileExtension"`: `unknown field "FileExtension"`,
	} {
		text := string(template)
		if from, to, ok := strings.Cut(change, "|"); ok {
			if !strings.Contains(text, from) {
				t.Fatalf("the template does not contain %s", from)
			}
			text = strings.ReplaceAll(text, from, to)
		}
		var resources struct {
			Resources map[string]struct {
				Type       string
				Properties map[string]any
			}
		}
		if err := json.Unmarshal([]byte(text), &resources); err != nil {
			t.Fatal(err)
		}
		for _, found := range resources.Resources {
			if found.Type != "AWS::KinesisFirehose::DeliveryStream" {
				continue
			}
			var r resource
			err := decode(withNames(found.Properties).(map[string]any), &r)
			if err == nil {
				_, err = r.ExtendedS3DestinationConfiguration.check()
			}
			if says == "" && err != nil ||
				says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
				t.Errorf("%s: %v, want %q", change, err, says)
			}
		}
	}
}

// withNames replaces each reference with an ARN.
func withNames(value any) any {
	object, ok := value.(map[string]any)
	if list, isList := value.([]any); isList {
		for i, element := range list {
			list[i] = withNames(element)
		}
	}
	if !ok {
		return value
	}
	if object["Ref"] != nil || object["Fn::GetAtt"] != nil {
		return "arn:aws:s3:::named"
	}
	for name, element := range object {
		object[name] = withNames(element)
	}
	return object
}

func TestTable_check(t *testing.T) {
	var c configuration
	c.BucketARN, c.Prefix = "arn:aws:s3:::b", "telemetry/type=!{partitionKeyFromLambda:type}/"
	var declared table
	declared.TableInput.PartitionKeys = []struct{ Name, Type, Comment string }{{Name: "type"}}
	for location, fits := range map[string]bool{
		"s3://b/telemetry/type=${type}/": true, "s3://b/telemetry/kind=${type}/": false,
		"s3://c/telemetry/type=${type}/": false,
	} {
		declared.TableInput.Parameters = map[string]string{"storage.location.template": location}
		if err := declared.check(c); (err == nil) != fits {
			t.Errorf("%s: %v", location, err)
		}
	}
	declared.TableInput.Name = "another"
	if declared.check(c) == nil {
		t.Error("no error for another table")
	}
}
