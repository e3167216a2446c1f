package token

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const day = 24 * time.Hour

// A secret is a fake Secrets Manager with one secret.
type secret struct {
	text    *string
	err     error
	fetches int
}

func (s *secret) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	s.fetches++
	return &secretsmanager.GetSecretValueOutput{SecretString: s.text}, s.err
}

func text(s string) *string { return &s }

func newSealer(key string) *Sealer {
	return NewSealer("key", &secret{text: text(strings.Repeat(key, 32))},
		time.Now)
}

func seal(t testing.TB, s *Sealer, list string, position []byte) string {
	t.Helper()
	cursor, err := s.Seal(t.Context(), list, position)
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

func TestSealer_Open(t *testing.T) {
	s := newSealer("k")
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.String().Draw(rt, "list")
		position := rapid.SliceOfN(rapid.Byte(), 0, 24).Draw(rt, "position")
		cursor := seal(t, s, list, position)
		opened, err := s.Open(t.Context(), list, cursor, day)
		if err != nil || !bytes.Equal(opened, position) {
			rt.Fatalf("opened to %x, %v; want %x", opened, err, position)
		}
	})
}

func TestSealer_Seal_encrypts_content(t *testing.T) {
	cursor := seal(t, newSealer("k"), "posts", []byte("position"))
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || bytes.Contains(sealed, []byte("position")) {
		t.Errorf("the position is readable in the cursor %s (%v)", cursor, err)
	}
	if again := seal(t, newSealer("k"), "posts", []byte("position")); again == cursor {
		t.Error("two cursors of one position are the same")
	}
}

func TestSealer_Open_rejects_forged_tokens(t *testing.T) {
	s := newSealer("k")
	cursor := seal(t, s, "posts", []byte("position"))
	forged := map[string]string{
		"empty": "", "text": "1", "longer": cursor + "A", "shorter": cursor[:len(cursor)-1],
		"padded":                  cursor + "=",
		"sealed with another key": seal(t, newSealer("x"), "posts", []byte("position")),
		"of another list":         seal(t, s, "comments", []byte("position")),
		"SQL":                     "' OR 1=1 --",
	}
	for i := range cursor {
		other := "A"
		if cursor[i] == 'A' {
			other = "B"
		}
		forged["changed at "+cursor[:i]] = cursor[:i] + other + cursor[i+1:]
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(cursor) - 1
	for _, digit := range digits { // some differ only in bits that are not part of a byte
		if byte(digit) != cursor[last] {
			forged["ending with "+string(digit)] = cursor[:last] + string(digit)
		}
	}
	for name, cursor := range forged {
		if opened, err := s.Open(t.Context(), "posts", cursor, day); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: opened to %x, %v; want ErrInvalid", name, opened, err)
		}
	}
}

func TestSealer_Open_rejects_expired_tokens(t *testing.T) {
	s := newSealer("k")
	now := time.Unix(1_800_000_000, 0) // a token has its time in seconds
	s.now = func() time.Time { return now }
	cursor := seal(t, s, "posts", nil)
	now = now.Add(day)
	if _, err := s.Open(t.Context(), "posts", cursor, day); err != nil {
		t.Errorf("at the end of its lifetime: %v", err)
	}
	now = now.Add(2 * time.Second)
	if _, err := s.Open(t.Context(), "posts", cursor, day); !errors.Is(err, ErrExpired) {
		t.Errorf("after its lifetime: %v, want ErrExpired", err)
	}
}

func TestSealer_fetches_the_key_once(t *testing.T) {
	secrets := &secret{err: errors.New("throttled")}
	s := NewSealer("key", secrets, time.Now)
	if _, err := s.Seal(t.Context(), "posts", nil); !errors.Is(err, retry.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	secrets.err, secrets.text = nil, text(strings.Repeat("k", 32))
	cursor := seal(t, s, "posts", nil)
	if _, err := s.Open(t.Context(), "posts", cursor, day); err != nil {
		t.Error(err)
	}
	if secrets.fetches != 2 {
		t.Errorf("%d fetches, want one that failed and one that succeeded", secrets.fetches)
	}
}

// TestSealer_concurrent_use relies on the race detector, in .ci/run.
func TestSealer_concurrent_use(t *testing.T) {
	secrets := &secret{text: text(strings.Repeat("k", 32))}
	s := NewSealer("key", secrets, time.Now)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			cursor, err := s.Seal(t.Context(), "posts", []byte("position"))
			if err == nil {
				_, err = s.Open(t.Context(), "posts", cursor, day)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if secrets.fetches != 1 {
		t.Errorf("%d fetches, want 1", secrets.fetches)
	}
}

func TestSealer_rejects_a_short_key(t *testing.T) {
	for _, key := range []*string{nil, text(""), text(strings.Repeat("k", 31))} {
		s := NewSealer("key", &secret{text: key}, time.Now)
		if _, err := s.Seal(t.Context(), "posts", nil); err == nil ||
			errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("error %v, want one that is not retried", err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := newSealer("k")
	f.Add(seal(f, s, "posts", []byte("position")))
	f.Add("")
	f.Add("' OR 1=1 --")
	f.Fuzz(func(t *testing.T, cursor string) {
		position, err := s.Open(t.Context(), "posts", cursor, day)
		if err == nil && string(position) != "position" {
			t.Errorf("%q opens to %x", cursor, position)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", cursor, err)
		}
	})
}
