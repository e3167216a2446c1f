// Package pictures provides the keys, the storage and the deletion of the pictures that users
// upload.
package pictures

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Widths are the widths of the thumbnails that every picture gets, in pixels. Thumbnails of a
// narrower picture have the picture's own width under the same names, so that every URL exists.
var Widths = []int{320, 640, 1280, 1920}

// DefaultWidth is the width of a picture in posts. It is one of Widths.
const DefaultWidth = 1280

// Limits of a picture. Phones make JPEGs of up to 48 megapixels.
const (
	MaxBytes  = 20 << 20
	MaxPixels = 50_000_000
)

// ContentTypes are the content types that may be uploaded. The format of a picture is detected from
// its bytes, not from its content type.
var ContentTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

// Owner returns the name of the folder of a user's uploads. It does not reveal the subject, which
// is never public.
func Owner(subject string) string {
	digest := sha256.Sum256([]byte(subject))
	return hex.EncodeToString(digest[:16])
}

// TempKey returns the key of an upload before it is promoted. It expires after a day.
func TempKey(owner string, id uuid.UUID) string { return TempPrefix + owner + "/" + id.String() }

// PermanentKey returns the key of a promoted picture. It does not reveal the owner.
func PermanentKey(id uuid.UUID) string { return PermanentPrefix + id.String() }

// ThumbnailKey returns the key of the thumbnail of the picture at key, in the bucket of thumbnails.
func ThumbnailKey(key string, width int) string { return key + "/" + strconv.Itoa(width) + ".jpg" }

// A Form uploads one picture, as multipart/form-data: these fields first, then the picture as the
// field file.
type Form struct {
	URL       string
	Fields    map[string]string
	ExpiresAt time.Time // the upload must start before
}
