// Package notifications tells authors of the comments on their posts: many that come within minutes by one mail.
//
// A notification is stored in the transaction of its comment, and is deleted when its mail was sent:
// docs/adr/0020-notifications.md.
package notifications

import (
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// MaxComments is how many comments a mail shows. Of the others it says how many there are.
const MaxComments = 20

// ErrLeased says that another process sends the recipient's mail right now.
var ErrLeased error = &email.LeasedError{}

// A Lease is the right to send one recipient's digest, which one process has at a time.
type Lease struct {
	Holder uuid.UUID
	Digest Digest
}

// A Digest is all comments of a recipient that no mail was sent about.
type Digest struct {
	Recipient   string // the subject, never shown
	Language    string // as in the recipient's profile: a BCP 47 tag, or empty
	Unwanted    bool   // the recipient has turned these mails off, or has no profile, or no account any more
	Count       int    // how many comments there are: one at least
	OnePost     bool   // whether they are all on the same
	Comments    []Comment
	LastVersion uint64 // the greatest version of a notification of these comments
}

// A Comment is one that is told of, the oldest first.
type Comment struct {
	ID         uuid.UUID
	PostID     uuid.UUID
	PostTitle  string // plain text
	AuthorName string // plain text; empty when the author is about to go
	Body       string // HTML that is safe to show
}
