package mysqlconn

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// What the user may do is tested in lambdas/migrate, whose function admits it; here is what an error must not say.
func TestAnErrorOfMySQLDoesNotQuoteThePassword(t *testing.T) {
	err := withoutStatement(&mysql.MySQLError{Number: 1064, Message: "You have an error in your SQL syntax near 'IDENTIFIED BY 'hunter2'"})
	if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "1064") {
		t.Errorf("error %q, want the number and nothing else", err)
	}
	if err := withoutStatement(context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want one that is not MySQL's as it is", err)
	}
}
