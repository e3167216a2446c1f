// Command gateway is an S3-compatible server for tests: VersityGW on a folder. It is a separate
// process, since VersityGW uses its folder as the process's working directory, and a separate
// module, so that its dependencies are not those of the main module.
//
//	gateway SOCKET FOLDER
//
// It listens on the Unix socket, stores objects below the folder, writes a line when it is ready,
// and ends when its standard input is closed. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN are the credentials of the user with all permissions, in the region AWS_REGION.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(socket, folder string) error {
	objects, versions := filepath.Join(folder, "objects"), filepath.Join(folder, "versions")
	for _, dir := range []string{objects, versions} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	// Metadata is stored in extended attributes, not in files beside the objects, which VersityGW
	// supports for file systems without attributes: there, an overwritten object keeps its tags,
	// and a deleted object stays deleted.
	store := meta.XattrMeta{}
	if err := store.Test(objects); err != nil {
		return fmt.Errorf("%s has no extended attributes; set TMPDIR to a file system that has: %w",
			objects, err)
	}
	backend, err := posix.New(objects, store, posix.PosixOpts{
		VersioningDir:       versions,
		CopyObjectThreshold: 5 << 30, // as S3
	})
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // its data is not needed any more
	}()
	// VersityGW's root user cannot have a session token, as a function's role has; so the root user
	// is a separate one that no client uses.
	root := auth.Account{
		Access: "root", Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Role: auth.RoleAdmin,
	}
	return embedgw.RunVersityGW(context.Background(), backend, &embedgw.Config{
		RootUserAccess:    root.Access,
		RootUserSecret:    root.Secret,
		Region:            os.Getenv("AWS_REGION"),
		Ports:             []string{socket},
		MaxConnections:    1000,
		MaxRequests:       1000,
		MultipartMaxParts: 10_000,
		Quiet:             true,
		KeepAlive:         true,
		IAMService: &role{
			IAMService: auth.NewIAMServiceSingle(root),
			access:     os.Getenv("AWS_ACCESS_KEY_ID"),
			secret:     os.Getenv("AWS_SECRET_ACCESS_KEY"),
			token:      os.Getenv("AWS_SESSION_TOKEN"),
		},
		S3Options: []s3api.Option{s3api.WithOnListen(func() { fmt.Println("ready") })},
	})
}

// A role has temporary credentials, which are invalid without their token, in a presigned POST too.
type role struct {
	auth.IAMService
	access, secret, token string
}

// GetUserAccount returns the role's account, which has all permissions.
func (r *role) GetUserAccount(access string) (auth.Account, error) {
	if access != r.access {
		return r.IAMService.GetUserAccount(access)
	}
	return auth.Account{Access: r.access, Role: auth.RoleAdmin}, nil
}

// DeriveSigningKey implements step 2 of "Create a signed AWS API request" in the AWS Identity and
// Access Management User Guide.
func (r *role) DeriveSigningKey(
	access, sessionToken, date, region, service string,
) ([]byte, auth.Account, error) {
	if access != r.access {
		return nil, auth.Account{}, auth.ErrNoSuchUser
	}
	if sessionToken != r.token {
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	}
	key := []byte("AWS4" + r.secret)
	for _, part := range []string{date, region, service, "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	account, err := r.GetUserAccount(access)
	return key, account, err
}
