package accounts

import (
	"encoding/binary"
	"errors"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
)

// A client that keeps a copy of what is its user's begins at the zero [Position] and asks again from each page's Next. Once it
// has a page without More, it has all that there was at that moment: the profile, the user's posts and the user's comments.
// What changes while it asks comes once more, on this page or a later one. What it has had and gets as deleted, it removes.

// A Position is how far a client has come. It is the last change that the client has, so the zero Position is the
// beginning. Positions of two users have nothing to do with each other.
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
		return errors.New("a position has another length")
	}
	*p = Position{Version: binary.BigEndian.Uint64(data), ID: uuid.UUID(data[8:])}
	return nil
}

// A Kind says what has changed.
type Kind string

// What a user has.
const (
	KindProfile Kind = "profile"
	KindPost    Kind = "post"
	KindComment Kind = "comment"
)

// A Change is the state of one object. All pointers are nil when it was deleted, and otherwise all but its kind's.
type Change struct {
	Kind    Kind
	ID      uuid.UUID // uuid.Nil for the profile, of which there is one
	Deleted bool
	Profile *Profile
	Post    *posts.Post    // without AuthorName, which is the profile's DisplayName
	Comment *posts.Comment // likewise
}

// A Page is some changes in the order of their positions.
type Page struct {
	Changes []Change
	Next    Position // to ask from again; where the page began when it has no changes
	More    bool     // whether there is more already
}
