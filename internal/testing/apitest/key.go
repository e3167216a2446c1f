package apitest

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// fakeSecrets is a fake Secrets Manager with one secret, the key of tokens.
type fakeSecrets string

// GetSecretValue makes fakeSecrets a token.Secrets.
func (f fakeSecrets) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	text := string(f)
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, nil
}
