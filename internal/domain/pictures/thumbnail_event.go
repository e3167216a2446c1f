package pictures

import "strings"

// A ThumbnailEvent is the message on the topic, as JSON, after every change of an original: the
// thumbnails that there are by then, whatever the change was. The message has the attribute prefix
// ([Prefix]), for filter policies.
//
// A message may be delivered twice, and two of one key in any order. The one that counts has the
// highest sequencer: it has the thumbnails after the key's last change.
type ThumbnailEvent struct {
	Key string `json:"key"` // of the original

	// Removed says that there are no thumbnails, or none any more: the original is gone, or none can be made of it.
	Removed bool `json:"removed"`

	// ETag is that of the original which was read, in the form that S3's events have; empty when it is gone.
	ETag string `json:"eTag,omitempty"`

	// Sequencer is that of the change. It orders the changes of one key, as "Event message structure" in the Amazon S3 User
	// Guide says: they are hexadecimal numbers, and may differ in length.
	Sequencer string `json:"sequencer,omitempty"`

	Thumbnails []Thumbnail `json:"thumbnails"` // none when Removed
}

// Attributes are the message's.
func (e ThumbnailEvent) Attributes() map[string]string {
	return map[string]string{"prefix": Prefix(e.Key)}
}

// A Thumbnail is one of the thumbnails that a picture has now.
type Thumbnail struct {
	Key    string `json:"key"`    // in the bucket of thumbnails
	Width  int    `json:"width"`  // in pixels; less than the one in the key when the original is narrower
	Height int    `json:"height"` // in pixels
}

// The prefixes of keys below which signed-in clients upload with credentials of their own.
const (
	ProtectedPrefix = "protected/" // everybody may see the thumbnails
	PrivatePrefix   = "private/"   // only the client itself may
)

// Prefix is the kind of key that an original has, by its first folder: temp, permanent, protected or private; else other.
func Prefix(key string) string {
	folder, _, _ := strings.Cut(key, "/")
	switch folder + "/" {
	case TempPrefix, PermanentPrefix, ProtectedPrefix, PrivatePrefix:
		return folder
	}
	return "other"
}
