package main

import (
	"path"
	"strings"

	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// contentTypes are those that are right everywhere. The mime package asks the machine's own tables first, which a function
// does not have.
var contentTypes = map[string]string{
	".avif":        "image/avif",
	".css":         "text/css; charset=utf-8",
	".gif":         "image/gif",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".jpeg":        "image/jpeg",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".mjs":         "text/javascript; charset=utf-8",
	".pdf":         "application/pdf",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
	".xml":         "application/xml",
}

// contentType follows from a file's extension. Browsers are told not to guess, so one that is not known is offered for
// download. Apple's and Google's files that join a site with its app have no extension and are JSON.
func contentType(name string) string {
	if known, ok := contentTypes[strings.ToLower(path.Ext(name))]; ok {
		return known
	}
	if strings.HasPrefix(name, ".well-known/") && path.Ext(name) == "" {
		return "application/json"
	}
	return "application/octet-stream"
}

// cacheControl tells browsers and CloudFront how long they may show a file without asking.
func cacheControl(name string) string {
	switch {
	case isHashed(name):
		return "public, max-age=31536000, immutable"
	case name == contract.Index:
		// CloudFront keeps it for a minute only: it is shown at addresses that no invalidation can list, and AWS advises to
		// invalidate the address that the viewer has asked for as well as what a function has made of it ("What you need to
		// know when invalidating files" in the Amazon CloudFront Developer Guide).
		return "public, max-age=0, s-maxage=60, must-revalidate"
	default:
		return "public, max-age=0, s-maxage=31536000, must-revalidate" // until a deployment changes it
	}
}
