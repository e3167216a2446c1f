package check_test

import (
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/check"
)

func TestKeyPrefix(t *testing.T) {
	for prefix, valid := range map[string]bool{
		"temp/": true, "user_uploads-2/": true,
		"": false, "temp": false, "/": false, "a/b/": false, "*/": false, "${aws:username}/": false,
	} {
		if err := check.KeyPrefix("P", prefix); (err == nil) != valid {
			t.Errorf("%q: error %v, want valid: %t", prefix, err, valid)
		}
	}
}
