// Package uploadsapi provides the routes of uploads.
package uploadsapi

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/property"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Routes are the routes of uploads. A post that shows an upload promotes it; see postsapi.
var Routes = rest.Table[*Handlers]{
	rest.Handle("POST", "/uploads", rest.Authenticated,
		"Create a form to upload a picture", (*Handlers).createUpload),
	rest.Handle("DELETE", "/uploads/{uploadId}", rest.Authenticated,
		"Delete an upload that is not in a post", (*Handlers).deleteUpload),
}

// Uploads is the storage that browsers upload to.
type Uploads interface {
	Presign(ctx context.Context, key, contentType string) (pictures.Form, error)
	// Delete deletes an upload. It is idempotent.
	Delete(ctx context.Context, key string) error
}

// Handlers handles the routes. The key of an upload contains its owner, so no user can delete the
// upload of another.
type Handlers struct {
	Uploads Uploads
	Media   pictures.Delivery
}

type (
	// An UploadRequest is the request body of POST /uploads.
	UploadRequest struct {
		ContentType string `json:"contentType" doc:"Content type of the picture"`
	}

	// An Upload is the response of POST /uploads.
	Upload struct {
		ID        uuid.UUID         `json:"id" format:"uuid" doc:"For DELETE /uploads/{uploadId}"`
		Key       string            `json:"key"`
		Upload    Form              `json:"upload"`
		ExpiresAt time.Time         `json:"expiresAt"`
		URL       string            `json:"url"`
		URLs      map[string]string `json:"urls"`
	}

	// A Form is the form that uploads the picture.
	Form struct {
		URL    string            `json:"url"`
		Fields map[string]string `json:"fields"`
	}
)

// TransformSchema describes the properties.
func (Upload) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.Describe(schema, "key",
		"Use it as the picture's src in a post; saving the post keeps the picture. "+
			"An upload that no post shows is deleted after a day.")
	property.Describe(schema, "expiresAt", "Start the upload before this time. "+
		"If the storage rejects it nevertheless, create another form.")
	property.Describe(schema, "url", "URL of the picture in the default width, "+
		"available a second or two after the upload. You can also use it as the picture's src in "+
		"a post.")
	property.Describe(schema, "urls", "URLs of the picture by width in pixels, and default; "+
		"the format of a CKEditor upload adapter")
	return schema
}

// TransformSchema describes the properties.
func (Form) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.Describe(schema, "url", "POST the form to this URL as multipart/form-data. "+
		"The storage responds with 204.")
	property.Describe(schema, "fields", "All fields of the form; send no others. "+
		"Append the picture, 1 byte to 20 MiB, as the last field, named file.")
	return schema
}

// TransformSchema sets the content types that the domain accepts.
func (UploadRequest) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	contentType := schema.Properties["contentType"]
	for _, allowed := range pictures.ContentTypes {
		contentType.Enum = append(contentType.Enum, allowed)
	}
	contentType.PrecomputeMessages()
	return schema
}

func (h *Handlers) createUpload(
	ctx context.Context, in *struct{ Body UploadRequest },
) (*struct{ Body Upload }, error) {
	id := uuid.New()
	key := pictures.TempKey(pictures.Owner(rest.Caller(ctx).Subject), id)
	form, err := h.Uploads.Presign(ctx, key, in.Body.ContentType)
	if err != nil {
		return nil, err
	}
	upload := Upload{
		ID:        id,
		Key:       key,
		Upload:    Form{URL: form.URL, Fields: form.Fields},
		ExpiresAt: form.ExpiresAt.UTC(),
		URL:       h.Media.URL(key, pictures.DefaultWidth),
		URLs:      map[string]string{"default": h.Media.URL(key, pictures.DefaultWidth)},
	}
	for _, width := range pictures.Widths {
		upload.URLs[strconv.Itoa(width)] = h.Media.URL(key, width)
	}
	return &struct{ Body Upload }{upload}, nil
}

func (h *Handlers) deleteUpload(ctx context.Context, in *struct {
	UploadID uuid.UUID `path:"uploadId" format:"uuid"`
}) (*struct{}, error) {
	key := pictures.TempKey(pictures.Owner(rest.Caller(ctx).Subject), in.UploadID)
	return nil, h.Uploads.Delete(ctx, key)
}
