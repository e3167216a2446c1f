package athenatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A trino runs statements by Trino's REST API, in one catalog and schema.
type trino struct{ url, catalog, schema string }

// A result is that of a statement. Values are as JSON has them: nil, a string, a [json.Number] or a bool.
type result struct {
	columns []trinoColumn
	rows    [][]any
}

type trinoColumn struct{ Name, Type string }

// A trinoError is a statement that failed.
type trinoError struct {
	Message   string
	ErrorName string // SYNTAX_ERROR
	ErrorType string // USER_ERROR, INTERNAL_ERROR, INSUFFICIENT_RESOURCES or EXTERNAL
}

func (e *trinoError) Error() string { return e.ErrorName + ": " + e.Message }

// run runs a statement until it is done, or cancels it when ctx ends.
func (c *trino) run(ctx context.Context, statement string) (result, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/statement", strings.NewReader(statement))
	if err != nil {
		return result{}, err
	}
	request.Header.Set("X-Trino-User", "test")
	request.Header.Set("X-Trino-Catalog", c.catalog)
	request.Header.Set("X-Trino-Schema", c.schema)
	var whole result
	for {
		answer, err := http.DefaultClient.Do(request)
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
		decoder := json.NewDecoder(answer.Body)
		decoder.UseNumber()
		err = decoder.Decode(&page)
		answer.Body.Close()
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", answer.Status, err)
		}
		if page.Error != nil {
			return result{}, page.Error
		}
		if page.Columns != nil {
			whole.columns = page.Columns
		}
		whole.rows = append(whole.rows, page.Data...)
		if page.NextURI == "" {
			return whole, nil
		}
		request, err = http.NewRequestWithContext(ctx, http.MethodGet, page.NextURI, nil)
		if err != nil {
			return result{}, err
		}
	}
}

// cancel ends a statement that nobody waits for any more. Whether it ends in time is nobody's concern.
func cancel(uri string) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, uri, nil)
	if err != nil {
		return
	}
	if answer, err := http.DefaultClient.Do(request); err == nil {
		answer.Body.Close()
	}
}

// literal is a string of SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// withClause are those of a WITH, in their order.
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
