// Package sesmail sends mails by Amazon SES. SES writes the headers and the MIME parts; what is said here is only what is in
// them.
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

// API is what is called of SES. The client of [NewClient] is one.
type API interface {
	SendEmail(context.Context, *sesv2.SendEmailInput, ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error)
}

// A Mailer sends mails from one address. It is an [email.Mailer]: each error wraps [email.ErrAddressRejected], [email.ErrUndeliverable],
// [email.ErrSendingPaused] or [retry.ErrUnavailable], and names nobody's address.
type Mailer struct {
	From             string // as [ParseFrom] returns it
	ConfigurationSet string
	API              API
}

// ParseFrom reads the address that mails come from, such as Ashlar <hello@example.com>, and returns it as SES takes it: a
// name beyond ASCII has to be encoded.
func ParseFrom(from string) (string, error) {
	address, err := mail.ParseAddress(from)
	if err != nil {
		return "", fmt.Errorf("sesmail: %q is no address to send from; say it like Ashlar <hello@example.com>: %w", from, err)
	}
	return address.String(), nil
}

// Send sends message, and returns SES's name for it, which its bounces and complaints have.
func (m *Mailer) Send(ctx context.Context, message email.Message) (string, error) {
	content := &types.Message{
		Subject: utf8(message.Subject),
		Body:    &types.Body{Text: utf8(message.Text), Html: utf8(message.HTML)},
	}
	if message.Unsubscribe != "" {
		content.Headers = []types.MessageHeader{
			{Name: aws.String("List-Unsubscribe"), Value: aws.String("<" + message.Unsubscribe + ">")},
			{Name: aws.String("List-Unsubscribe-Post"), Value: aws.String("List-Unsubscribe=One-Click")}, // RFC 8058
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
	return &types.Content{Data: &text, Charset: aws.String("UTF-8")} // 7-bit ASCII, if nothing is said
}

// classify is what an error of SES's is for who wants the mail sent.
//
// SES has one code for what is wrong with an address and for what is wrong with a mail, which may be that of all mails. So
// it is final only where SES names the address: no mistake in a template or in a setting takes all readers off the list.
func classify(err error, recipient email.Address) error {
	failure, answered := errors.AsType[smithy.APIError](err)
	if !answered {
		return retry.ErrUnavailable // nobody knows what has become of the mail
	}
	text := strings.ToLower(failure.ErrorMessage())
	code, named := failure.ErrorCode(), mentions(text, recipient)
	switch {
	case retryable(err):
		return retry.ErrUnavailable
	case code != "MessageRejected" && code != "BadRequestException":
		return email.ErrSendingPaused // the quota, a pause, a permission, what is not there: all wait for a person or for another day
	// While the account may write only to addresses that it has verified, it may be the recipient's: "Request production
	// access" in the Amazon SES Developer Guide.
	case strings.Contains(text, "not verified") && !named:
		return email.ErrSendingPaused
	case strings.Contains(text, "not verified") || !named:
		return email.ErrUndeliverable
	}
	return email.ErrAddressRejected
}

// mentions tells whether text has an address as a word of its own: that of the sender may end as the recipient's does.
func mentions(text string, address email.Address) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`<>(),:;"`, r) })
	return address != "" && slices.ContainsFunc(words, func(word string) bool {
		return strings.EqualFold(strings.TrimRight(word, "."), string(address))
	})
}

// retryable tells whether the same request may work in a moment, and whether SES has not taken the mail: it said so, or said
// that it was out of order.
//
// Too many mails a second and too many a day have the same codes, with a status of 429 or 400: "Errors related to the
// sending quotas" in the Amazon SES Developer Guide, "SendEmail" and "Common Errors" in the Amazon SES API v2 Reference. No
// pause of ours outlasts the day.
func retryable(err error) bool {
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	if !answered {
		return false
	}
	failure, named := errors.AsType[smithy.APIError](err)
	status := response.HTTPStatusCode()
	if throttled := status == http.StatusTooManyRequests || named && failure.ErrorCode() == "ThrottlingException"; !throttled {
		return status >= http.StatusInternalServerError
	}
	return !named || !strings.Contains(strings.ToLower(failure.ErrorMessage()), "quota")
}

// redact says what an error says, but for the address of the recipient: errors are logged, addresses are not.
func redact(recipient email.Address, err error) string {
	text := err.Error()
	if failure, answered := errors.AsType[smithy.APIError](err); answered {
		text = failure.ErrorCode() + ": " + failure.ErrorMessage()
	}
	return regexp.MustCompile("(?i)"+regexp.QuoteMeta(string(recipient))).ReplaceAllLiteralString(text, "the recipient")
}
