package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
)

// A lockedAccount is an account whose row the transaction has locked.
type lockedAccount struct {
	version uint64 // incremented by this transaction; no other transaction has the same
	deleted bool
}

// lockedAccounts are by subject.
type lockedAccounts map[string]lockedAccount

// lockAccounts increments the versions of accounts, creates missing rows and locks the rows until
// the end of the transaction. Transactions that change what a user syncs are therefore serialized:
// a reader that sees a version sees all before it, and a client that has read up to it has missed
// nothing.
//
// A transaction that finds the account not deleted also ends before the account can be deleted.
//
// Before this call, the transaction must not read without a lock anything that it relies on and
// that the accounts' rows protect: for the rest of the transaction, MySQL shows it the snapshot of
// that first read, without the changes of the transaction that held the locks before.
func lockAccounts(ctx context.Context, tx *sql.Tx, subjects ...string) (lockedAccounts, error) {
	locked := lockedAccounts{}
	for _, subject := range subjects {
		locked[subject] = lockedAccount{}
	}
	for _, subject := range slices.Sorted(maps.Keys(locked)) {
		if _, err := tx.ExecContext(ctx, incrementVersion, subject); err != nil {
			return nil, err
		}
		var one lockedAccount
		found := tx.QueryRowContext(ctx, selectAccount+" FOR UPDATE", subject)
		if err := found.Scan(&one.version, &one.deleted); err != nil {
			return nil, err
		}
		locked[subject] = one
	}
	return locked, nil
}

const (
	incrementVersion = `
		INSERT INTO accounts (subject, version) VALUES (?, 1)
		ON DUPLICATE KEY UPDATE version = version + 1`

	selectAccount = "SELECT version, deleted_at IS NOT NULL FROM accounts WHERE subject = ?"
)

// requireActive fails when the account, which must be locked, is deleted.
func (l lockedAccounts) requireActive(subject string) error {
	if l[subject].deleted {
		return accounts.ErrDeleted
	}
	return nil
}

// recordChange records that this transaction has created, changed or deleted an object, so that the
// user's clients sync it. The account must be locked.
func (l lockedAccounts) recordChange(
	ctx context.Context, tx *sql.Tx, subject string, kind accounts.Kind, id uuid.UUID,
) error {
	version := l[subject].version // passed twice, as in [Profiles.Put]
	_, err := tx.ExecContext(ctx, `
		INSERT INTO changes (subject, id, kind, version) VALUES (?, ?, ?, ?)
		ON DUPLICATE KEY UPDATE version = ?`,
		subject, id[:], kind, version, version)
	return err
}

// lockPost locks the row of a post. Comments are only added and deleted under this lock. It must be
// the transaction's first statement.
func lockPost(ctx context.Context, tx *sql.Tx, id uuid.UUID) (author string, err error) {
	found := tx.QueryRowContext(ctx, "SELECT author FROM posts WHERE id = ? FOR UPDATE", id[:])
	err = found.Scan(&author)
	return author, orNotFound(err, posts.ErrNotFound)
}

// requireActiveAccount fails when the account is deleted. It does not lock: the account may be
// deleted immediately afterwards.
func requireActiveAccount(ctx context.Context, from queryer, subject string) error {
	var one lockedAccount
	err := from.QueryRowContext(ctx, selectAccount, subject).Scan(&one.version, &one.deleted)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case one.deleted:
		return accounts.ErrDeleted
	default:
		return nil
	}
}
