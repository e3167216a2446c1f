// Package cursor seals a position in a list, so that a client can hand it back and neither read nor forge it.
package cursor

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/retry"
)

// Settings are those of a function that gives out cursors.
type Settings struct {
	KeyARN string `env:"CURSOR_KEY_ARN"` // of the secret that cursors are sealed with: text of at least 32 random characters
}

var (
	// ErrForged says that this list never gave out the cursor, or that the key is another one now.
	ErrForged = errors.New("cursor is forged")

	// ErrExpired says that the list gave out the cursor, and too long ago.
	ErrExpired = errors.New("cursor has expired")
)

// Secrets is where the key comes from. A [secretsmanager.Client] is one.
type Secrets interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// A Sealer seals and opens cursors with one key, which it fetches on first use and keeps. Its methods may be called at
// once. They fail with [retry.ErrLater] when the key cannot be fetched.
//
// A position is sealed by AES-256-GCM with a random nonce: NIST SP 800-38D, 8.2.2, which allows a key 2^32 of them.
// The list's name is authenticated along with it, so the cursor of one list does not open in another.
type Sealer struct {
	settings Settings
	secrets  Secrets
	now      func() time.Time

	mu   sync.Mutex
	aead cipher.AEAD // held by mu; nil until it is fetched
}

// NewSealer returns a Sealer. now is time.Now, but in tests.
func NewSealer(settings Settings, secrets Secrets, now func() time.Time) *Sealer {
	return &Sealer{settings: settings, secrets: secrets, now: now}
}

// Seal returns the cursor of position in list.
func (s *Sealer) Seal(ctx context.Context, list string, position []byte) (string, error) {
	aead, err := s.key(ctx)
	if err != nil {
		return "", err
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Unix())) //nolint:gosec // G115: no clock is before 1970
	plain = append(plain, position...)
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plain, []byte(list))), nil //nolint:gosec // G407: it takes a random nonce by itself
}

// Open returns the position that cursor was sealed with, in the same list and no longer than lifetime ago.
func (s *Sealer) Open(ctx context.Context, list, cursor string, lifetime time.Duration) ([]byte, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	aead, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, []byte(list))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	issued := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0) //nolint:gosec // G115: Seal wrote it
	if s.now().Sub(issued) > lifetime {
		return nil, ErrExpired
	}
	return plain[8:], nil
}

func (s *Sealer) key(ctx context.Context) (cipher.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead != nil {
		return s.aead, nil
	}
	output, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.settings.KeyARN})
	if err != nil {
		return nil, fmt.Errorf("%w: fetch the key of cursors: %w", retry.ErrLater, err)
	}
	const shortest = 32
	if output.SecretString == nil || len(*output.SecretString) < shortest {
		return nil, fmt.Errorf("cursor: secret %s is no text of at least %d characters", s.settings.KeyARN, shortest)
	}
	key, err := hkdf.Key(sha256.New, []byte(*output.SecretString), nil, "ashlar cursor", 32)
	if err != nil {
		return nil, fmt.Errorf("cursor: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cursor: %w", err)
	}
	if s.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("cursor: %w", err)
	}
	return s.aead, nil
}
