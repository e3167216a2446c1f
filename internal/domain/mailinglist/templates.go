package mailinglist

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

//go:embed templates
var templates embed.FS

// Templates are the mails confirm and welcome, of a [Subscription].
func Templates() (*email.Templates, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("mailinglist: %w", err)
	}
	return email.ParseTemplates(files)
}
