package mysqlconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// EnsureAppUser lets a user read and write the rows of all tables of the database, and no more. It makes the user with this
// password, unless there is one, whose password is then left alone. The function that migrates the schema does so for
// the user of [AppUser], whom all other functions sign in as. db is one that this package has opened, as the
// administrator: another might not interpolate parameters, and MySQL takes none in these statements.
func EnsureAppUser(ctx context.Context, db *sql.DB, user Credentials) error {
	if _, err := db.ExecContext(ctx, "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ?", user.Username, user.Password); err != nil {
		return fmt.Errorf("mysqlconn: make the user %s: %w", user.Username, withoutStatement(err))
	}
	var name string
	if err := db.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&name); err != nil {
		return fmt.Errorf("mysqlconn: read the database's name: %w", err)
	}
	tables := "`" + strings.ReplaceAll(name, "`", "``") + "`.*"
	grant := "GRANT SELECT, INSERT, UPDATE, DELETE ON " + tables + " TO ?@'%'" //nolint:gosec // an identifier cannot be a parameter; it is quoted
	if _, err := db.ExecContext(ctx, grant, user.Username); err != nil {
		return fmt.Errorf("mysqlconn: grant the user %s its rights: %w", user.Username, err)
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
