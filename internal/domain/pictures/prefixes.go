package pictures

// The prefixes of keys in the bucket of originals.
const (
	TempPrefix      = "temp/"      // uploads, which expire after a day
	PermanentPrefix = "permanent/" // pictures of posts
)
