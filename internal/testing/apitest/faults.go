package apitest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// CheckFaults injects the faults of a managed database while it sends read and write, whose
// responses are both 200. The user of write must have an account.
func (f *Function) CheckFaults(t *testing.T, read, write resttest.Request) {
	t.Run("a rotated secret is fetched again", func(t *testing.T) {
		f.Check(t, read, 200)
		f.Database.RotatePassword(t)
		f.PutSecret()
		f.Server.ResetConnections() // open connections would keep working with the old password
		fetches := len(f.Secrets.Calls())
		f.Check(t, read, 200)
		f.Check(t, write, 200)
		if now := len(f.Secrets.Calls()); now != fetches+1 {
			t.Errorf("the secret was fetched %d times, want once", now-fetches)
		}
	})
	t.Run("a lock wait timeout (1205) is retried", func(t *testing.T) {
		f.Check(t, write, 200)
		f.Database.LockTimeout(t, "accounts", "subject", resttest.Subject)
		f.Check(t, write, 200)
	})
	t.Run("a killed connection is replaced", func(t *testing.T) {
		f.Check(t, write, 200)
		f.Database.KillConnections(t)
		f.Check(t, write, 200)
		f.Database.KillConnections(t)
		f.Check(t, read, 200)
	})
	t.Run("a failover (1290) is followed", func(t *testing.T) {
		f.Check(t, write, 200)
		f.Server.Failover(t)
		f.Check(t, write, 200)
	})
	t.Run("a deadlock (1213) is retried", func(t *testing.T) {
		f.Check(t, write, 200)
		f.Database.Deadlock(t, "accounts", "subject", resttest.Subject)
		f.Check(t, write, 200)
	})
	t.Run("503 while the database is down", func(t *testing.T) {
		f.Server.Down()
		f.CheckUnavailable(t, read)
		f.CheckUnavailable(t, write)
		f.Server.Up(t)
		f.Check(t, read, 200)
		f.Check(t, write, 200)
	})
	t.Run("503 before the deadline while the database does not respond", func(t *testing.T) {
		f.Check(t, read, 200) // opens a connection
		f.Server.StopResponding()
		f.CheckUnavailable(t, read)
		f.CheckUnavailable(t, write)
		f.Server.Up(t)
		f.Check(t, read, 200)
		f.Check(t, write, 200)
	})
	t.Run("one process survived all faults", func(t *testing.T) { f.CheckOneProcess(t) })
}

// CheckStart starts the function while Secrets Manager is faulty. The function has to respond with
// 503, and to recover with Secrets Manager. The response to request has this status if the database
// is new.
func CheckStart(
	t *testing.T, server *mysqltest.Server, bootstrap string, settings func(Settings) any,
	request resttest.Request, status int,
) {
	tests := map[string]awstest.Fault{
		"fails":           {Status: http.StatusInternalServerError, Code: "InternalServiceError"},
		"throttles":       {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"denies":          {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"is silent":       {NoResponse: true},
		"finds no secret": {Status: http.StatusBadRequest, Code: "ResourceNotFoundException"},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			f := NewAccount(t, server).Start(t, bootstrap, settings)
			f.Secrets.SetFault(fault)
			f.CheckUnavailable(t, request)
			f.Secrets.SetFault(awstest.Fault{})
			f.Check(t, request, status)
			f.CheckOneProcess(t)
			f.CheckNoLeaks(t)
		})
	}
	t.Run("has incomplete credentials", func(t *testing.T) {
		f := NewAccount(t, server).Start(t, bootstrap, settings)
		f.CorruptSecret()
		resttest.ErrorOf(t, f.Do(t, request), 500, "internal")
		f.PutSecret()
		f.Check(t, request, status)
		f.CheckOneProcess(t)
		f.CheckNoLeaks(t)
	})
}

// CheckSettings starts the function without settings, and fails the test unless its error names
// these variables.
func CheckSettings(t *testing.T, bootstrap string, variables ...string) {
	fn := lambdatest.New(t, bootstrap, nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	for _, variable := range variables {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("error %v, want it to name %s", err, variable)
		}
	}
}
