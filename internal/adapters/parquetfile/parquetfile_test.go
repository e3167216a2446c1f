package parquetfile_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/parquetfile"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

type sample struct {
	Name string    `column:"name"`
	At   time.Time `column:"at"`
	Heat float64   `column:"heat"`
	Is   bool      `column:"is"`
	Big  int64     `column:"big"`
}

// read returns the columns and rows of a file, with timestamps as nanoseconds since 1970.
func read(t rapid.TB, file []byte) (names []string, rows [][]any) {
	t.Helper()
	opened, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range opened.Schema().Fields() {
		names = append(names, field.Name())
	}
	reader := parquet.NewReader(opened)
	defer reader.Close()
	for range reader.NumRows() {
		var buffer [1]parquet.Row
		if n, err := reader.ReadRows(buffer[:]); n != 1 {
			t.Fatalf("%d rows, %v", n, err)
		}
		row := []any{}
		for _, value := range buffer[0] {
			switch {
			case value.IsNull():
				row = append(row, nil)
			case value.Kind() == parquet.Int96:
				bits := value.Int96()
				ofDay := int64(bits[1])<<32 + int64(bits[0])
				if ofDay < 0 || ofDay >= 24*int64(time.Hour) {
					t.Fatalf("%d nanoseconds of a day", ofDay)
				}
				row = append(row, (int64(bits[2])-2_440_588)*24*int64(time.Hour)+ofDay)
			case value.Kind() == parquet.ByteArray:
				row = append(row, string(value.ByteArray()))
			case value.Kind() == parquet.Double:
				row = append(row, value.Double())
			case value.Kind() == parquet.Boolean:
				row = append(row, value.Boolean())
			default:
				row = append(row, value.Int64())
			}
		}
		rows = append(rows, row)
	}
	return names, rows
}

func TestWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maybe := func(value any) any {
			if rapid.Bool().Draw(t, "null") {
				return nil
			}
			return value
		}
		var rows, want [][]any
		for range rapid.IntRange(0, 20).Draw(t, "rows") {
			at := time.Unix(0, rapid.Int64().Draw(t, "at"))
			if rapid.Bool().Draw(t, "other zone") {
				at = at.In(time.FixedZone("other zone", 3*60*60))
			}
			row := []any{
				maybe(rapid.String().Draw(t, "name")), maybe(at),
				maybe(rapid.Float64().Draw(t, "heat")),
				maybe(rapid.Bool().Draw(t, "is")), maybe(rapid.Int64().Draw(t, "big")),
			}
			rows = append(rows, row)
			row = append([]any{}, row...)
			if row[1] != nil {
				row[1] = at.UnixNano()
			}
			want = append(want, row)
		}
		var file bytes.Buffer
		if err := parquetfile.Write(&file, telemetryschema.Columns[sample](), rows); err != nil {
			t.Fatal(err)
		}
		names, got := read(t, file.Bytes())
		if diff := cmp.Diff([]string{"name", "at", "heat", "is", "big"}, names); diff != "" {
			t.Fatalf("columns (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
	})
}

func TestWrite_NaN(t *testing.T) {
	var file bytes.Buffer
	row := []any{"", time.Unix(0, 0), math.NaN(), false, int64(0)}
	err := parquetfile.Write(&file, telemetryschema.Columns[sample](), [][]any{row})
	if err != nil {
		t.Fatal(err)
	}
	_, got := read(t, file.Bytes())
	heat, ok := got[0][2].(float64)
	if !ok || !math.IsNaN(heat) || got[0][0] != "" || got[0][3] != false {
		t.Errorf("read %v", got)
	}
}

// Trino reads every version of the format. Other readers of reports, Redshift Spectrum first of
// all, may not.
func TestWrite_pages_of_version_1(t *testing.T) {
	var file bytes.Buffer
	err := parquetfile.Write(&file, telemetryschema.Columns[sample](),
		[][]any{{"a", time.Unix(1, 0), 1.5, true, int64(7)}})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range opened.Metadata().RowGroups[0].Columns {
		for _, encoding := range column.MetaData.Encoding {
			// RLE encodes which values are null.
			if encoding != format.Plain && encoding != format.RLE {
				t.Errorf("%v is encoded as %s", column.MetaData.PathInSchema, encoding)
			}
		}
		for _, pages := range column.MetaData.EncodingStats {
			if pages.PageType != format.DataPage {
				t.Errorf("%v has a %s", column.MetaData.PathInSchema, pages.PageType)
			}
		}
	}
}

func TestWrite_is_deterministic(t *testing.T) {
	rows := [][]any{{"a", time.Unix(1, 0), 1.5, true, int64(7)}, {nil, nil, nil, nil, nil}}
	var first, second bytes.Buffer
	for _, file := range []*bytes.Buffer{&first, &second} {
		if err := parquetfile.Write(file, telemetryschema.Columns[sample](), rows); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same rows make two files")
	}
}

func TestWrite_rejects_rows_of_other_types(t *testing.T) {
	valid := []any{"a", time.Unix(1, 0), 1.5, true, int64(7)}
	for name, row := range map[string][]any{
		"too short": valid[:4],
		"too long":  append(append([]any{}, valid...), "b"),
		"an int":    {"a", time.Unix(1, 0), 1.5, true, 7},
		"swapped":   {"a", "2026-11-21", 1.5, true, int64(7)},
	} {
		err := parquetfile.Write(new(bytes.Buffer), telemetryschema.Columns[sample](),
			[][]any{valid, row})
		if err == nil {
			t.Errorf("%s: written", name)
		}
	}
	err := parquetfile.Write(new(bytes.Buffer),
		[]telemetryschema.Column{{Name: "a", Type: "map<string,string>"}}, nil)
	if err == nil {
		t.Error("written as a map")
	}
}
