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

// actions are what a policy has to allow for the request: "Required permissions for Amazon S3 API operations" in the Amazon
// S3 User Guide. A presigned POST needs those of its signer.
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
			needed = append(needed, awstest.Call{Action: "s3:DeleteObjectVersion", Resource: arnOf(bucket) + "/*"})
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
		return []awstest.Call{object(map[string]string{http.MethodGet: "GetObjectTagging", http.MethodPut: "PutObjectTagging", http.MethodDelete: "DeleteObjectTagging"}[r.Method])}
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return []awstest.Call{object("GetObject")}
	case r.Method == http.MethodDelete:
		return []awstest.Call{object("DeleteObject")}
	}
	needed := []awstest.Call{object("PutObject")}
	if source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source")); err == nil && source != "" {
		needed = append([]awstest.Call{{Action: "s3:GetObject", Resource: "arn:aws:s3:::" + strings.TrimPrefix(source, "/")}}, needed...)
	}
	if r.Header.Get("X-Amz-Tagging") != "" {
		needed = append(needed, object("PutObjectTagging"))
	}
	return needed
}

// bodyOf reads the body of r, and leaves it to be read again.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// dependsOnListBucket tells whether the answer to r depends on whether the caller may list the
// bucket.
func dependsOnListBucket(r *http.Request) bool {
	return keyOf(r) != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Header.Get("X-Amz-Copy-Source") != "")
}

// Addresses have the bucket in their path: the server's host is an IP address.
func bucketOf(r *http.Request) string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket
}

func keyOf(r *http.Request) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return key
}

func arnOf(bucket string) string { return "arn:aws:s3:::" + bucket }

// writeError answers as S3 does: "Error responses" in the Amazon S3 API Reference.
func writeError(w http.ResponseWriter, fault awstest.Fault) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(fault.Status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: fault.Code, Message: "on purpose"})
}
