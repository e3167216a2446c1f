package accountsapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/property"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/rest"
)

// tokenLifetime is how long a client may stay offline and still get only the changes. After that it
// needs a full sync, so that old tombstones can be deleted one day.
const tokenLifetime = 90 * 24 * time.Hour

type (
	// A SyncRequest holds the query parameters of a sync.
	SyncRequest struct {
		Token string `query:"token" doc:"token of the previous response; omit it for a full sync"`
		// The maximum is 40: 40 of the longest posts, of characters that JSON escapes and the
		// Runtime API's JSON escapes again, are 5.6 of the 6 MB that a function may respond with:
		// "Lambda quotas" in the Lambda Developer Guide. A picture is stored as its key, and its
		// URL has fewer bytes than the escapes of the key's characters.
		Limit int `query:"limit" minimum:"1" maximum:"40" default:"20" doc:"Maximum page size"`
	}

	// A SyncPage is a page of changes. A client that applies the pages in order, until More is
	// false, has all of its user's data.
	SyncPage struct {
		Changes []Change `json:"changes" nullable:"false"`
		Token   string   `json:"token" doc:"Pass it to the next request; valid for 90 days"`
		More    bool     `json:"more" doc:"Whether there is another page; request it immediately"`
	}

	// A Change is the present state of one object.
	Change struct {
		Kind    string         `json:"kind" enum:"profile,post,comment"`
		ID      uuid.UUID      `json:"id" format:"uuid"`
		Deleted bool           `json:"deleted" doc:"Delete your copy; the object has no state"`
		Profile *Profile       `json:"profile,omitempty"`
		Post    *SyncedPost    `json:"post,omitempty"`
		Comment *SyncedComment `json:"comment,omitempty"`
	}

	// A SyncedPost is one of the user's own posts.
	SyncedPost struct {
		Title        string    `json:"title" doc:"Plain text; escape it in HTML"`
		Body         string    `json:"body" doc:"Sanitized HTML, safe to render"`
		CommentCount int       `json:"commentCount"`
		CreatedAt    time.Time `json:"createdAt"`
		UpdatedAt    time.Time `json:"updatedAt"`
	}

	// A SyncedComment is one of the user's own comments, on any user's post.
	SyncedComment struct {
		PostID    uuid.UUID `json:"postId" format:"uuid"`
		Body      string    `json:"body" doc:"Sanitized HTML, safe to render"`
		CreatedAt time.Time `json:"createdAt"`
		UpdatedAt time.Time `json:"updatedAt"`
	}
)

// TransformSchema describes the ID.
func (Change) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.Describe(schema, "id", "ID of the post or the comment; all zeros for the profile")
	return schema
}

// listOfChanges returns the list of a user's changes.
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
			Body:         h.Media.ResolveURLs(p.Body),
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
