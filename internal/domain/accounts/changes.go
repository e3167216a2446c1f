package accounts

import (
	"encoding/binary"
	"errors"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
)

// A client syncs a copy of its user's data: it starts at the zero [Position] and requests the next
// page from each page's Next. After a page without More, its copy is complete as of that moment:
// the profile, the user's posts and the user's comments. An object that changes during the sync is
// listed again, on this page or a later one. The client removes objects that are listed as deleted.

// A Position is the position of a client in a user's changes: the last change that the client has.
// The zero Position is the start. Positions of two users are not comparable.
type Position struct {
	Version uint64
	ID      uuid.UUID
}

// positionSize is the length of an encoded position, in bytes.
const positionSize = 8 + len(uuid.UUID{})

// MarshalBinary encodes the position: the version in big-endian order, then the ID.
func (p Position) MarshalBinary() ([]byte, error) {
	return append(binary.BigEndian.AppendUint64(nil, p.Version), p.ID[:]...), nil
}

// UnmarshalBinary decodes a position.
func (p *Position) UnmarshalBinary(data []byte) error {
	if len(data) != positionSize {
		return errors.New("position has the wrong length")
	}
	*p = Position{Version: binary.BigEndian.Uint64(data), ID: uuid.UUID(data[8:])}
	return nil
}

// A Kind is the kind of an object that has changed.
type Kind string

// The kinds of objects.
const (
	KindProfile Kind = "profile"
	KindPost    Kind = "post"
	KindComment Kind = "comment"
)

// A Change is the present state of one object. If the object is deleted, all pointers are nil;
// otherwise only the pointer of its kind is set.
type Change struct {
	Kind    Kind
	ID      uuid.UUID // uuid.Nil for the profile, of which there is one
	Deleted bool
	Profile *Profile
	Post    *posts.Post    // without AuthorName, which is the profile's DisplayName
	Comment *posts.Comment // likewise
}

// A Page is a page of changes in the order of their positions.
type Page struct {
	Changes []Change
	Next    Position // of the next page; the page's own position if it has no changes
	More    bool     // whether there are more changes now
}
