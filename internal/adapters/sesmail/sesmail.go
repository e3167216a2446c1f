// Package sesmail sends mails with Amazon SES. SES writes the headers and the MIME parts; this
// package passes only their content.
package sesmail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// API is the part of SES's API that this package calls. The client of [NewClient] implements it.
type API interface {
	SendEmail(
		context.Context, *sesv2.SendEmailInput, ...func(*sesv2.Options),
	) (*sesv2.SendEmailOutput, error)
}

// A Mailer sends mails from one address. It implements [email.Mailer]: each error wraps
// [email.ErrAddressRejected], [email.ErrUndeliverable], [email.ErrSendingPaused] or
// [retry.ErrUnavailable], and contains no recipient's address.
type Mailer struct {
	From             string // as [ParseFrom] returns it
	ConfigurationSet string
	API              API
}

// ParseFrom parses the sender's address, such as Example <hello@example.com>, and returns it in the
// form that SES needs: a name beyond ASCII is encoded.
func ParseFrom(from string) (string, error) {
	address, err := mail.ParseAddress(from)
	if err != nil {
		return "", fmt.Errorf(
			"sesmail: invalid sender %q; want an address such as Example <hello@example.com>: %w",
			from, err)
	}
	return address.String(), nil
}

// Send sends message and returns its SES message ID, which its bounces and complaints contain.
func (m *Mailer) Send(ctx context.Context, message email.Message) (string, error) {
	content := &types.Message{
		Subject: utf8(message.Subject),
		Body:    &types.Body{Text: utf8(message.Text), Html: utf8(message.HTML)},
	}
	if message.Unsubscribe != "" {
		url, oneClick := "<"+message.Unsubscribe+">", "List-Unsubscribe=One-Click" // RFC 8058
		content.Headers = []types.MessageHeader{
			{Name: aws.String("List-Unsubscribe"), Value: &url},
			{Name: aws.String("List-Unsubscribe-Post"), Value: &oneClick},
		}
	}
	output, err := m.API.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress:     &m.From,
		ConfigurationSetName: &m.ConfigurationSet,
		Destination:          &types.Destination{ToAddresses: []string{string(message.To)}},
		Content:              &types.EmailContent{Simple: content},
	})
	if err != nil {
		return "", fmt.Errorf("%w: %s", classify(err, message.To), redact(message.To, err))
	}
	return aws.ToString(output.MessageId), nil
}

func utf8(text string) *types.Content {
	// SES's default is 7-bit ASCII.
	return &types.Content{Data: &text, Charset: aws.String("UTF-8")}
}

// classify returns the domain's error for an error of SES.
//
// SES has one code for a rejected address and for a rejected mail, and a reason to reject a mail
// may apply to all mails. So the address is only rejected when SES names it: a mistake in a
// template or a setting must not remove all subscribers from the list.
func classify(err error, recipient email.Address) error {
	failure, responded := errors.AsType[smithy.APIError](err)
	if !responded {
		return retry.ErrUnavailable // it is unknown whether the mail was sent
	}
	text := strings.ToLower(failure.ErrorMessage())
	code, named := failure.ErrorCode(), mentions(text, recipient)
	switch {
	case retryable(err):
		return retry.ErrUnavailable
	case code != "MessageRejected" && code != "BadRequestException":
		// The sending quota, paused sending, a missing permission or resource: all need an operator
		// or another day.
		return email.ErrSendingPaused
	// In the sandbox, where the account may send only to verified addresses, the unverified address
	// may be the recipient's: "Request production access" in the Amazon SES Developer Guide.
	case strings.Contains(text, "not verified") && !named:
		return email.ErrSendingPaused
	case strings.Contains(text, "not verified") || !named:
		return email.ErrUndeliverable
	}
	return email.ErrAddressRejected
}

// mentions reports whether text contains an address as a word of its own: the sender's address may
// end with the recipient's.
func mentions(text string, address email.Address) bool {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(`<>(),:;"`, r)
	})
	return address != "" && slices.ContainsFunc(words, func(word string) bool {
		return strings.EqualFold(strings.TrimRight(word, "."), string(address))
	})
}

// retryable reports whether a retry may succeed shortly and SES has certainly not accepted the
// mail, since it throttled the request or reported a failure of its own.
//
// The rate limit and the daily quota have the same codes, with a status of 429 or 400: "Errors
// related to the sending quotas" in the Amazon SES Developer Guide, "SendEmail" and "Common Errors"
// in the Amazon SES API v2 Reference. An exceeded daily quota is not retried: no backoff of ours
// lasts a day.
func retryable(err error) bool {
	response, responded := errors.AsType[*awshttp.ResponseError](err)
	if !responded {
		return false
	}
	failure, named := errors.AsType[smithy.APIError](err)
	status := response.HTTPStatusCode()
	throttled := status == http.StatusTooManyRequests ||
		named && failure.ErrorCode() == "ThrottlingException"
	if !throttled {
		return status >= http.StatusInternalServerError
	}
	return !named || !strings.Contains(strings.ToLower(failure.ErrorMessage()), "quota")
}

// redact returns an error's text without the address of the recipient: errors are logged, addresses
// are not.
func redact(recipient email.Address, err error) string {
	text := err.Error()
	if failure, responded := errors.AsType[smithy.APIError](err); responded {
		text = failure.ErrorCode() + ": " + failure.ErrorMessage()
	}
	address := regexp.MustCompile("(?i)" + regexp.QuoteMeta(string(recipient)))
	return address.ReplaceAllLiteralString(text, "the recipient")
}
