package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// The body was sent by service/ec2 v1.344.0 of the SDK for the same call.
func TestQueryAPI_Revoke_sends_the_same_request_as_the_SDK(t *testing.T) {
	const want = "Action=RevokeSecurityGroupIngress&GroupId=sg-0123456789abcdef0" +
		"&IpPermissions.1.Groups.1.GroupId=sg-0123456789abcdef0" +
		"&IpPermissions.1.Groups.1.UserId=111111111111" +
		"&IpPermissions.1.IpProtocol=-1&Version=2016-11-15"
	var got string
	api := start(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		if r.Header.Get("Authorization") == "" || r.Header.Get("X-Amz-Security-Token") != "token" {
			t.Errorf("headers %v, want a signature and the token", r.Header)
		}
	})
	peer := map[string]string{"Groups.1.GroupId": group, "Groups.1.UserId": account}
	err := api.Revoke(t.Context(), "RevokeSecurityGroupIngress", group, peer)
	if err != nil || got != want {
		t.Errorf("sent %s, error %v; want %s", got, err, want)
	}
}

func TestQueryAPI_Revoke_retries_only_temporary_failures(t *testing.T) {
	const (
		unauthorized  = "UnauthorizedOperation"
		limitExceeded = "RequestLimitExceeded"
		unavailable   = http.StatusServiceUnavailable
	)
	body := func(code string) string {
		return "<Response><Errors><Error><Code>" + code + "</Code></Error></Errors></Response>"
	}
	for name, test := range map[string]struct {
		status int
		body   string
		tries  int
		code   string
	}{
		"denied":             {http.StatusForbidden, body(unauthorized), 1, unauthorized},
		"error without body": {http.StatusBadRequest, "", 1, "Unknown"},
		"throttled":          {unavailable, body(limitExceeded), maxTries, limitExceeded},
		"throttled by 400":   {http.StatusBadRequest, body(limitExceeded), maxTries, limitExceeded},
		"HTML of a proxy":    {http.StatusBadGateway, "<html>", maxTries, "Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			api := start(t, func(w http.ResponseWriter, _ *http.Request) {
				tries++
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			err := api.Revoke(t.Context(), "RevokeSecurityGroupEgress", group, nil)
			failure, ok := errors.AsType[smithy.APIError](err)
			if !ok || failure.ErrorCode() != test.code || tries != test.tries {
				t.Errorf("error %v after %d tries, want %s after %d",
					err, tries, test.code, test.tries)
			}
		})
	}
}

func TestQueryAPI_Revoke_retries_a_lost_connection(t *testing.T) {
	tries := 0
	api := start(t, func(http.ResponseWriter, *http.Request) {
		if tries++; tries == 1 {
			panic(http.ErrAbortHandler)
		}
	})
	err := api.Revoke(t.Context(), "RevokeSecurityGroupEgress", group, nil)
	if err != nil || tries != 2 {
		t.Errorf("error %v after %d tries, want none after 2", err, tries)
	}
}

func start(t *testing.T, serve http.HandlerFunc) *queryAPI {
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return &queryAPI{
		endpoint:      server.URL,
		region:        "eu-central-1",
		client:        server.Client(),
		firstInterval: time.Millisecond,
		credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "example", SessionToken: "token",
			}, nil
		}),
	}
}
