package accountsapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
)

// tokenLifetime is how long a client may be away and still be told only what has changed. After that it begins again, so
// that one day old tombstones may be swept away.
const tokenLifetime = 90 * 24 * time.Hour

type (
	// A SyncRequest asks for what has changed.
	SyncRequest struct {
		Token string `query:"token" doc:"token of the answer before, good for 90 days; none to begin with nothing"`
		// 40 of the longest posts, of characters that JSON escapes and the Runtime API's JSON escapes again, are 5.6 of the
		// 6 MB that a function may answer: "Lambda quotas" in the Lambda Developer Guide. The address of a picture has fewer
		// bytes than so many for its key, which it is kept as.
		Limit int `query:"limit" minimum:"1" maximum:"40" default:"20" doc:"How many changes at most"`
	}

	// A SyncPage is some of what has changed. A client that applies the pages in order, until there is no more, has what
	// its user has.
	SyncPage struct {
		Changes []Change `json:"changes" nullable:"false"`
		Token   string   `json:"token" doc:"Asks for what comes after"`
		More    bool     `json:"more" doc:"Whether there is more already; ask for it at once"`
	}

	// A Change is the present state of one object.
	Change struct {
		Kind    string         `json:"kind" enum:"profile,post,comment"`
		ID      uuid.UUID      `json:"id" format:"uuid" doc:"The post's or the comment's; of zeros for the profile"`
		Deleted bool           `json:"deleted" doc:"Forget the object; it has no state"`
		Profile *Profile       `json:"profile,omitempty"`
		Post    *SyncedPost    `json:"post,omitempty"`
		Comment *SyncedComment `json:"comment,omitempty"`
	}

	// A SyncedPost is a post of the user's own.
	SyncedPost struct {
		Title        string    `json:"title" doc:"Plain text, to be escaped in HTML"`
		Body         string    `json:"body" doc:"HTML that is safe to show"`
		CommentCount int       `json:"commentCount"`
		CreatedAt    time.Time `json:"createdAt"`
		UpdatedAt    time.Time `json:"updatedAt"`
	}

	// A SyncedComment is a comment of the user's own, on anybody's post.
	SyncedComment struct {
		PostID    uuid.UUID `json:"postId" format:"uuid"`
		Body      string    `json:"body" doc:"HTML that is safe to show"`
		CreatedAt time.Time `json:"createdAt"`
		UpdatedAt time.Time `json:"updatedAt"`
	}
)

// listOfChanges is the list of a user's changes.
func listOfChanges(subject string) cursor.List {
	return cursor.List{Name: "changes of " + subject, Lifetime: tokenLifetime}
}

func (h *Handlers) sync(ctx context.Context, in *SyncRequest) (*struct{ Body SyncPage }, error) {
	subject := rest.Caller(ctx).Subject
	var position accounts.Position
	if err := h.Cursors.Open(ctx, listOfChanges(subject), in.Token, &position); err != nil {
		return nil, err
	}
	found, err := h.Accounts.Sync(ctx, subject, position, in.Limit)
	if err != nil {
		return nil, err
	}
	page := SyncPage{Changes: make([]Change, len(found.Changes)), More: found.More}
	for i, change := range found.Changes {
		page.Changes[i] = h.changeJSON(change)
	}
	page.Token, err = h.Cursors.Seal(ctx, listOfChanges(subject), found.Next)
	return &struct{ Body SyncPage }{page}, err
}

func (h *Handlers) changeJSON(change accounts.Change) Change {
	represented := Change{Kind: string(change.Kind), ID: change.ID, Deleted: change.Deleted}
	if p := change.Profile; p != nil {
		profile := profileJSON(*p)
		represented.Profile = &profile
	}
	if p := change.Post; p != nil {
		represented.Post = &SyncedPost{
			Title:        p.Title,
			Body:         h.Media.Show(p.Body),
			CommentCount: p.CommentCount,
			CreatedAt:    p.CreatedAt.UTC(),
			UpdatedAt:    p.UpdatedAt.UTC(),
		}
	}
	if c := change.Comment; c != nil {
		represented.Comment = &SyncedComment{
			PostID:    c.PostID,
			Body:      c.Body,
			CreatedAt: c.CreatedAt.UTC(),
			UpdatedAt: c.UpdatedAt.UTC(),
		}
	}
	return represented
}
