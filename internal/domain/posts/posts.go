// Package posts provides posts with rich text, and comments on them.
package posts

import (
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain"
)

// Limits, in characters (Unicode code points), as the database counts them. The limits of rich text
// include the markup. They apply to the sanitized text that is stored; the limit of a comment also
// applies to the text that was submitted.
const (
	MaxTitle   = 200
	MaxBody    = 20_000
	MaxComment = 2_000

	MaxPictures = 50 // in one post, with repetitions

	// MaxSubmittedBody applies to a submitted body, in which pictures have URLs instead of keys. A
	// URL is at most 280 characters longer than a key, since a domain name has at most 253. So a
	// client can submit any body that it got.
	MaxSubmittedBody = MaxBody + MaxPictures*280
)

var (
	// ErrNotFound reports that there is no such post or comment, or that it is another user's.
	ErrNotFound = domain.NewError(domain.NotFound, "not_found",
		"There is no such post or comment, or it belongs to another user.")

	// ErrNoProfile reports that the author has no profile, so there is no display name.
	ErrNoProfile = domain.NewError(domain.Conflict, "profile_required",
		"You have no profile yet. Create it with PUT /profile, then try again.")
)

// A Post is a post of one user. Its ID is a UUID of version 7: a newer post has a greater ID.
type Post struct {
	ID           uuid.UUID
	Author       string // the subject, never public
	AuthorName   string // DisplayName of the author's profile
	Title        string // plain text, to be escaped in HTML
	Body         string // sanitized HTML; empty in a list
	CommentCount int
	CreatedAt    time.Time
	UpdatedAt    time.Time // of the title and the body; a comment does not change it
}

// A Comment is a comment of one user, on a post of any user. Its ID is a UUID of version 7, as a
// post's.
type Comment struct {
	ID         uuid.UUID
	PostID     uuid.UUID
	Author     string // the subject, never public
	AuthorName string // DisplayName of the author's profile
	Body       string // sanitized HTML
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// A NewComment is a comment that has just been created.
type NewComment struct {
	Comment
	Recipient string // the post's author, who is notified; empty if the author wrote the comment
}

// A Draft is the part of a post that its author writes.
type Draft struct {
	Title string // plain text of one line, stored unchanged
	Body  string // HTML, sanitized before it is stored
}
