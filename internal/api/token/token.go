// Package token provides sealed tokens: content that a client sends back and can neither read nor
// forge, such as the position of a page in a list or the recipient of a link in an e-mail.
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

var (
	// ErrInvalid reports that the token was not sealed for this purpose with the present key.
	ErrInvalid = errors.New("token is invalid")

	// ErrExpired reports that the token was sealed too long ago.
	ErrExpired = errors.New("token has expired")
)

// Secrets returns the key. A [secretsmanager.Client] implements it.
type Secrets interface {
	GetSecretValue(
		context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
	) (*secretsmanager.GetSecretValueOutput, error)
}

// A Sealer seals and opens tokens with one key, which it fetches on first use and caches. It is
// safe for concurrent use. Its methods fail with [retry.ErrUnavailable] when the key cannot be
// fetched.
//
// Content is sealed by AES-256-GCM with a random nonce: NIST SP 800-38D, 8.2.2, which allows 2^32
// nonces for a key. The purpose is additional authenticated data, so the cursor of one list is
// invalid in another list, and as a link.
type Sealer struct {
	keyARN  string
	secrets Secrets
	now     func() time.Time

	mu   sync.Mutex
	aead cipher.AEAD // guarded by mu; nil until the key is fetched
}

// NewSealer returns a Sealer whose key is the secret with this ARN: text of at least 32 random
// characters. now is time.Now, except in tests.
func NewSealer(keyARN string, secrets Secrets, now func() time.Time) *Sealer {
	return &Sealer{keyARN: keyARN, secrets: secrets, now: now}
}

// Seal returns a token of content for the purpose. It consists of ASCII letters, digits, - and _,
// and is a third longer than content plus 36 bytes.
func (s *Sealer) Seal(ctx context.Context, purpose string, content []byte) (string, error) {
	aead, err := s.key(ctx)
	if err != nil {
		return "", err
	}
	issued := uint64(s.now().Unix()) //nolint:gosec // G115: no clock is before 1970
	plain := binary.BigEndian.AppendUint64(nil, issued)
	plain = append(plain, content...)
	sealed := aead.Seal(nil, nil, plain, []byte(purpose)) //nolint:gosec // G407: a random nonce
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open returns the content of a token that was sealed for the same purpose and is not older than
// lifetime.
func (s *Sealer) Open(
	ctx context.Context, purpose, token string, lifetime time.Duration,
) ([]byte, error) {
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
	issued := time.Unix(
		int64(binary.BigEndian.Uint64(plain)), 0) //nolint:gosec // G115: Seal wrote it
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
	output, err := s.secrets.GetSecretValue(ctx,
		&secretsmanager.GetSecretValueInput{SecretId: &s.keyARN})
	if err != nil {
		return nil, fmt.Errorf("%w: fetch the key of tokens: %w", retry.ErrUnavailable, err)
	}
	const shortest = 32
	if output.SecretString == nil || len(*output.SecretString) < shortest {
		return nil, fmt.Errorf("token: secret %s must be text of at least %d characters",
			s.keyARN, shortest)
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
