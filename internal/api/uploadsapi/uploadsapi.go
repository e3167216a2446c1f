// Package uploadsapi is the API's uploads: their routes and what answers them.
package uploadsapi

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// Routes are those of uploads. What becomes of an upload that is kept is the affair of the post that keeps it.
var Routes = rest.Table[*Handlers]{
	rest.Handle("POST", "/uploads", rest.Authenticated, "Ask for a form to upload a picture with", (*Handlers).createUpload),
	rest.Handle("DELETE", "/uploads/{uploadId}", rest.Authenticated, "Delete an upload that no post is going to keep", (*Handlers).deleteUpload),
}

// Uploads is where browsers upload to.
type Uploads interface {
	Presign(ctx context.Context, key, contentType string) (pictures.Form, error)
	// Delete deletes an upload, whether it is there or not.
	Delete(ctx context.Context, key string) error
}

// A Handlers answers the routes. An upload's key has its owner in it, so nobody reaches another's.
type Handlers struct {
	Uploads Uploads
	Media   pictures.Delivery
}

type (
	// An UploadRequest says what is going to be uploaded.
	UploadRequest struct {
		ContentType string `json:"contentType" doc:"That of the picture, as the form has to say it"`
	}

	// An Upload is where a picture may be uploaded to.
	Upload struct {
		ID        uuid.UUID         `json:"id" format:"uuid" doc:"Names the upload, for DELETE /uploads/{uploadId}"`
		Key       string            `json:"key" doc:"What a post may have as the picture's src. It keeps the picture when it is saved; what no post has kept after a day is deleted."`
		Upload    Form              `json:"upload"`
		ExpiresAt time.Time         `json:"expiresAt" doc:"Begin the upload before. If the storage refuses it nevertheless, ask for another form."`
		URL       string            `json:"url" doc:"Where the picture is seen, in the width that posts have: a second or two after it was uploaded. A post may have it as the picture's src, too."`
		URLs      map[string]string `json:"urls" doc:"Where it is seen, by width in pixels, and by default; as an upload adapter of CKEditor resolves it"`
	}

	// A Form uploads the picture.
	Form struct {
		URL    string            `json:"url" doc:"Where to POST the form, as multipart/form-data. The storage answers 204."`
		Fields map[string]string `json:"fields" doc:"The form's fields, all of them and no others, followed by the picture as the field file, of 1 byte to 20 MiB"`
	}
)

// TransformSchema says what the domain takes.
func (UploadRequest) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	contentType := schema.Properties["contentType"]
	for _, allowed := range pictures.ContentTypes {
		contentType.Enum = append(contentType.Enum, allowed)
	}
	contentType.PrecomputeMessages()
	return schema
}

func (h *Handlers) createUpload(ctx context.Context, in *struct{ Body UploadRequest }) (*struct{ Body Upload }, error) {
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
	return nil, h.Uploads.Delete(ctx, pictures.TempKey(pictures.Owner(rest.Caller(ctx).Subject), in.UploadID))
}
