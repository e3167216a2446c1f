package mysqlconn

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secretsFunc is a fake of Secrets Manager.
type secretsFunc func() (*string, error)

func (f secretsFunc) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	secret, err := f()
	return &secretsmanager.GetSecretValueOutput{SecretString: secret}, err
}

func TestCredentialStore_fetches_once_for_concurrent_callers(t *testing.T) {
	fetches := 0 // the store makes one fetch at a time
	store := newCredentialStore(secretsFunc(func() (*string, error) {
		fetches++
		secret := `{"username":"u","password":"p"}`
		return &secret, nil
	}), "arn")
	stale, err := store.get(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Go(func() {
			if fresh, err := store.get(t.Context(), stale); err != nil || fresh == stale {
				t.Errorf("got %v, %v", fresh, err)
			}
		})
	}
	waiting.Wait()
	if fetches != 2 {
		t.Errorf("%d fetches, want 2: the first and one for all callers", fetches)
	}
}

func TestCredentialStore_get_ends_with_the_context(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{})
	store := newCredentialStore(secretsFunc(func() (*string, error) {
		close(entered)
		<-release
		return nil, errors.New("no")
	}), "arn")
	go func() { _, _ = store.get(context.Background(), nil) }()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := store.get(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	close(release)
}

func TestCredentialStore_rejects_unusable_secrets(t *testing.T) {
	text := func(s string) *string { return &s }
	for name, test := range map[string]struct {
		secret      *string
		err         error
		want        string
		unavailable bool
	}{
		"not fetched": {
			nil, errors.New("throttled"), "database unavailable: fetch the credentials: throttled",
			true,
		},
		"binary": {
			nil, nil, "mysqlconn: secret arn is binary, want JSON text with username and password",
			false,
		},
		"not JSON": {
			text("hunter2"), nil,
			"mysqlconn: secret arn: is not a JSON object with the strings username and password",
			false,
		},
		"not strings": {
			text(`{"username":"u","password":1234567}`), nil,
			"mysqlconn: secret arn: is not a JSON object with the strings username and password",
			false,
		},
		"no password": {
			text(`{"username":"hunter2"}`), nil, "mysqlconn: secret arn: has no password", false,
		},
		"empty object": {
			text(`{}`), nil, "mysqlconn: secret arn: has no username\nhas no password", false,
		},
	} {
		secrets := secretsFunc(func() (*string, error) { return test.secret, test.err })
		_, err := newCredentialStore(secrets, "arn").get(t.Context(), nil)
		if err == nil || err.Error() != test.want ||
			errors.Is(err, ErrUnavailable) != test.unavailable {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// FuzzParseCredentials checks that valid credentials round-trip, and that no error contains the
// secret.
func FuzzParseCredentials(f *testing.F) {
	f.Add(`{"username":"admin","password":"hunter2hunter2","host":"h","port":3306}`)
	f.Add(`{"username":"admin","password":9876543210}`)
	f.Add(`hunter2hunter2`)
	f.Add(`{"username":"\ud800"`)
	f.Fuzz(func(t *testing.T, secret string) {
		got, err := parseCredentials(secret)
		if err != nil {
			for _, known := range []string{
				"is not a JSON object with the strings username and password", "has no username",
				"has no password", "has no username\nhas no password",
			} {
				if err.Error() == known {
					return
				}
			}
			t.Fatalf("the error may contain the secret: %v", err)
		}
		if got.Username == "" || got.Password == "" {
			t.Fatal("credentials are missing without an error")
		}
		again, err := json.Marshal(
			map[string]string{"username": got.Username, "password": got.Password})
		if err != nil {
			t.Fatal(err)
		}
		if same, err := parseCredentials(string(again)); err != nil || same != got {
			t.Fatalf("does not round-trip: %v", err)
		}
	})
}

func TestBundle_is_valid(t *testing.T) {
	blocks := strings.Count(string(bundle), "-----BEGIN")
	seen := map[string]bool{}
	var previous string
	rest := bundle
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		name := certificate.Subject.CommonName
		if !certificate.IsCA || certificate.CheckSignatureFrom(certificate) != nil {
			t.Errorf("%s is not a root", name)
		}
		if name < previous || seen[string(block.Bytes)] {
			t.Errorf("%s is out of order or duplicate", name)
		}
		seen[string(block.Bytes)], previous = true, name
		if until := time.Now().AddDate(1, 0, 0); certificate.NotAfter.Before(until) {
			t.Errorf("%s expires on %s: renew the bundle", name, certificate.NotAfter)
		}
	}
	if len(seen) != blocks || blocks == 0 {
		t.Errorf("%d certificates in %d blocks", len(seen), blocks)
	}
}
