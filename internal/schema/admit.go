package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Admit lets the user that functions sign in as read and write the rows of all tables in db, and no more: it makes the
// user with this password unless there is one, whose password is then left alone. db must interpolate parameters, as
// mysqlconn's do, since MySQL takes none in these statements.
func Admit(ctx context.Context, db *sql.DB, username, password string) error {
	if _, err := db.ExecContext(ctx, "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ?", username, password); err != nil {
		return fmt.Errorf("schema: make the functions' user: %w", withoutStatement(err))
	}
	var name string
	if err := db.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&name); err != nil {
		return fmt.Errorf("schema: read the database's name: %w", err)
	}
	tables := "`" + strings.ReplaceAll(name, "`", "``") + "`.*"
	grant := "GRANT SELECT, INSERT, UPDATE, DELETE ON " + tables + " TO ?@'%'" //nolint:gosec // an identifier cannot be a parameter; it is quoted
	if _, err := db.ExecContext(ctx, grant, username); err != nil {
		return fmt.Errorf("schema: grant the functions' user its rights: %w", err)
	}
	return nil
}

// withoutStatement keeps MySQL's message out of an error: it may quote the statement, and that has the password in it.
func withoutStatement(err error) error {
	if answer, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return fmt.Errorf("MySQL's error %d", answer.Number)
	}
	return err
}
