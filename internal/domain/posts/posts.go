// Package posts is what users write for each other: posts with rich text, and comments on them.
package posts

import (
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain"
)

// Limits, in characters (Unicode code points), as the database counts them. Those of rich text hold with its markup, as it
// is kept, and a comment's as it was written too.
const (
	MaxTitle   = 200
	MaxBody    = 20_000
	MaxComment = 2_000

	MaxPictures = 50 // in one post, counted as often as they are in it

	// MaxWritten holds for a body as it was written, in which a picture has an address where the kept one has a key: longer
	// by 280 characters at most, since a domain name has 253. So what a client is shown, it may send back.
	MaxWritten = MaxBody + MaxPictures*280
)

var (
	// ErrNotFound reports that there is no such post or comment, or that it is another user's.
	ErrNotFound = domain.NewError(domain.NotFound, "not_found",
		"There is no such post or comment, or it belongs to another user.")

	// ErrNoProfile reports that the author has no name to be shown by.
	ErrNoProfile = domain.NewError(domain.Conflict, "profile_required",
		"You have no profile yet. Create it with PUT /profile, then try again.")
)

// A Post is one user's. Its ID is a UUID of version 7: the newer post has the greater one.
type Post struct {
	ID           uuid.UUID
	Author       string // the subject, never shown
	AuthorName   string // as it is in the author's profile
	Title        string // plain text, to be escaped in HTML
	Body         string // HTML that is safe to show; empty in a list
	CommentCount int
	CreatedAt    time.Time
	UpdatedAt    time.Time // of the title and the body; a comment does not change it
}

// A Comment is one user's, on a post of anybody's. Its ID is a UUID of version 7, as a post's.
type Comment struct {
	ID         uuid.UUID
	PostID     uuid.UUID
	Author     string // the subject, never shown
	AuthorName string // as it is in the author's profile
	Body       string // HTML that is safe to show
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// A NewComment is one that has just been created.
type NewComment struct {
	Comment
	Recipient string // the post's author, who is notified; empty when the author wrote the comment
}

// A Draft is what an author writes of a post.
type Draft struct {
	Title string // plain text of one line, kept as it is
	Body  string // HTML, sanitized before it is stored
}
