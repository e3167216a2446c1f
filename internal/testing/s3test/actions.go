package s3test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

// actions returns the IAM actions that a policy must allow for the request: "Required permissions
// for Amazon S3 API operations" in the Amazon S3 User Guide. A presigned POST needs those of its
// signer.
func actions(r *http.Request) []awstest.Call {
	bucket, key, query := bucketOf(r), keyOf(r), r.URL.Query()
	object := func(action string) awstest.Call {
		if query.Has("versionId") {
			action += "Version"
		}
		return awstest.Call{Action: "s3:" + action, Resource: arnOf(bucket) + "/" + key}
	}
	ofBucket := func(action string) []awstest.Call {
		return []awstest.Call{{Action: "s3:" + action, Resource: arnOf(bucket)}}
	}
	switch {
	case key == "" && r.Method == http.MethodPost && query.Has("delete"):
		needed := []awstest.Call{{Action: "s3:DeleteObject", Resource: arnOf(bucket) + "/*"}}
		if bytes.Contains(bodyOf(r), []byte("<VersionId>")) {
			needed = append(needed,
				awstest.Call{Action: "s3:DeleteObjectVersion", Resource: arnOf(bucket) + "/*"})
		}
		return needed
	case key == "" && r.Method == http.MethodPost:
		return []awstest.Call{{Action: "s3:PutObject", Resource: arnOf(bucket) + "/*"}}
	case key == "" && query.Has("tagging"):
		return ofBucket("GetBucketTagging")
	case key == "" && query.Has("versions"):
		return ofBucket("ListBucketVersions")
	case key == "" && query.Has("uploads"):
		return ofBucket("ListBucketMultipartUploads")
	case key == "":
		return ofBucket("ListBucket")
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return []awstest.Call{object("AbortMultipartUpload")}
	case query.Has("tagging"):
		tagging := map[string]string{
			http.MethodGet:    "GetObjectTagging",
			http.MethodPut:    "PutObjectTagging",
			http.MethodDelete: "DeleteObjectTagging",
		}
		return []awstest.Call{object(tagging[r.Method])}
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return []awstest.Call{object("GetObject")}
	case r.Method == http.MethodDelete:
		return []awstest.Call{object("DeleteObject")}
	}
	needed := []awstest.Call{object("PutObject")}
	source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	if err == nil && source != "" {
		resource := "arn:aws:s3:::" + strings.TrimPrefix(source, "/")
		read := awstest.Call{Action: "s3:GetObject", Resource: resource}
		needed = append([]awstest.Call{read}, needed...)
	}
	if r.Header.Get("X-Amz-Tagging") != "" {
		needed = append(needed, object("PutObjectTagging"))
	}
	return needed
}

// bodyOf returns the body of r, which can be read again afterwards.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has disconnected
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// dependsOnListBucket reports whether the response to r depends on the permission to list the
// bucket.
func dependsOnListBucket(r *http.Request) bool {
	return keyOf(r) != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead ||
		r.Header.Get("X-Amz-Copy-Source") != "")
}

// URLs are path-style: the server's host is an IP address.
func bucketOf(r *http.Request) string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket
}

func keyOf(r *http.Request) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return key
}

func arnOf(bucket string) string { return "arn:aws:s3:::" + bucket }

// writeError writes an error as S3 does: "Error responses" in the Amazon S3 API Reference.
func writeError(w http.ResponseWriter, fault awstest.Fault) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(fault.Status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: fault.Code, Message: "on purpose"})
}
