// Package web is the web client. It is TypeScript; its Go is what is deployed of it, and a test that runs its own.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:placeholder
var placeholder embed.FS

// Placeholder is the website until the client is there: one page that says so.
func Placeholder() fs.FS {
	content, err := fs.Sub(placeholder, "placeholder")
	if err != nil {
		panic(err) // the compiler has put it there
	}
	return content
}
