package mysqlconn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Secrets provides the database's credentials. [secretsmanager.Client] implements it.
type Secrets interface {
	GetSecretValue(
		context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
	) (*secretsmanager.GetSecretValueOutput, error)
}

// Credentials are the credentials of a database user, in the form in which RDS and its password
// rotation store them in a secret.
type Credentials struct {
	Username, Password string
}

// FetchCredentials reads a secret. It fails with [ErrUnavailable] when the call to Secrets Manager
// fails. No error contains the secret.
func FetchCredentials(ctx context.Context, secrets Secrets, arn string) (Credentials, error) {
	output, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return Credentials{}, fmt.Errorf("%w: fetch the credentials: %w", ErrUnavailable, err)
	}
	if output.SecretString == nil {
		return Credentials{}, fmt.Errorf(
			"mysqlconn: secret %s is binary, want JSON text with username and password", arn)
	}
	fetched, err := parseCredentials(*output.SecretString)
	if err != nil {
		return Credentials{}, fmt.Errorf("mysqlconn: secret %s: %w", arn, err)
	}
	return fetched, nil
}

// A credentialStore fetches credentials on first use, and again when the cached ones turn out to be
// stale.
type credentialStore struct {
	secrets Secrets
	arn     string
	turn    chan struct{} // a lock whose wait ends with a context
	current *Credentials  // protected by turn
}

func newCredentialStore(secrets Secrets, arn string) *credentialStore {
	return &credentialStore{secrets: secrets, arn: arn, turn: make(chan struct{}, 1)}
}

// get returns credentials other than stale. Of concurrent callers with the same stale credentials,
// one fetches.
func (s *credentialStore) get(ctx context.Context, stale *Credentials) (*Credentials, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.current != stale {
		return s.current, nil
	}
	fetched, err := FetchCredentials(ctx, s.secrets, s.arn)
	if err != nil {
		return nil, err
	}
	s.current = &fetched
	return s.current, nil
}

// parseCredentials parses a secret of RDS and its rotation. Its errors never contain the secret,
// which those of encoding/json may do.
func parseCredentials(secret string) (Credentials, error) {
	var fields struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := json.Unmarshal([]byte(secret), &fields); err != nil {
		return Credentials{},
			errors.New("is not a JSON object with the strings username and password")
	}
	var missing []error
	if fields.Username == "" {
		missing = append(missing, errors.New("has no username"))
	}
	if fields.Password == "" {
		missing = append(missing, errors.New("has no password"))
	}
	return Credentials{Username: fields.Username, Password: fields.Password},
		errors.Join(missing...)
}
