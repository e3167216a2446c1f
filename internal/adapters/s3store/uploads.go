package s3store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// UploadSettings are those of a function that has browsers upload.
type UploadSettings struct {
	Bucket     string        `env:"ORIGINALS_BUCKET"`
	Lifetime   time.Duration `env:"UPLOAD_LIFETIME"`       // how long an upload may begin after it was asked for
	Accelerate bool          `env:"TRANSFER_ACCELERATION"` // upload at the accelerated endpoint, which the bucket must have
}

// Uploads is the part of the bucket of originals that browsers upload to.
type Uploads struct {
	settings UploadSettings
	client   *s3.Client
	presign  *s3.PresignClient
}

// NewUploads returns the uploads to the settings' bucket.
func NewUploads(settings UploadSettings, client *s3.Client) *Uploads {
	return &Uploads{
		settings: settings,
		client:   client,
		presign: s3.NewPresignClient(client, s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
			o.UseAccelerate = settings.Accelerate
		})),
	}
}

// Presign returns a form with which whoever has it uploads one picture: to this key, of this content type, of 1 to
// [pictures.MaxBytes] bytes. S3 refuses it with any field more, or another value. It may be used again while it is good,
// for the same key.
//
// It is good as long as the credentials are that it is signed with, at most. Those of a function are good for hours, and
// Lambda replaces them in time for the function's own calls; it does not say how long before.
func (u *Uploads) Presign(ctx context.Context, key, contentType string) (pictures.Form, error) {
	expires := time.Now().Add(u.settings.Lifetime).Truncate(time.Second) // as a policy has it
	signed, err := u.presign.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: &u.settings.Bucket, Key: &key},
		func(o *s3.PresignPostOptions) {
			o.Expires = u.settings.Lifetime
			o.Conditions = []any{
				map[string]string{contentTypeField: contentType},
				[]any{"content-length-range", 1, pictures.MaxBytes},
			}
		})
	if err != nil {
		return pictures.Form{}, awsclient.Wrap("sign an upload", err)
	}
	signed.Values[contentTypeField] = contentType
	return pictures.Form{URL: signed.URL, Fields: signed.Values, ExpiresAt: expires}, nil
}

const contentTypeField = "Content-Type"

// Delete deletes an upload, whether it is there or not.
func (u *Uploads) Delete(ctx context.Context, key string) error {
	_, err := u.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &u.settings.Bucket, Key: aws.String(key)})
	return awsclient.Wrap("delete an upload", err)
}
