package pictures

import (
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// A Reference refers to a picture in a post: a promoted picture or an upload.
type Reference struct {
	Owner string // of an upload, as [Owner] returns it; empty for a promoted picture
	ID    uuid.UUID
}

// Key returns the key of the picture.
func (r Reference) Key() string {
	if r.Owner == "" {
		return PermanentKey(r.ID)
	}
	return TempKey(r.Owner, r.ID)
}

const (
	keyPattern = `(?:` + TempPrefix + `([0-9a-f]{32})/|` + PermanentPrefix + `)` +
		`([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`

	// SourcePattern matches the key of a picture, and its URL on any host. It is for a check before
	// [Delivery.Parse].
	SourcePattern = `^(?:https://\S+/)?` + keyPattern + `(?:/[0-9]{1,5}\.jpg)?$`
)

var (
	keyForm       = regexp.MustCompile(`^` + keyPattern + `$`)
	thumbnailForm = regexp.MustCompile(`^` + keyPattern + `/[0-9]{1,5}\.jpg$`)

	// source matches a picture in sanitized HTML, in which quotes are only around attributes, and
	// only a picture has a src.
	source = regexp.MustCompile(` src="` + keyPattern + `"`)
)

// A Delivery is the base URL of the CDN of thumbnails: https://media.example.com, without a
// trailing slash.
type Delivery string

// URL returns the URL of the thumbnail of the picture at key.
func (d Delivery) URL(key string, width int) string {
	return string(d) + "/" + ThumbnailKey(key, width)
}

// Parse parses a picture's src: the picture's key, or the URL of any of its thumbnails.
func (d Delivery) Parse(src string) (Reference, bool) {
	form := keyForm
	if thumbnail, ok := strings.CutPrefix(src, string(d)+"/"); ok && d != "" {
		form, src = thumbnailForm, thumbnail
	}
	match := form.FindStringSubmatch(src)
	if match == nil {
		return Reference{}, false
	}
	return reference(match), true
}

// ResolveURLs returns sanitized HTML for clients: it replaces the keys of promoted pictures with
// URLs of [DefaultWidth].
func (d Delivery) ResolveURLs(html string) string {
	return replace(html, func(picture Reference) string {
		if picture.Owner != "" {
			return picture.Key()
		}
		return d.URL(picture.Key(), DefaultWidth)
	})
}

// References returns the pictures in sanitized HTML, in their order, with repetitions.
func References(html string) []Reference {
	var found []Reference
	for _, match := range source.FindAllStringSubmatch(html, -1) {
		found = append(found, reference(match))
	}
	return found
}

// replace replaces the src of the pictures in sanitized HTML. The new values must need no escaping.
func replace(html string, src func(Reference) string) string {
	return source.ReplaceAllStringFunc(html, func(attribute string) string {
		return ` src="` + src(reference(source.FindStringSubmatch(attribute))) + `"`
	})
}

// reference returns the reference in a match of keyPattern.
func reference(match []string) Reference {
	return Reference{Owner: match[1], ID: uuid.MustParse(match[2])}
}
