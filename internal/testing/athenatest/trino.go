package athenatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A trino runs statements with Trino's REST API, in one catalog and schema.
type trino struct{ url, catalog, schema string }

// A result is the result of a statement. Values are as in JSON: nil, a string, a [json.Number] or a
// bool.
type result struct {
	columns []trinoColumn
	rows    [][]any
}

type trinoColumn struct{ Name, Type string }

// A trinoError is the error of a statement that failed.
type trinoError struct {
	Message   string
	ErrorName string // SYNTAX_ERROR
	ErrorType string // USER_ERROR, INTERNAL_ERROR, INSUFFICIENT_RESOURCES or EXTERNAL
}

func (e *trinoError) Error() string { return e.ErrorName + ": " + e.Message }

// run runs a statement to its end, or cancels it when ctx ends.
func (c *trino) run(ctx context.Context, statement string) (result, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/statement",
		strings.NewReader(statement))
	if err != nil {
		return result{}, err
	}
	request.Header.Set("X-Trino-User", "test")
	request.Header.Set("X-Trino-Catalog", c.catalog)
	request.Header.Set("X-Trino-Schema", c.schema)
	var all result
	for {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			cancel(request.URL.String())
			return result{}, err
		}
		var page struct {
			NextURI string
			Columns []trinoColumn
			Data    [][]any
			Error   *trinoError
		}
		decoder := json.NewDecoder(response.Body)
		decoder.UseNumber()
		err = decoder.Decode(&page)
		response.Body.Close()
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", response.Status, err)
		}
		if page.Error != nil {
			return result{}, page.Error
		}
		if page.Columns != nil {
			all.columns = page.Columns
		}
		all.rows = append(all.rows, page.Data...)
		if page.NextURI == "" {
			return all, nil
		}
		request, err = http.NewRequestWithContext(ctx, http.MethodGet, page.NextURI, nil)
		if err != nil {
			return result{}, err
		}
	}
}

// cancel ends a statement that no caller waits for any more. It ignores errors: no test depends on
// when the statement ends.
func cancel(uri string) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, uri, nil)
	if err != nil {
		return
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
	}
}

// literal returns s as an SQL string.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// withClause returns the WITH clause of properties, in their order.
func withClause(pairs ...[2]string) string {
	var list bytes.Buffer
	for i, pair := range pairs {
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString(pair[0] + " = " + pair[1])
	}
	return "WITH (" + list.String() + ")"
}
