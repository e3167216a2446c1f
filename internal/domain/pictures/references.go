package pictures

import (
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// A Reference names a picture of a post: one that is kept, or one that was uploaded.
type Reference struct {
	Owner string // of an upload, as [Owner] names it; empty for a picture that is kept
	ID    uuid.UUID
}

// Key is where the picture is.
func (r Reference) Key() string {
	if r.Owner == "" {
		return PermanentKey(r.ID)
	}
	return TempKey(r.Owner, r.ID)
}

const (
	keyPattern = `(?:` + TempPrefix + `([0-9a-f]{32})/|` + PermanentPrefix + `)` +
		`([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`

	// SourcePattern matches what may be the address of a picture, wherever it is delivered from. It is for those who look
	// before [Delivery.Parse] does.
	SourcePattern = `^(?:https://\S+/)?` + keyPattern + `(?:/[0-9]{1,5}\.jpg)?$`
)

var (
	keyForm       = regexp.MustCompile(`^` + keyPattern + `$`)
	thumbnailForm = regexp.MustCompile(`^` + keyPattern + `/[0-9]{1,5}\.jpg$`)

	// source matches a picture in clean HTML, in which quotes are nowhere but around attributes, and no other element than a
	// picture has a src.
	source = regexp.MustCompile(` src="` + keyPattern + `"`)
)

// A Delivery is where the world sees thumbnails: https://media.example.com, without a slash at the end.
type Delivery string

// URL is the address of the thumbnail of the picture at key.
func (d Delivery) URL(key string, width int) string {
	return string(d) + "/" + ThumbnailKey(key, width)
}

// Parse reads a picture's src: the picture's key, or the address of any of its thumbnails.
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

// Show returns clean HTML as clients see it: kept pictures have an address of [DefaultWidth] in place of their key.
func (d Delivery) Show(html string) string {
	return replace(html, func(picture Reference) string {
		if picture.Owner != "" {
			return picture.Key()
		}
		return d.URL(picture.Key(), DefaultWidth)
	})
}

// References lists the pictures in clean HTML, in their order, each as often as it is there.
func References(html string) []Reference {
	var found []Reference
	for _, match := range source.FindAllStringSubmatch(html, -1) {
		found = append(found, reference(match))
	}
	return found
}

// replace gives the pictures in clean HTML other addresses, which must need no escaping.
func replace(html string, address func(Reference) string) string {
	return source.ReplaceAllStringFunc(html, func(attribute string) string {
		return ` src="` + address(reference(source.FindStringSubmatch(attribute))) + `"`
	})
}

// reference reads a match of keyPattern.
func reference(match []string) Reference {
	return Reference{Owner: match[1], ID: uuid.MustParse(match[2])}
}
