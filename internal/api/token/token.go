// Package token seals what a client is given to hand back, so that it can neither read nor forge it: where a page of a list
// ends, or whom a link in a mail is for.
package token

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

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// Settings are those of a function that gives out tokens, or takes them back.
type Settings struct {
	KeyARN string `env:"TOKEN_KEY_ARN"` // of the secret that tokens are sealed with: text of at least 32 random characters
}

var (
	// ErrInvalid says that nobody ever gave out the token for this purpose, or that the key is another one now.
	ErrInvalid = errors.New("token is forged")

	// ErrExpired says that the token was given out, and too long ago.
	ErrExpired = errors.New("token has expired")
)

// Secrets is where the key comes from. A [secretsmanager.Client] is one.
type Secrets interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// A Sealer seals and opens tokens with one key, which it fetches on first use and keeps. Its methods may be called at
// once. They fail with [retry.ErrUnavailable] when the key cannot be fetched.
//
// Content is sealed by AES-256-GCM with a random nonce: NIST SP 800-38D, 8.2.2, which allows a key 2^32 of them. The
// purpose is authenticated along with it, so the cursor of one list does not open in another, nor as a link.
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

// Seal returns a token of content for the purpose: ASCII letters, digits, - and _, a third longer than 36 bytes and content.
func (s *Sealer) Seal(ctx context.Context, purpose string, content []byte) (string, error) {
	aead, err := s.key(ctx)
	if err != nil {
		return "", err
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Unix())) //nolint:gosec // G115: no clock is before 1970
	plain = append(plain, content...)
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plain, []byte(purpose))), nil //nolint:gosec // G407: it takes a random nonce by itself
}

// Open returns the content of a token that was sealed for the same purpose, no longer than lifetime ago.
func (s *Sealer) Open(ctx context.Context, purpose, token string, lifetime time.Duration) ([]byte, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	aead, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
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
		return nil, fmt.Errorf("%w: fetch the key of tokens: %w", retry.ErrUnavailable, err)
	}
	const shortest = 32
	if output.SecretString == nil || len(*output.SecretString) < shortest {
		return nil, fmt.Errorf("token: secret %s is no text of at least %d characters", s.settings.KeyARN, shortest)
	}
	key, err := hkdf.Key(sha256.New, []byte(*output.SecretString), nil, "ashlar token", 32)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if s.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return s.aead, nil
}
