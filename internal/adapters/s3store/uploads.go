package s3store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// UploadSettings configures [Uploads].
type UploadSettings struct {
	Bucket     string        // of originals
	Lifetime   time.Duration // how long after it was presigned an upload may begin
	Accelerate bool          // use the accelerated endpoint, which must be enabled for the bucket
}

// Uploads is the part of the bucket of originals that browsers upload to.
type Uploads struct {
	settings UploadSettings
	client   *s3.Client
	presign  *s3.PresignClient
}

// NewUploads returns the uploads to the settings' bucket.
func NewUploads(settings UploadSettings, client *s3.Client) *Uploads {
	accelerate := func(o *s3.Options) { o.UseAccelerate = settings.Accelerate }
	return &Uploads{
		settings: settings,
		client:   client,
		presign:  s3.NewPresignClient(client, s3.WithPresignClientFromClientOptions(accelerate)),
	}
}

// Presign returns a form that uploads one picture: to this key, with this content type, of 1 to
// [pictures.MaxBytes] bytes. S3 rejects the form with an additional field or another value. The
// form may be reused until it expires, for the same key.
//
// The form is valid at most as long as the credentials that sign it. A function's credentials are
// valid for hours, and Lambda replaces them in time for the function's own calls; it does not
// document how long before they expire.
func (u *Uploads) Presign(ctx context.Context, key, contentType string) (pictures.Form, error) {
	// A policy's expiration has whole seconds.
	expires := time.Now().Add(u.settings.Lifetime).Truncate(time.Second)
	signed, err := u.presign.PresignPostObject(ctx,
		&s3.PutObjectInput{Bucket: &u.settings.Bucket, Key: &key},
		func(o *s3.PresignPostOptions) {
			o.Expires = u.settings.Lifetime
			o.Conditions = []any{
				map[string]string{contentTypeField: contentType},
				[]any{"content-length-range", 1, pictures.MaxBytes},
			}
		})
	if err != nil {
		return pictures.Form{}, awsclient.Wrap("presign an upload", err)
	}
	signed.Values[contentTypeField] = contentType
	return pictures.Form{URL: signed.URL, Fields: signed.Values, ExpiresAt: expires}, nil
}

const contentTypeField = "Content-Type"

// Delete deletes an upload. It is no error when the upload does not exist.
func (u *Uploads) Delete(ctx context.Context, key string) error {
	_, err := u.client.DeleteObject(ctx,
		&s3.DeleteObjectInput{Bucket: &u.settings.Bucket, Key: aws.String(key)})
	return awsclient.Wrap("delete an upload", err)
}
