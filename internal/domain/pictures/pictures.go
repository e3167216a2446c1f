// Package pictures is what users upload: where a picture is kept, and what is made of it.
package pictures

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Widths are those of the thumbnails that every picture gets, in pixels. A picture that is narrower gets its own width
// under their names, so that every address exists.
var Widths = []int{320, 640, 1280, 1920}

// DefaultWidth is the one of Widths that is shown where nobody chooses.
const DefaultWidth = 1280

// What a picture may have. Phones make JPEGs of up to 48 megapixels.
const (
	MaxBytes  = 20 << 20
	MaxPixels = 50_000_000
)

// ContentTypes are those that may be uploaded. What a picture is, its bytes say, and not its content type.
var ContentTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

// Owner names the folder of a user's uploads. It does not tell the subject, which is never shown.
func Owner(subject string) string {
	digest := sha256.Sum256([]byte(subject))
	return hex.EncodeToString(digest[:16])
}

// TempKey is where an upload is until a post keeps it, for a day at most.
func TempKey(owner string, id uuid.UUID) string { return TempPrefix + owner + "/" + id.String() }

// PermanentKey is where the picture of a post is. It does not tell whose it is.
func PermanentKey(id uuid.UUID) string { return PermanentPrefix + id.String() }

// ThumbnailKey is where the thumbnail of the picture at key is, in the bucket of thumbnails.
func ThumbnailKey(key string, width int) string { return key + "/" + strconv.Itoa(width) + ".jpg" }

// A Form uploads one picture, as multipart/form-data: these fields first, then the picture as the field file.
type Form struct {
	URL       string
	Fields    map[string]string
	ExpiresAt time.Time // when it is too late to begin
}
