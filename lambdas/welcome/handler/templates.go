package handler

import (
	"embed"
	"io/fs"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

//go:embed templates
var files embed.FS

// Templates are the mails confirm and welcome, of a [mailinglist.Subscription].
func Templates() (*email.Templates, error) {
	below, err := fs.Sub(files, "templates")
	if err != nil {
		return nil, err
	}
	return email.ParseTemplates(below)
}
