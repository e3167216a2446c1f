package mysqlstore

import (
	"context"
	"database/sql"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Changes lists what a client has to sync.
type Changes struct {
	databases *mysqlconn.Databases
}

// NewChanges returns the changes in databases.
func NewChanges(databases *mysqlconn.Databases) *Changes {
	return &Changes{databases: databases}
}

// Since returns up to limit changes of the user's data after a position, which must be from an
// earlier page. It reads from the writer. It fails with [accounts.ErrDeleted] for a deleted
// account.
func (s *Changes) Since(
	ctx context.Context, subject string, from accounts.Position, limit int,
) (accounts.Page, error) {
	var page accounts.Page
	// One transaction: all its reads see the snapshot of the first, so an object has the state of
	// the page's last version.
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) (err error) {
		if err := requireActiveAccount(ctx, tx, subject); err != nil {
			return err
		}
		page, err = pageSince(ctx, tx, subject, from, limit)
		if err != nil {
			return err
		}
		return loadObjects(ctx, tx, subject, page.Changes)
	})
	if err != nil {
		return accounts.Page{}, failed("read changes", err)
	}
	return page, nil
}

// pageSince returns the page without the objects.
func pageSince(
	ctx context.Context, tx *sql.Tx, subject string, from accounts.Position, limit int,
) (accounts.Page, error) {
	type positioned struct {
		accounts.Change
		version uint64
	}
	found, err := list(ctx, tx, func(from row) (one positioned, err error) {
		err = from.Scan(&one.version, &one.ID, &one.Kind)
		return one, err
	}, listChanges, subject, from.Version, from.Version, from.ID[:], limit+1)
	if err != nil {
		return accounts.Page{}, err
	}
	page := accounts.Page{Next: from, More: len(found) > limit}
	if page.More {
		found = found[:limit]
	}
	for _, one := range found {
		page.Changes = append(page.Changes, one.Change)
		page.Next = accounts.Position{Version: one.version, ID: one.ID}
	}
	return page, nil
}

// loadObjects adds the objects to changes. A change whose object does not exist is a deletion.
func loadObjects(ctx context.Context, tx *sql.Tx, subject string, page []accounts.Change) error {
	ids := map[accounts.Kind][]uuid.UUID{}
	for _, change := range page {
		ids[change.Kind] = append(ids[change.Kind], change.ID)
	}
	profiles := map[uuid.UUID]*accounts.Profile{}
	if len(ids[accounts.KindProfile]) > 0 {
		found, err := list(ctx, tx, scanProfile, selectProfile, subject)
		if err != nil {
			return err
		}
		for _, one := range found {
			profiles[uuid.Nil] = &one
		}
	}
	written := map[uuid.UUID]*posts.Post{}
	if some := ids[accounts.KindPost]; len(some) > 0 {
		found, err := list(ctx, tx, scanPost, selectPostsByID+in(some), bytesOf(some)...)
		if err != nil {
			return err
		}
		for _, one := range found {
			one.AuthorName = ""
			written[one.ID] = &one
		}
	}
	comments := map[uuid.UUID]*posts.Comment{}
	if some := ids[accounts.KindComment]; len(some) > 0 {
		found, err := list(ctx, tx, scanComment, selectCommentsByID+in(some), bytesOf(some)...)
		if err != nil {
			return err
		}
		for _, one := range found {
			one.AuthorName = ""
			comments[one.ID] = &one
		}
	}
	for i := range page {
		change := &page[i]
		change.Profile = profiles[change.ID]
		change.Post = written[change.ID]
		change.Comment = comments[change.ID]
		change.Deleted = change.Profile == nil && change.Post == nil && change.Comment == nil
	}
	return nil
}

const (
	// The condition on version and id is written out, since (version, id) > (?, ?) would not be a
	// range of the index. The range begins with the version: the rows of that version before id,
	// [batchSize] at most, are read and skipped.
	listChanges = `
		SELECT version, id, kind FROM changes
		WHERE subject = ? AND version >= ? AND (version > ? OR id > ?)
		ORDER BY version, id LIMIT ?`

	selectPostsByID    = selectPosts + "WHERE p.id IN "
	selectCommentsByID = selectComments + "WHERE c.id IN "
)
