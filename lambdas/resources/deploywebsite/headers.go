package main

import (
	"path"
	"strings"

	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// contentTypes maps extensions to content types. The mime package reads the system's tables first,
// which a function does not have.
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

// contentType returns the content type for a file's extension. Files with an unknown extension are
// downloaded, because the headers forbid browsers to guess. The files by which Apple and Google
// associate a website with an app have no extension and are JSON.
func contentType(name string) string {
	if known, ok := contentTypes[strings.ToLower(path.Ext(name))]; ok {
		return known
	}
	if strings.HasPrefix(name, ".well-known/") && path.Ext(name) == "" {
		return "application/json"
	}
	return "application/octet-stream"
}

// cacheControl returns the Cache-Control header of a file, for browsers and CloudFront.
func cacheControl(name string) string {
	switch {
	case isHashed(name):
		return "public, max-age=31536000, immutable"
	case name == contract.Index:
		// CloudFront caches it for only a minute: it is shown at paths that no invalidation can
		// list. AWS advises to invalidate the path that the viewer requested as well as the path to
		// which a function rewrote it ("What you need to know when invalidating files" in the
		// Amazon CloudFront Developer Guide).
		return "public, max-age=0, s-maxage=60, must-revalidate"
	default:
		// CloudFront caches other files until a deployment invalidates them.
		return "public, max-age=0, s-maxage=31536000, must-revalidate"
	}
}
