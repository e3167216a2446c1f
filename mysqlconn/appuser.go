package mysqlconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// EnsureAppUser creates a user with these credentials if it does not exist, and allows it to read
// and write the rows of all tables of the database, and nothing else. The password of an existing
// user stays unchanged. The function that migrates the schema calls it for the user of [AppUser],
// as which all other functions connect. db must be opened by this package, as the administrator:
// another driver configuration might not interpolate parameters, and MySQL takes none in these
// statements.
func EnsureAppUser(ctx context.Context, db *sql.DB, user Credentials) error {
	_, err := db.ExecContext(ctx, "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ?",
		user.Username, user.Password)
	if err != nil {
		return fmt.Errorf("mysqlconn: create the user %s: %w", user.Username, withoutStatement(err))
	}
	var name string
	if err := db.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&name); err != nil {
		return fmt.Errorf("mysqlconn: read the database's name: %w", err)
	}
	tables := "`" + strings.ReplaceAll(name, "`", "``") + "`.*"
	//nolint:gosec // an identifier cannot be a parameter; it is quoted
	grant := "GRANT SELECT, INSERT, UPDATE, DELETE ON " + tables + " TO ?@'%'"
	if _, err := db.ExecContext(ctx, grant, user.Username); err != nil {
		return fmt.Errorf("mysqlconn: grant privileges to the user %s: %w", user.Username, err)
	}
	return nil
}

// withoutStatement removes MySQL's message from an error: it may quote the statement, which
// contains the password.
func withoutStatement(err error) error {
	if failure, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return fmt.Errorf("MySQL error %d", failure.Number)
	}
	return err
}
