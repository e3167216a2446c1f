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

// A lockedAccount is one whose row the transaction holds.
type lockedAccount struct {
	version uint64 // new with this transaction, which is the only one to have it
	deleted bool
}

// lockedAccounts are by subject.
type lockedAccounts map[string]lockedAccount

// lockAccounts counts the versions of accounts, which it makes if need be, and holds their rows until the end of the
// transaction. So the transactions that change what a user syncs follow each other: whoever sees a version sees those
// before it, and a client that has read up to it has missed nothing.
//
// It also means that a transaction which finds the account not deleted is over before the account can be.
//
// The transaction must not have read without a lock anything that it relies on and that the accounts' rows protect: for
// the rest of it, MySQL shows it the state of that first moment, and not what the transaction before it has left.
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
		if err := tx.QueryRowContext(ctx, selectAccount+" FOR UPDATE", subject).Scan(&one.version, &one.deleted); err != nil {
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

// requireActive fails when the account, which is locked, is deleted.
func (l lockedAccounts) requireActive(subject string) error {
	if l[subject].deleted {
		return accounts.ErrDeleted
	}
	return nil
}

// recordChange has the user of an account that is locked sync an object that this transaction has changed, made or deleted.
func (l lockedAccounts) recordChange(ctx context.Context, tx *sql.Tx, subject string, kind accounts.Kind, id uuid.UUID) error {
	version := l[subject].version // passed twice, as in [Profiles.Put]
	_, err := tx.ExecContext(ctx, `
		INSERT INTO changes (subject, id, kind, version) VALUES (?, ?, ?, ?)
		ON DUPLICATE KEY UPDATE version = ?`,
		subject, id[:], kind, version, version)
	return err
}

// lockPost holds the row of a post, and with it the post's comments, of which none comes or goes without it. It must
// be the transaction's first statement.
func lockPost(ctx context.Context, tx *sql.Tx, id uuid.UUID) (author string, err error) {
	err = tx.QueryRowContext(ctx, "SELECT author FROM posts WHERE id = ? FOR UPDATE", id[:]).Scan(&author)
	return author, orNotFound(err, posts.ErrNotFound)
}

// requireActiveAccount fails when the account is deleted. What it does not lock may be deleted in the next moment.
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
