package accounts

import (
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// Limits of a profile's fields, in characters (Unicode code points), as the database counts them.
const (
	MaxDisplayName = 80
	MaxBio         = 500
	MaxLanguage    = validate.MaxLanguageTag
)

// ErrProfileNotFound reports that the user has no profile yet.
var ErrProfileNotFound = domain.NewError(domain.NotFound, "not_found",
	"You have no profile yet. Create it with PUT /profile.")

// A Profile is a user's profile. Text is stored unchanged: nothing is trimmed, folded or escaped.
type Profile struct {
	Subject              string // the user's sub in the tokens of the user pool; never public
	DisplayName          string // required, one line
	Bio                  string // may be empty; the only control characters are line feeds and tabs
	Language             string // a BCP 47 tag such as de or pt-BR; empty if not set
	CommentNotifications bool   // whether to send e-mails about comments on the user's posts
	CreatedAt            time.Time
	UpdatedAt            time.Time
}

// Validate returns nil or a [*validate.Error] with all problems. It does not check times: the store
// sets them.
func (p Profile) Validate() error {
	var invalid validate.Error
	invalid.Check("subject", validate.UserName(p.Subject))
	invalid.Check("displayName", validate.Required(p.DisplayName), validate.UTF8(p.DisplayName),
		validate.NoControl(p.DisplayName, ""), validate.NotBlank(p.DisplayName),
		validate.AtMost(p.DisplayName, MaxDisplayName))
	invalid.Check("bio", validate.UTF8(p.Bio), validate.NoControl(p.Bio, "\n\t"),
		validate.AtMost(p.Bio, MaxBio))
	invalid.Check("language", validate.LanguageTag(p.Language))
	return invalid.OrNil()
}
