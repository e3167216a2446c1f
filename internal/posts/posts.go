// Package posts is what users write for each other: posts with rich text, and comments on them.
package posts

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/validate"
)

// Limits, in characters (Unicode code points), as the database counts them. Those of rich text hold with its markup,
// both as it was written and as it is kept.
const (
	MaxTitle          = 200
	MaxBody           = 20_000
	MaxComment        = 2_000
	MaxIdempotencyKey = 64 // visible ASCII
)

var (
	// ErrNotFound says that there is no such post or comment, or that it is another's who alone may change it.
	ErrNotFound = errors.New("post or comment not found")

	// ErrNoProfile says that the author has no name to be shown by.
	ErrNoProfile = errors.New("the author has no profile; create it first")

	// ErrUnavailable says that posts cannot be read or written for the moment; the same call may work later.
	ErrUnavailable = errors.New("posts are unavailable")
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

// A Draft is what an author writes of a post.
type Draft struct {
	Title string // plain text of one line, kept as it is
	Body  string // HTML
}

// Clean returns the draft as it may be kept and shown: of its body's HTML there is left what a post may have. The
// error is a [*validate.Error] with all problems. A clean draft stays as it is.
func (d Draft) Clean() (Draft, error) {
	var invalid validate.Error
	invalid.Check("title", validate.Required(d.Title), validate.UTF8(d.Title), validate.NoControl(d.Title, ""),
		validate.NotBlank(d.Title), validate.AtMost(d.Title, MaxTitle))
	body, problem := cleanHTML(ofPosts, d.Body, MaxBody)
	invalid.Check("body", problem)
	if err := invalid.OrNil(); err != nil {
		return Draft{}, err
	}
	return Draft{Title: d.Title, Body: body}, nil
}

// CleanComment does for a comment's body what [Draft.Clean] does for a post's. A comment has no headings and no
// pictures.
func CleanComment(body string) (string, error) {
	var invalid validate.Error
	clean, problem := cleanHTML(ofComments, body, MaxComment)
	invalid.Check("body", problem)
	if err := invalid.OrNil(); err != nil {
		return "", err
	}
	return clean, nil
}
