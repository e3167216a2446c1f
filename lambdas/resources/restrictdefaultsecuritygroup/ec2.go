package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// A queryAPI calls the Query API of Amazon EC2. The SDK's package has some seven hundred operations
// and takes a minute and 3 GB of memory to compile; this function needs two operations.
type queryAPI struct {
	endpoint      string
	region        string
	credentials   aws.CredentialsProvider
	client        *http.Client
	firstInterval time.Duration // between two calls; later intervals are longer
}

const (
	// "Making requests to the Amazon EC2 API" in the Amazon EC2 Developer Guide
	apiVersion = "2016-11-15"

	maxTries    = 4
	maxInterval = 5 * time.Second
	maxResponse = 64 << 10
)

// Revoke calls action, which revokes a rule for all protocols of a security group. The peer's
// parameters are those of IpPermission in the Amazon EC2 API Reference. It retries temporary
// failures; an error that EC2 returns is a [smithy.APIError].
func (q *queryAPI) Revoke(ctx context.Context, action, group string, peer map[string]string) error {
	form := url.Values{
		"Action": {action}, "Version": {apiVersion}, "GroupId": {group},
		"IpPermissions.1.IpProtocol": {"-1"},
	}
	for name, value := range peer {
		form.Set("IpPermissions.1."+name, value)
	}
	call := func() error { return q.call(ctx, form.Encode()) }
	err := retry.Do(ctx, call,
		retry.If(isRetryable),
		retry.MaxTries(maxTries),
		retry.Intervals(q.firstInterval, maxInterval))
	if err != nil {
		return fmt.Errorf("%s of %s: %w", action, group, err)
	}
	return nil
}

// isRetryable reports whether the same call may succeed later. Only EC2's errors about an invalid
// or unauthorized request are permanent.
func isRetryable(err error) bool {
	apiError, ok := errors.AsType[smithy.APIError](err)
	return !ok || apiError.ErrorFault() != smithy.FaultClient
}

func (q *queryAPI) call(ctx context.Context, form string) error {
	body := strings.NewReader(form)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint+"/", body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := q.credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(form))
	digest := hex.EncodeToString(sum[:])
	err = signer.NewSigner().SignHTTP(
		ctx, credentials, request, digest, "ec2", q.region, time.Now())
	if err != nil {
		return err
	}
	response, err := q.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // the body has been read, or is not needed
	content, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil || response.StatusCode == http.StatusOK {
		return err
	}
	return responseError(response, content)
}

// responseError returns the error in a response of EC2. If the status does not show whether the
// error is temporary, the code does.
func responseError(response *http.Response, body []byte) error {
	var parsed struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	if err := xml.Unmarshal(body, &parsed); err != nil || parsed.Code == "" {
		parsed.Code, parsed.Message = "Unknown", response.Status
	}
	failure := &smithy.GenericAPIError{
		Code: parsed.Code, Message: parsed.Message, Fault: smithy.FaultClient,
	}
	if response.StatusCode >= http.StatusInternalServerError ||
		parsed.Code == "RequestLimitExceeded" {
		failure.Fault = smithy.FaultServer
	}
	return failure
}
