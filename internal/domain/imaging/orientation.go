package imaging

import (
	"bytes"

	"github.com/bep/imagemeta"
)

// An orientation is EXIF's: how the stored picture has to be turned. Its zero value is none.
type orientation int

const (
	upright orientation = 1
	last    orientation = 8
)

// mirrorsX says whether columns are stored right to left. Mirroring comes before transposing.
func (o orientation) mirrorsX() bool { return o == 2 || o == 3 || o == 7 || o == 8 }

// mirrorsY says whether rows are stored bottom to top.
func (o orientation) mirrorsY() bool { return o == 3 || o == 4 || o == 6 || o == 7 }

// transposes says whether rows are stored as columns.
func (o orientation) transposes() bool { return o >= 5 }

const (
	jpegFormat = imagemeta.JPEG
	pngFormat  = imagemeta.PNG
	webpFormat = imagemeta.WebP
)

// orientationOf reads the EXIF tag Orientation. A picture whose EXIF cannot be read is shown as it is stored, as
// browsers do.
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
			if value, ok := tag.Value.(uint16); ok && orientation(value) >= upright && orientation(value) <= last {
				found = orientation(value)
			}
			return imagemeta.ErrStopWalking
		},
	})
	return found
}
