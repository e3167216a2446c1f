package athena_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/athenatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

// token returns a token of the shortest length that Athena accepts.
func token(name string) string { return strings.Repeat("0", 32-len(name)) + name }

func TestQueries(t *testing.T) {
	w := startWorld(t)
	ctx := t.Context()
	start := func(t *testing.T, name, sql string, parameters ...string) string {
		t.Helper()
		id, err := w.queries.Start(ctx, token(name), sql, parameters...)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}

	t.Run("Start quotes parameters", func(t *testing.T) {
		id := start(t, "strings",
			"SELECT x FROM (VALUES 'it''s', 'its', '?') AS t (x) WHERE x = ? OR x = ?", "it's", "?")
		w.await(t, id)
		names, rows, err := w.queries.Rows(ctx, id)
		diff := cmp.Diff([][]*string{{new("it's")}, {new("?")}}, rows)
		if diff != "" || err != nil || names[0] != "x" {
			t.Errorf("names %q, %v, rows (-want +got):\n%s", names, err, diff)
		}
	})
	t.Run("Start returns the same query for the same token", func(t *testing.T) {
		first, second := start(t, "twice", "SELECT 1"), start(t, "twice", "SELECT 1")
		if first != second {
			t.Errorf("%s and %s", first, second)
		}
		_, err := w.queries.Start(ctx, token("twice"), "SELECT 2")
		if !awsclient.Is(err, "InvalidRequestException") || errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("another query with the token: %v", err)
		}
	})
	t.Run("Rows returns values of every type and null", func(t *testing.T) {
		id := start(t, "types", "SELECT CAST(-7 AS bigint) AS n, 1.5e0 AS d, true AS b, TIMESTAMP "+
			"'2026-11-20 17:43:55.120' AS at, 'ü' AS s, CAST(NULL AS bigint) AS none")
		w.await(t, id)
		_, rows, err := w.queries.Rows(ctx, id)
		want := [][]*string{
			{new("-7"), new("1.5"), new("true"), new("2026-11-20 17:43:55.120"), new("ü"), nil},
		}
		if diff := cmp.Diff(want, rows); diff != "" || err != nil {
			t.Errorf("%v, rows (-want +got):\n%s", err, diff)
		}
	})
	t.Run("Rows reads all pages", func(t *testing.T) {
		id := start(t, "pages", "SELECT n FROM UNNEST(sequence(1, 10)) AS t (n) ORDER BY n")
		w.await(t, id)
		for _, page := range []int{1, 2, 10, 11, 1000} {
			w.athena.SetPageSize(page)
			names, rows, err := w.queries.Rows(ctx, id)
			if err != nil || len(rows) != 10 || *rows[0][0] != "1" || *rows[9][0] != "10" ||
				len(names) != 1 {
				t.Errorf("pages of %d: %d rows, %v", page, len(rows), err)
			}
		}
	})
	t.Run("Get returns the outcome", func(t *testing.T) {
		defer w.athena.SetOutcome(nil)
		for name, test := range map[string]struct {
			outcome athenatest.Outcome
			want    reports.State
		}{
			"done": {athenatest.Outcome{}, reports.Succeeded},
			"system": {
				athenatest.Outcome{State: "FAILED", Reason: "internal", Category: 1},
				reports.Failed,
			},
			"user": {
				athenatest.Outcome{State: "FAILED", Reason: "mistake", Category: 2},
				reports.FailedPermanently,
			},
			"other": {
				athenatest.Outcome{State: "FAILED", Reason: "other", Category: 3},
				reports.FailedPermanently,
			},
			"retryable": {athenatest.Outcome{
				State: "FAILED", Reason: "resources", Category: 3, Retryable: true,
			}, reports.Failed},
			"cancelled": {
				athenatest.Outcome{State: "CANCELLED", Reason: "Query cancelled by user"},
				reports.Failed,
			},
			"read-to-much": {athenatest.Outcome{
				State: "CANCELLED", Reason: "Query cancelled! : Bytes scanned limit was exceeded",
			}, reports.FailedPermanently},
		} {
			w.athena.SetOutcome(func(athenatest.Query) athenatest.Outcome { return test.outcome })
			found := w.await(t, start(t, name, "SELECT 1"))
			if found.State != test.want || found.Reason != test.outcome.Reason ||
				found.Submitted.IsZero() {
				t.Errorf("%s: %+v, want %v", name, found, test.want)
			}
		}
		w.athena.SetOutcome(nil)
		found := w.await(t, start(t, "syntax", "SELEKT 1"))
		if found.State != reports.FailedPermanently || !strings.Contains(found.Reason, "SELEKT") {
			t.Errorf("%+v", found)
		}
	})
	t.Run("Stop stops running queries and accepts ended ones", func(t *testing.T) {
		defer w.athena.SetOutcome(nil)
		w.athena.SetOutcome(func(athenatest.Query) athenatest.Outcome {
			return athenatest.Outcome{Hang: true}
		})
		id := start(t, "stop", "SELECT 1")
		for range 2 {
			if err := w.queries.Stop(ctx, id); err != nil {
				t.Error(err)
			}
		}
		if found := w.await(t, id); found.State != reports.Failed {
			t.Errorf("%+v", found)
		}
	})
	t.Run("missing queries are an error", func(t *testing.T) {
		if _, err := w.queries.Get(ctx, "none"); !awsclient.Is(err, "InvalidRequestException") {
			t.Error(err)
		}
		if _, _, err := w.queries.Rows(ctx, "none"); !awsclient.Is(err, "InvalidRequestException") {
			t.Error(err)
		}
		if err := w.queries.Stop(ctx, "none"); !awsclient.Is(err, "InvalidRequestException") {
			t.Error(err)
		}
	})
	t.Run("only temporary failures are ErrUnavailable", func(t *testing.T) {
		defer w.athena.SetFault(awstest.Fault{})
		for code, test := range map[string]struct {
			status    int
			temporary bool
		}{
			"TooManyRequestsException": {http.StatusBadRequest, true},
			"ThrottlingException":      {http.StatusBadRequest, true},
			"InternalServerException":  {http.StatusInternalServerError, true},
			"AccessDeniedException":    {http.StatusBadRequest, false},
			"InvalidRequestException":  {http.StatusBadRequest, false},
		} {
			w.athena.SetFault(awstest.Fault{Status: test.status, Code: code})
			_, starting := w.queries.Start(ctx, token("later"), "SELECT 1")
			_, getting := w.queries.Get(ctx, "none")
			_, _, reading := w.queries.Rows(ctx, "none")
			for _, err := range []error{starting, getting, reading, w.queries.Stop(ctx, "none")} {
				if err == nil || errors.Is(err, retry.ErrUnavailable) != test.temporary {
					t.Errorf("%s: %v", code, err)
				}
			}
		}
		w.athena.SetFault(awstest.Fault{Reset: true})
		if _, err := w.queries.Get(ctx, "none"); !errors.Is(err, retry.ErrUnavailable) {
			t.Error(err)
		}
	})
}
