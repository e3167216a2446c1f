// Package notifications tells authors of the comments on their posts: many that come within minutes by one mail.
//
// A notice is written along with its comment, and is there until its recipient has been told:
// docs/adr/0020-notifications.md.
package notifications

import (
	"errors"

	"github.com/google/uuid"
)

// MaxComments is how many comments a mail shows. Of the others it says how many there are.
const MaxComments = 20

var (
	// ErrNothing says that the recipient has been told of all there is.
	ErrNothing = errors.New("nothing to tell")

	// ErrClaimed says that somebody else is telling the recipient right now.
	ErrClaimed = errors.New("somebody else tells this recipient")
)

// A Claim is one recipient's digest for whoever may send it now.
type Claim struct {
	Holder uuid.UUID
	Digest Digest
}

// A Digest is all that somebody has not been told yet.
type Digest struct {
	Recipient string // the subject, never shown
	Language  string // as in the recipient's profile: a BCP 47 tag, or empty
	Unwanted  bool   // the recipient has turned these mails off, or has no profile, or no account any more
	Count     int    // how many comments there are: one at least
	OnePost   bool   // whether they are all on the same
	Comments  []Comment
	Last      uint64 // the greatest version of a notice of these comments
}

// A Comment is one that is told of, the oldest first.
type Comment struct {
	ID         uuid.UUID
	PostID     uuid.UUID
	PostTitle  string // plain text
	AuthorName string // plain text; empty when the author is about to go
	Body       string // HTML that is safe to show
}
