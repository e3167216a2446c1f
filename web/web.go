// Package web contains the web client. The client is written in TypeScript. The Go package embeds
// the content to deploy, and its tests run the client's tests.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:placeholder
var placeholder embed.FS

// Placeholder returns the content of the website until the client is available: one page.
func Placeholder() fs.FS {
	content, err := fs.Sub(placeholder, "placeholder")
	if err != nil {
		panic(err) // cannot happen: the folder is embedded
	}
	return content
}
