// Package notifications provides mails to authors about new comments on their posts. Comments of
// the same few minutes are in one mail.
//
// A notification is stored in the transaction of its comment, and deleted when its mail was sent:
// docs/adr/0020-notifications.md.
package notifications

import (
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// MaxComments is how many comments a mail shows. It shows only the number of the others.
const MaxComments = 20

// ErrLeased reports that another process holds the lease of the recipient's mail.
var ErrLeased error = &email.LeasedError{}

// A Lease is the right to send one recipient's digest, which one process has at a time.
type Lease struct {
	Holder uuid.UUID
	Digest Digest
}

// A Digest holds all comments for a recipient that were not in a mail yet.
type Digest struct {
	Recipient   string    // the user's subject, never shown
	Language    string    // from the recipient's profile: a BCP 47 tag, or empty
	Unwanted    bool      // the recipient has disabled these mails, or has no profile or account
	Count       int       // number of comments, at least one
	OnePost     bool      // whether all comments are on the same post
	Comments    []Comment // the oldest first, at most [MaxComments]
	LastVersion uint64    // the greatest version of these comments' notifications
}

// A Comment is a new comment on a post of the recipient.
type Comment struct {
	ID         uuid.UUID
	PostID     uuid.UUID
	PostTitle  string // plain text
	AuthorName string // plain text; empty when the author's account is being deleted
	Body       string // HTML that is safe to show
}
