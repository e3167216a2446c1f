package cursor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// secret is a fake Secrets Manager with the key of tokens, or its error.
type secret struct{ err error }

func (s secret) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	text := "thirty-two random characters, or more"
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, s.err
}

func newCursors(secret secret, age time.Duration) *cursor.Cursors {
	past := func() time.Time { return time.Now().Add(-age) }
	return &cursor.Cursors{Tokens: token.NewSealer("", secret, past)}
}

func TestCursors_Open(t *testing.T) {
	list := cursor.List{Name: "posts", Lifetime: time.Hour}
	position := uuid.MustParse("6f1c9b1e-0b7a-4c1e-9d52-3a4f5b6c7d8e")
	seal := func(list cursor.List, age time.Duration) string {
		sealed, err := newCursors(secret{}, age).Seal(t.Context(), list, position)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	for name, test := range map[string]struct {
		sealed string
		want   error
	}{
		"of the list":   {seal(list, 59*time.Minute), nil},
		"another list":  {seal(cursor.List{Name: "comments"}, 0), cursor.ErrInvalid},
		"not ours":      {"'; DROP TABLE posts; --", cursor.ErrInvalid},
		"an hour later": {seal(list, 61*time.Minute), cursor.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			var got uuid.UUID
			err := newCursors(secret{}, 0).Open(t.Context(), list, test.sealed, &got)
			if !errors.Is(err, test.want) || (err == nil) != (got == position) {
				t.Errorf("got %s, %v; want %v", got, err, test.want)
			}
		})
	}
	t.Run("empty", func(t *testing.T) {
		got := position
		err := newCursors(secret{}, 0).Open(t.Context(), list, "", &got)
		if err != nil || got != position {
			t.Errorf("got %s, %v; want the position unchanged", got, err)
		}
	})
	t.Run("position of another type", func(t *testing.T) {
		var got accounts.Position
		err := newCursors(secret{}, 0).Open(t.Context(), list, seal(list, 0), &got)
		if !errors.Is(err, cursor.ErrInvalid) || got != (accounts.Position{}) {
			t.Errorf("got %v, %v; want ErrInvalid", got, err)
		}
	})
	t.Run("without the key", func(t *testing.T) {
		without := newCursors(secret{errors.New("throttled")}, 0)
		err := without.Open(t.Context(), list, seal(list, 0), new(uuid.UUID))
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("Open: got %v, want ErrUnavailable", err)
		}
		_, err = without.Seal(t.Context(), list, position)
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("Seal: got %v, want ErrUnavailable", err)
		}
	})
}
