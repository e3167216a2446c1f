package pictures

// The prefixes of keys in the bucket of originals. Thumbnails have the prefix of their original.
const (
	TempPrefix      = "temp/"      // uploads, which expire after a day
	PermanentPrefix = "permanent/" // pictures of posts

	// Uploads of signed-in clients with their own credentials.
	ProtectedPrefix = "protected/" // anyone may read the thumbnails
	PrivatePrefix   = "private/"   // only the client itself may read the thumbnails
)
