package mysqlconn

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// TestWithoutStatement_removes_the_password checks the error only; a test in
// lambdas/resources/migrate checks the user's privileges.
func TestWithoutStatement_removes_the_password(t *testing.T) {
	err := withoutStatement(&mysql.MySQLError{
		Number: 1064, Message: "You have an error in your SQL syntax near 'IDENTIFIED BY 'hunter2'",
	})
	if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "1064") {
		t.Errorf("error %q, want only the number", err)
	}
	err = withoutStatement(context.DeadlineExceeded)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want other errors unchanged", err)
	}
}
