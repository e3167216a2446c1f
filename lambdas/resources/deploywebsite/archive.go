package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// Limits of a website. Two versions of the archive have to fit into the 512 MiB of a function's
// /tmp, and a few files into the function's memory.
const (
	maxArchive = 200 << 20 // bytes
	maxFile    = 50 << 20
	maxTotal   = 1 << 30
	maxFiles   = 20_000
	maxName    = 1024 // bytes; S3's limit: "Naming Amazon S3 objects" in the Amazon S3 User Guide
)

// An archive is the content of a website, zipped by the CDK.
type archive struct {
	files map[string]*zip.File // by key
}

// maxDownloads limits how often an archive is requested.
const maxDownloads = 5

// errInterrupted marks a download whose body ended early.
var errInterrupted = errors.New("download interrupted")

// download copies the archive in the asset bucket to a temporary file. It retries interrupted
// downloads: the SDK retries requests, but does not read a body twice.
func (h *handler) download(ctx context.Context, p contract.Properties) (*os.File, error) {
	file, err := os.CreateTemp("", "website-*.zip")
	if err != nil {
		return nil, err
	}
	err = retry.Do(ctx, func() error { return h.downloadOnce(ctx, p, file) },
		retry.MaxTries(maxDownloads),
		retry.If(func(err error) bool { return errors.Is(err, errInterrupted) }))
	if err != nil {
		removeTemp(ctx, file)
		return nil, fmt.Errorf("get %s/%s: %w", p.AssetBucket, p.AssetKey, err)
	}
	return file, nil
}

// downloadOnce replaces the content of file with the archive.
func (h *handler) downloadOnce(ctx context.Context, p contract.Properties, file *os.File) error {
	input := &s3.GetObjectInput{Bucket: &p.AssetBucket, Key: &p.AssetKey}
	object, err := h.objects.GetObject(ctx, input)
	if err != nil {
		return err
	}
	written, err := io.Copy(io.NewOffsetWriter(file, 0), io.LimitReader(object.Body, maxArchive+1))
	err = errors.Join(err, object.Body.Close(), file.Truncate(written))
	if written > maxArchive {
		return fmt.Errorf("larger than %d bytes", maxArchive)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
	return nil
}

// removeTemp deletes a temporary file.
func removeTemp(ctx context.Context, file *os.File) {
	if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
		slog.WarnContext(ctx, "temporary file not deleted", "error", err)
	}
}

// newArchive reads the directory of the archive in file. file has to stay open.
func newArchive(file *os.File) (*archive, error) {
	about, err := file.Stat()
	if err != nil {
		return nil, err
	}
	reader, err := zip.NewReader(file, about.Size())
	if err != nil {
		return nil, err
	}
	if len(reader.File) > maxFiles {
		return nil, fmt.Errorf("%d files, more than %d", len(reader.File), maxFiles)
	}
	a, total := &archive{files: map[string]*zip.File{}}, uint64(0)
	for _, file := range reader.File {
		if file.Mode().IsDir() {
			continue
		}
		if err := checkName(file); err != nil {
			return nil, err
		}
		if a.files[file.Name] != nil {
			return nil, fmt.Errorf("duplicate file %q", file.Name)
		}
		if file.UncompressedSize64 > maxFile {
			return nil, fmt.Errorf("%q has %d bytes, more than %d",
				file.Name, file.UncompressedSize64, maxFile)
		}
		if total += file.UncompressedSize64; total > maxTotal {
			return nil, fmt.Errorf("more than %d bytes in total", maxTotal)
		}
		a.files[file.Name] = file
	}
	if a.files[contract.Index] == nil {
		return nil, fmt.Errorf("%s is missing", contract.Index)
	}
	return a, nil
}

// checkName rejects paths that lead out of a folder, although S3 has no folders, and names with a
// special meaning in a URL or an invalidation.
func checkName(file *zip.File) error {
	if !file.Mode().IsRegular() {
		return fmt.Errorf("%q is not a regular file", file.Name)
	}
	forbidden := func(r rune) bool { return unicode.IsControl(r) || r == '\\' || r == '*' }
	if !fs.ValidPath(file.Name) || len(file.Name) > maxName ||
		strings.ContainsFunc(file.Name, forbidden) {
		return fmt.Errorf("%q is not a valid path of a website", file.Name)
	}
	return nil
}

// check reads all files, so that a corrupt file fails the deployment before anything is uploaded.
func (a *archive) check() error {
	for name := range a.files {
		if _, err := a.read(name); err != nil {
			return err
		}
	}
	return nil
}

// read returns a file's content and verifies its checksum. It is safe for concurrent use.
func (a *archive) read(name string) (_ []byte, err error) {
	reader, err := a.files[name].Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	content := make([]byte, a.files[name].UncompressedSize64) // maxFile at most
	if _, err := io.ReadFull(reader, content); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// The reader verifies the checksum at the end of the file. More bytes there are an error.
	switch _, err := io.CopyN(io.Discard, reader, 1); {
	case err == nil:
		return nil, fmt.Errorf("%s: larger than its header says", name)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return content, nil
}
