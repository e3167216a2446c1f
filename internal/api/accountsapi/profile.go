package accountsapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ashlar-cdk/ashlar/internal/api/property"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/rest"
)

type (
	// A ProfileDraft is the request body of PUT /profile.
	ProfileDraft struct {
		DisplayName string `json:"displayName" minLength:"1"`
		Bio         string `json:"bio,omitempty"`
		Language    string `json:"language,omitempty"`

		CommentNotifications *bool `json:"commentNotifications,omitempty"`
	}

	// A Profile is the signed-in user's profile.
	Profile struct {
		DisplayName          string    `json:"displayName"`
		Bio                  string    `json:"bio"`
		Language             string    `json:"language"`
		CommentNotifications bool      `json:"commentNotifications"`
		CreatedAt            time.Time `json:"createdAt"`
		UpdatedAt            time.Time `json:"updatedAt"`
	}

	profileResponse struct{ Body Profile }
)

const describeNotifications = "Whether to send you an e-mail about new comments on your posts"

// TransformSchema sets the domain's limits.
func (ProfileDraft) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.LimitLength(schema, "displayName", accounts.MaxDisplayName)
	property.LimitLength(schema, "bio", accounts.MaxBio)
	property.LimitLength(schema, "language", accounts.MaxLanguage)
	property.Describe(schema, "displayName", "One line, shown with your posts and comments")
	property.Describe(schema, "language", "BCP 47 tag such as de or pt-BR")
	property.Describe(schema, "commentNotifications", describeNotifications+
		". Omit it to keep the present value; in a new profile the default is true.")
	return schema
}

// TransformSchema describes the setting of notifications.
func (Profile) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.Describe(schema, "commentNotifications", describeNotifications)
	return schema
}

func profileJSON(p accounts.Profile) Profile {
	return Profile{
		DisplayName:          p.DisplayName,
		Bio:                  p.Bio,
		Language:             p.Language,
		CommentNotifications: p.CommentNotifications,
		CreatedAt:            p.CreatedAt.UTC(),
		UpdatedAt:            p.UpdatedAt.UTC(),
	}
}

func respondProfile(p accounts.Profile, err error) (*profileResponse, error) {
	if err != nil {
		return nil, err
	}
	return &profileResponse{Body: profileJSON(p)}, nil
}

func (h *Handlers) getProfile(ctx context.Context, _ *struct{}) (*profileResponse, error) {
	return respondProfile(h.Accounts.Profile(ctx, rest.Caller(ctx).Subject))
}

func (h *Handlers) putProfile(
	ctx context.Context, in *struct{ Body ProfileDraft },
) (*profileResponse, error) {
	p := accounts.Profile{
		Subject:     rest.Caller(ctx).Subject,
		DisplayName: in.Body.DisplayName,
		Bio:         in.Body.Bio,
		Language:    in.Body.Language,
	}
	return respondProfile(h.Accounts.PutProfile(ctx, p, in.Body.CommentNotifications))
}
