package check

import "regexp"

var keyPrefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+/$`)

// KeyPrefix accepts the prefix of S3 keys that is one folder. A wildcard or a policy variable would
// widen the permissions on the objects below it.
func KeyPrefix(prop, prefix string) error {
	return text(prop, prefix, keyPrefixPattern.MatchString(prefix),
		"letters, digits, - and _, then a slash")
}
