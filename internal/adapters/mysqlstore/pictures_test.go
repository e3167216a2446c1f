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

// TestPictures_PendingDeletion_waits_for_no_save leaves a save open just before its commit. Every
// save lists pictures pending deletion: if it locked entries next to those of other saves, they
// would deadlock with each other, whether of one author or of two.
func TestPictures_PendingDeletion_waits_for_no_save(t *testing.T) {
	s := open(t)
	save := must(s.database.Open(t).Writer.BeginTx(t.Context(), nil))(t)
	t.Cleanup(func() { _ = save.Rollback() })
	for _, author := range []string{"ada", "eve"} {
		upload := pictures.Reference{Owner: pictures.Owner(author), ID: uuid.New()}
		copied := must(
			s.pictures.StartPromotions(t.Context(), author, []pictures.Reference{upload}))(t)
		_, err := save.ExecContext(t.Context(), mysqlstore.MarkPromoted+"(?)", copied[0].ID[:])
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, author := range []string{"ada", "eve", "bob"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		pending, err := s.pictures.PendingDeletion(ctx, author, 10)
		cancel()
		if err != nil || len(pending) > 0 {
			t.Errorf("%s: %v, %v; want none without waiting", author, pending, err)
		}
	}
}

func TestPictures_Purge_deletes_only_records_pending_deletion(t *testing.T) {
	s := open(t)
	upload := pictures.Reference{Owner: pictures.Owner("ada"), ID: uuid.New()}
	copied := []uuid.UUID{
		must(s.pictures.StartPromotions(t.Context(), "ada", []pictures.Reference{upload}))(t)[0].ID,
	}
	for _, step := range []struct {
		do   func(context.Context, []uuid.UUID) error
		left bool
	}{
		{s.pictures.Purge, true}, // still being copied
		{s.pictures.AbandonPromotions, true},
		{s.pictures.Purge, false},
		{s.pictures.Purge, false},
	} {
		if err := step.do(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
		if left := must(s.pictures.HasAny(t.Context(), "ada"))(t); left != step.left {
			t.Errorf("a row is left: %t, want %t", left, step.left)
		}
	}
}

func TestPosts_Create_rejects_a_picture_of_another_user(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "eve")
	upload := pictures.Reference{Owner: pictures.Owner("eve"), ID: uuid.New()}
	eves := must(
		s.pictures.StartPromotions(t.Context(), "eve", []pictures.Reference{upload}))(t)[0].ID
	_, err := s.posts.Create(t.Context(), "ada", "", draft, eves)
	if !errors.Is(err, pictures.ErrPendingDeletion) {
		t.Errorf("Ada's post with Eve's picture: got %v, want ErrPendingDeletion", err)
	}
	must(s.posts.Create(t.Context(), "eve", "", draft, eves))(t)
}

// TestPosts_Create_waits_for_a_deletion_of_its_picture creates a post during a deletion that is
// about to be committed: a picture pending deletion is never promoted again.
func TestPosts_Create_waits_for_a_deletion_of_its_picture(t *testing.T) {
	s := open(t)
	if s.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	s.signUp(t, "ada")
	upload := pictures.Reference{Owner: pictures.Owner("ada"), ID: uuid.New()}
	id := must(
		s.pictures.StartPromotions(t.Context(), "ada", []pictures.Reference{upload}))(t)[0].ID
	deletion := must(s.database.Open(t).Writer.BeginTx(t.Context(), nil))(t)
	t.Cleanup(func() { _ = deletion.Rollback() })
	_, err := deletion.ExecContext(t.Context(), mysqlstore.MarkPendingDeletion+"(?)", id[:])
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan error)
	go func() {
		_, err := s.posts.Create(t.Context(), "ada", "", draft, id)
		saved <- err
	}()
	s.database.WaitForLockWait(t)
	if err := deletion.Commit(); err != nil {
		t.Error(err)
	}
	if err := <-saved; !errors.Is(err, pictures.ErrPendingDeletion) {
		t.Errorf("got %v, want ErrPendingDeletion", err)
	}
}
