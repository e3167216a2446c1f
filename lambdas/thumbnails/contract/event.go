package contract

// A ThumbnailEvent is the message, as JSON, that is published to the topic after every change of an
// original. It lists all present thumbnails, after any kind of change. The message has the
// attribute [PrefixAttribute], for filter policies.
//
// A message may be delivered twice, and messages of one key in any order. The message with the
// highest sequencer is the valid one: it has the thumbnails after the key's last change.
type ThumbnailEvent struct {
	Key string `json:"key"` // of the original

	// Removed reports that there are no thumbnails: the original is deleted, or no thumbnails can
	// be made of it.
	Removed bool `json:"removed"`

	// ETag is the ETag of the original that was read, in the form of S3's events; empty if the
	// original is deleted.
	ETag string `json:"eTag,omitempty"`

	// Sequencer is the sequencer of the change. It orders the changes of one key ("Event message
	// structure" in the Amazon S3 User Guide): sequencers are hexadecimal numbers and may differ in
	// length.
	Sequencer string `json:"sequencer,omitempty"`

	Thumbnails []Thumbnail `json:"thumbnails"` // empty if Removed; never null
}

// A Thumbnail is one of the present thumbnails of a picture.
type Thumbnail struct {
	Key    string `json:"key"`    // in the bucket of thumbnails
	Width  int    `json:"width"`  // in pixels; less than in the key if the original is narrower
	Height int    `json:"height"` // in pixels
}

// PrefixAttribute is the message attribute with the original's prefix, without the slash: temp,
// for example. Its value is [OtherPrefix] for a key that has none of the prefixes in the settings.
const PrefixAttribute = "prefix"

// OtherPrefix is the value of [PrefixAttribute] for all other keys.
const OtherPrefix = "other"
