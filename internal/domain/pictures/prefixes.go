package pictures

import "strings"

// The prefixes of keys in the bucket of originals. Thumbnails have the prefix of their original.
const (
	TempPrefix      = "temp/"      // uploads, which expire after a day
	PermanentPrefix = "permanent/" // pictures of posts

	// Uploads of signed-in clients with their own credentials.
	ProtectedPrefix = "protected/" // anyone may read the thumbnails
	PrivatePrefix   = "private/"   // only the client itself may read the thumbnails
)

// Prefix returns the first folder of an original's key if it is temp, permanent, protected or
// private, and otherwise other.
func Prefix(key string) string {
	folder, _, _ := strings.Cut(key, "/")
	switch folder + "/" {
	case TempPrefix, PermanentPrefix, ProtectedPrefix, PrivatePrefix:
		return folder
	}
	return "other"
}
