package athena_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/athena"
	"github.com/ashlar-cdk/ashlar/internal/adapters/parquetfile"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/internal/testing/athenatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// A world is the table telemetry and an Athena that reads it.
type world struct {
	objects *s3test.Server
	athena  *athenatest.Server
	queries *athena.Queries
}

func startWorld(t *testing.T) *world {
	t.Helper()
	w := &world{objects: s3test.Start(t)}
	w.objects.Bucket(t, "ingestion")
	w.athena = athenatest.Start(t, w.objects)
	w.athena.CreateTable(t, telemetryTable())
	w.queries = &athena.Queries{
		WorkGroup: athenatest.WorkGroup,
		Database:  athenatest.Database,
		API: sdk.New(sdk.Options{
			BaseEndpoint: &w.athena.URL,
			Region:       lambdatest.Region,
			Credentials: credentials.NewStaticCredentialsProvider(
				lambdatest.AccessKeyID, lambdatest.SecretAccessKey, lambdatest.SessionToken),
			RetryMaxAttempts: 1,
		}),
	}
	return w
}

// telemetryTable returns the table as constructs/telemetry declares it.
func telemetryTable() athenatest.Table {
	var names []string
	for _, kind := range records.Schema().Types {
		if !kind.Discard {
			names = append(names, kind.Name)
		}
	}
	table := athenatest.Table{
		Name: "telemetry",
		PartitionKeys: []telemetryschema.Column{
			{Name: "type", Type: "string"}, {Name: "day", Type: "string"},
		},
		Parameters: map[string]string{
			"projection.enabled":        "true",
			"projection.type.type":      "enum",
			"projection.type.values":    strings.Join(names, ","),
			"projection.day.type":       "date",
			"projection.day.format":     "yyyy-MM-dd",
			"projection.day.range":      "2026-01-01,NOW+1DAYS",
			"storage.location.template": "s3://ingestion/telemetry/type=${type}/day=${day}/",
		},
	}
	table.StorageDescriptor.Columns = records.Schema().TableColumns()
	table.StorageDescriptor.Location = "s3://ingestion/telemetry/"
	return table
}

// A row is a record with its partition.
type row struct {
	records.Record
	Type string
	Day  string
}

// put writes the rows of each partition as an object, as Firehose does.
func (w *world) put(t testing.TB, rows ...row) {
	t.Helper()
	partitions := map[string][][]any{}
	for _, r := range rows {
		prefix := fmt.Sprintf("telemetry/type=%s/day=%s/", r.Type, r.Day)
		partitions[prefix] = append(partitions[prefix], []any{
			r.ID, r.At, r.ReceivedAt, r.IngestedAt, orNull(r.Device), orNull(r.Client),
			orNull(r.Session), orNull(r.Post), orNull(r.Firmware),
			orNull(r.Temperature), orNull(r.Battery), orNull(r.Extra),
		})
	}
	for prefix, values := range partitions {
		var file bytes.Buffer
		if err := parquetfile.Write(&file, records.Schema().TableColumns(), values); err != nil {
			t.Fatal(err)
		}
		w.putObject(t, prefix+uuid.NewString()+".parquet", file.Bytes())
	}
}

func (w *world) putObject(t testing.TB, key string, content []byte) {
	t.Helper()
	if _, err := w.objects.Client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("ingestion"), Key: &key, Body: bytes.NewReader(content),
	}); err != nil {
		t.Fatal(err)
	}
}

func orNull[T comparable](value T) any {
	if value == *new(T) {
		return nil
	}
	return value
}

// result runs a report's query for a day and returns its result.
func (w *world) result(
	t *testing.T, report telemetryschema.Report, day string,
) (names []string, rows [][]*string) {
	t.Helper()
	token := strings.ReplaceAll(uuid.NewString(), "-", "")
	id, err := w.queries.Start(t.Context(), token, report.SQL, day)
	if err != nil {
		t.Fatal(err)
	}
	if found := w.await(t, id); found.State != reports.Succeeded {
		t.Fatalf("%s: %s", report.Name, found.Reason)
	}
	names, rows, err = w.queries.Rows(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return names, rows
}

func (w *world) await(t *testing.T, id string) reports.Execution {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		found, err := w.queries.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if found.State != reports.Running {
			return found
		}
	}
}

func (w *world) remove(t testing.TB, key string) {
	t.Helper()
	_, err := w.objects.Client.DeleteObject(t.Context(),
		&s3.DeleteObjectInput{Bucket: aws.String("ingestion"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
}
