package email

import "strings"

// An Address is where mails go, as its owner writes it.
type Address string

// Key is the same for all spellings of an address that reach the same person.
func (a Address) Key() string { return strings.ToLower(string(a)) }
