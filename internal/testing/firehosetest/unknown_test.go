package firehosetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the stand-in does not know must not pass for what it does: each change of what Dev is deployed with is noticed.
func TestWhatTheStandInDoesNotKnowIsAnError(t *testing.T) {
	template, err := os.ReadFile(filepath.Join("..", "..", "..", "test", "golden", "Dev", "Telemetry.json"))
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
		`timestamp:yyyy-MM-dd|timestamp:HH`: "does not know !{timestamp:HH}",
		`partitionKeyFromLambda|partitionKeyFromQuery`:      "does not know !{partitionKeyFromQuery:type}",
		`firehose:error-output-type|firehose:random-string`: "want an error prefix",
		`"NumberOfRetries"|"Retries"`:                       "Retries: the stand-in does not know it",
		`"ErrorOutputPrefix"|"FileExtension"`:               `unknown field "FileExtension"`,
	} {
		text := string(template)
		if from, to, ok := strings.Cut(change, "|"); ok {
			if !strings.Contains(text, from) {
				t.Fatalf("nothing has %s", from)
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
			err := decode(named(found.Properties).(map[string]any), &r)
			if err == nil {
				_, err = r.ExtendedS3DestinationConfiguration.check()
			}
			if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
				t.Errorf("%s: %v, want %q", change, err, says)
			}
		}
	}
}

// named has a name in the place of each reference.
func named(value any) any {
	object, ok := value.(map[string]any)
	if list, isList := value.([]any); isList {
		for i, element := range list {
			list[i] = named(element)
		}
	}
	if !ok {
		return value
	}
	if object["Ref"] != nil || object["Fn::GetAtt"] != nil {
		return "arn:aws:s3:::named"
	}
	for name, element := range object {
		object[name] = named(element)
	}
	return object
}

func TestATableThatLooksElsewhereIsAnError(t *testing.T) {
	var c configuration
	c.BucketARN, c.Prefix = "arn:aws:s3:::b", "telemetry/type=!{partitionKeyFromLambda:type}/"
	var looks table
	looks.TableInput.PartitionKeys = []struct{ Name, Type, Comment string }{{Name: "type"}}
	for location, fits := range map[string]bool{"s3://b/telemetry/type=${type}/": true, "s3://b/telemetry/kind=${type}/": false, "s3://c/telemetry/type=${type}/": false} {
		looks.TableInput.Parameters = map[string]string{"storage.location.template": location}
		if err := looks.check(c); (err == nil) != fits {
			t.Errorf("%s: %v", location, err)
		}
	}
	looks.TableInput.Name = "another"
	if looks.check(c) == nil {
		t.Error("another table is taken")
	}
}
