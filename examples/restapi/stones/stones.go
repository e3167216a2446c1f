// Package stones is the API: its routes, for the stack and the function, and their handlers.
package stones

import (
	"context"
	"database/sql"
	"errors"
	"net/http"

	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Settings configures the function; the grants of its stack fill it.
type Settings struct {
	API      rest.Settings
	Database mysqlconn.Settings
}

// Routes are the routes of the API.
var Routes = rest.Table[*Handlers]{
	rest.Handle("GET", "/stones/{stoneId}", rest.Public, "Get a stone", (*Handlers).get),
	rest.Handle("POST", "/stones", rest.Authenticated, "Add a stone", (*Handlers).add),
}

// Handlers handles the routes.
type Handlers struct {
	Databases *mysqlconn.Databases
}

// A Stone is the body of requests and responses.
type Stone struct {
	Name   string `json:"name" minLength:"1" maxLength:"80"`
	Weight int    `json:"weight" minimum:"1" doc:"In kilograms"`
}

type stoneResponse struct {
	Body Stone
}

func (h *Handlers) get(ctx context.Context, in *struct {
	StoneID int64 `path:"stoneId"`
}) (*stoneResponse, error) {
	var stone Stone
	err := mysqlconn.Retry(ctx, func() error {
		return h.Databases.Reader.QueryRowContext(ctx,
			"SELECT name, weight FROM stones WHERE id = ?", in.StoneID,
		).Scan(&stone.Name, &stone.Weight)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, rest.NewError(http.StatusNotFound, "not_found", "There is no such stone.")
	}
	return &stoneResponse{stone}, err
}

type addResponse struct {
	Body struct {
		ID int64 `json:"id"`
	}
}

func (h *Handlers) add(ctx context.Context, in *struct{ Body Stone }) (*addResponse, error) {
	var response addResponse
	err := mysqlconn.Transact(ctx, h.Databases.Writer, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "INSERT INTO stones (name, weight) VALUES (?, ?)",
			in.Body.Name, in.Body.Weight)
		if err != nil {
			return err
		}
		response.Body.ID, err = result.LastInsertId()
		return err
	})
	return &response, err
}
