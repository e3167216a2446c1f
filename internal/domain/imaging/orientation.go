package imaging

import (
	"bytes"

	"github.com/bep/imagemeta"
)

// An orientation is the value of the EXIF tag Orientation: how to turn the stored picture. Its zero
// value is not an orientation.
type orientation int

const (
	upright orientation = 1
	last    orientation = 8
)

// mirrorsX reports whether columns are stored right to left. Mirroring comes before transposing.
func (o orientation) mirrorsX() bool { return o == 2 || o == 3 || o == 7 || o == 8 }

// mirrorsY reports whether rows are stored bottom to top.
func (o orientation) mirrorsY() bool { return o == 3 || o == 4 || o == 6 || o == 7 }

// transposes reports whether rows are stored as columns.
func (o orientation) transposes() bool { return o >= 5 }

const (
	jpegFormat = imagemeta.JPEG
	pngFormat  = imagemeta.PNG
	webpFormat = imagemeta.WebP
)

// orientationOf returns the EXIF tag Orientation. A picture with unreadable EXIF data stays as it
// is stored, as in browsers.
func orientationOf(picture []byte, format imagemeta.ImageFormat) orientation {
	found := upright
	_, _ = imagemeta.Decode(imagemeta.Options{
		R:           bytes.NewReader(picture),
		ImageFormat: format,
		Sources:     imagemeta.EXIF,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool {
			return tag.Tag == "Orientation" && tag.Namespace == "IFD0"
		},
		HandleTag: func(tag imagemeta.TagInfo) error {
			value, ok := tag.Value.(uint16)
			if o := orientation(value); ok && o >= upright && o <= last {
				found = o
			}
			return imagemeta.ErrStopWalking
		},
	})
	return found
}
