// Command gateway is an S3-compatible server for tests: VersityGW on a folder. It is a process of its own, since VersityGW
// works in its folder as the process's current one, and a module of its own, so that what it needs is nobody else's.
//
//	gateway SOCKET FOLDER
//
// It listens on the Unix socket, keeps objects below the folder, writes a line when it is ready, and ends with its
// standard input. The one who may do everything is named by AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN, in the region AWS_REGION.
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
	// Not in files beside the objects, for file systems that have none: there, an object that is overwritten keeps its tags,
	// and one that was deleted stays so.
	store := meta.XattrMeta{}
	if err := store.Test(objects); err != nil {
		return fmt.Errorf("%s needs a file system with extended attributes, which TMPDIR may name: %w", objects, err)
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
		os.Exit(0) // what it holds is of no use any more
	}()
	// VersityGW's root user cannot have a session token, as a function's role has; so root is somebody whom nobody knows.
	root := auth.Account{Access: "root", Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Role: auth.RoleAdmin}
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

// A role has temporary credentials, which are no good without their token, in a presigned POST neither.
type role struct {
	auth.IAMService
	access, secret, token string
}

// GetUserAccount returns who the role is: somebody who may do everything.
func (r *role) GetUserAccount(access string) (auth.Account, error) {
	if access != r.access {
		return r.IAMService.GetUserAccount(access)
	}
	return auth.Account{Access: r.access, Role: auth.RoleAdmin}, nil
}

// DeriveSigningKey is step 2 of "Create a signed AWS API request" in the AWS Identity and Access Management User Guide.
func (r *role) DeriveSigningKey(access, sessionToken, date, region, service string) ([]byte, auth.Account, error) {
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
