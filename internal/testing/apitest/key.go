package apitest

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// A key is Secrets Manager with the key of cursors in it.
type key string

// GetSecretValue makes a key a cursor.Secrets.
func (k key) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	text := string(k)
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, nil
}
