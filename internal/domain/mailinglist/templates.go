package mailinglist

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

//go:embed templates
var templates embed.FS

// Templates returns the templates of the mails confirm and welcome. Their data is a [Subscription].
func Templates() (*email.Templates, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("mailinglist: %w", err)
	}
	return email.ParseTemplates(files)
}
