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
	"github.com/cenkalti/backoff/v5"
)

// A queryAPI calls Amazon EC2 by its Query API. The SDK's package has some seven hundred operations, and takes a minute
// and 3 GB of memory to compile; this function needs two.
type queryAPI struct {
	endpoint    string
	region      string
	credentials aws.CredentialsProvider
	client      *http.Client
	pause       time.Duration // before the second try; those after it are longer
}

const (
	apiVersion = "2016-11-15" // "Making requests to the Amazon EC2 API" in the Amazon EC2 Developer Guide
	maxTries   = 4
	maxAnswer  = 64 << 10
)

// Revoke calls action, which takes a rule for all protocols away from a security group. The peer's parameters are those of
// IpPermission in the Amazon EC2 API Reference. It tries again what may pass; EC2's refusal is a [smithy.APIError].
func (q *queryAPI) Revoke(ctx context.Context, action, group string, peer map[string]string) error {
	form := url.Values{
		"Action": {action}, "Version": {apiVersion}, "GroupId": {group},
		"IpPermissions.1.IpProtocol": {"-1"},
	}
	for name, value := range peer {
		form.Set("IpPermissions.1."+name, value)
	}
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval = q.pause
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := q.call(ctx, form.Encode())
		if failure, ok := errors.AsType[smithy.APIError](err); ok && failure.ErrorFault() == smithy.FaultClient {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(maxTries))
	if err != nil {
		return fmt.Errorf("%s of %s: %w", action, group, err)
	}
	return nil
}

func (q *queryAPI) call(ctx context.Context, form string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint+"/", strings.NewReader(form))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := q.credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(form))
	if err := signer.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), "ec2", q.region, time.Now()); err != nil {
		return err
	}
	answer, err := q.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or is of no use any more
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil || answer.StatusCode == http.StatusOK {
		return err
	}
	return refusal(answer, body)
}

// refusal is what EC2 says in its answer. Whether it may pass, the code says where the status does not.
func refusal(answer *http.Response, body []byte) error {
	var said struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	if err := xml.Unmarshal(body, &said); err != nil || said.Code == "" {
		said.Code, said.Message = "Unknown", answer.Status
	}
	failure := &smithy.GenericAPIError{Code: said.Code, Message: said.Message, Fault: smithy.FaultClient}
	if answer.StatusCode >= http.StatusInternalServerError || said.Code == "RequestLimitExceeded" {
		failure.Fault = smithy.FaultServer
	}
	return failure
}
