package mysqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// TestLookingForLeavingPicturesWaitsForNoSave holds a save just before its commit. Every save looks for what is leaving:
// if it locked entries next to those of other saves, they would deadlock with each other, be they of one author or of two.
func TestLookingForLeavingPicturesWaitsForNoSave(t *testing.T) {
	s := open(t)
	save := must(s.database.Open(t).Writer.BeginTx(t.Context(), nil))(t)
	t.Cleanup(func() { _ = save.Rollback() })
	for _, author := range []string{"ada", "eve"} {
		upload := pictures.Reference{Owner: pictures.Owner(author), ID: uuid.New()}
		copied := must(s.pictures.Promote(t.Context(), author, []pictures.Reference{upload}))(t)
		if _, err := save.ExecContext(t.Context(), mysqlstore.MarkKept+"(?)", copied[0].ID[:]); err != nil {
			t.Fatal(err)
		}
	}
	for _, author := range []string{"ada", "eve", "bob"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		leaving, err := s.pictures.Leaving(ctx, author, 10)
		cancel()
		if err != nil || len(leaving) > 0 {
			t.Errorf("%s: %v, %v; want nothing at once", author, leaving, err)
		}
	}
}

func TestOnlyWhatIsLeavingIsForgotten(t *testing.T) {
	s := open(t)
	upload := pictures.Reference{Owner: pictures.Owner("ada"), ID: uuid.New()}
	copied := []uuid.UUID{must(s.pictures.Promote(t.Context(), "ada", []pictures.Reference{upload}))(t)[0].ID}
	for _, step := range []struct {
		do   func(context.Context, []uuid.UUID) error
		left bool
	}{
		{s.pictures.Forget, true}, // it is being copied
		{s.pictures.GiveUp, true},
		{s.pictures.Forget, false},
		{s.pictures.Forget, false},
	} {
		if err := step.do(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
		if left := must(s.pictures.Any(t.Context(), "ada"))(t); left != step.left {
			t.Errorf("a note is left: %t, want %t", left, step.left)
		}
	}
}

func TestAPostShowsNobodyElsesPicture(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "eve")
	upload := pictures.Reference{Owner: pictures.Owner("eve"), ID: uuid.New()}
	eves := must(s.pictures.Promote(t.Context(), "eve", []pictures.Reference{upload}))(t)[0].ID
	if _, err := s.posts.Create(t.Context(), "ada", "", draft, eves); !errors.Is(err, pictures.ErrLeft) {
		t.Errorf("Ada's post with Eve's picture: got %v, want ErrLeft", err)
	}
	must(s.posts.Create(t.Context(), "eve", "", draft, eves))(t)
}

// TestASaveWaitsToSeeWhetherItsPictureIsLetGo meets a save with a deletion that is about to be committed: what is leaving
// is never kept again.
func TestASaveWaitsToSeeWhetherItsPictureIsLetGo(t *testing.T) {
	s := open(t)
	if s.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	s.signUp(t, "ada")
	upload := pictures.Reference{Owner: pictures.Owner("ada"), ID: uuid.New()}
	id := must(s.pictures.Promote(t.Context(), "ada", []pictures.Reference{upload}))(t)[0].ID
	lettingGo := must(s.database.Open(t).Writer.BeginTx(t.Context(), nil))(t)
	t.Cleanup(func() { _ = lettingGo.Rollback() })
	if _, err := lettingGo.ExecContext(t.Context(), mysqlstore.MarkLeaving+"(?)", id[:]); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error)
	go func() {
		_, err := s.posts.Create(t.Context(), "ada", "", draft, id)
		saved <- err
	}()
	s.database.WaitForLockWait(t)
	if err := lettingGo.Commit(); err != nil {
		t.Error(err)
	}
	if err := <-saved; !errors.Is(err, pictures.ErrLeft) {
		t.Errorf("got %v, want ErrLeft", err)
	}
}
