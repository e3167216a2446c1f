// Package templates provides the texts of the mailing list's mails, for the construct mailinglist.
package templates

import "embed"

// Files are the templates in each language: lambdas/welcome/contract.CheckTemplates.
//
//go:embed en ko
var Files embed.FS
