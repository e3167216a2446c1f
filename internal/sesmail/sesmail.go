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
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/internal/email"
	"github.com/ashlar-cdk/ashlar/internal/retry"
)

// API is what is called of SES. The client of [NewClient] is one.
type API interface {
	SendEmail(context.Context, *sesv2.SendEmailInput, ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error)
}

// A Mailer sends mails from one address. It is an [email.Mailer]: each error wraps [email.ErrRefused], [email.ErrHeld] or
// [retry.ErrLater], and names nobody's address.
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
		return "", fmt.Errorf("%w: %s", meaning(err), without(message.To, err))
	}
	return aws.ToString(output.MessageId), nil
}

func utf8(text string) *types.Content {
	return &types.Content{Data: &text, Charset: aws.String("UTF-8")} // 7-bit ASCII, if nothing is said
}

// meaning is what an error of SES's is for who wants the mail sent.
func meaning(err error) error {
	failure, answered := errors.AsType[smithy.APIError](err)
	if !answered {
		return retry.ErrLater // nobody knows what has become of the mail
	}
	text := strings.ToLower(failure.ErrorMessage())
	switch code := failure.ErrorCode(); {
	case mayRepeat(err):
		return retry.ErrLater
	// Of the sender, or of the recipient while the account may write only to addresses that it has verified: "Moving out of
	// the Amazon SES sandbox" in the Amazon SES Developer Guide.
	case code == "MessageRejected" && strings.Contains(text, "not verified"):
		return email.ErrHeld
	case code == "MessageRejected" || code == "BadRequestException":
		return email.ErrRefused
	}
	return email.ErrHeld // the quota, a pause, a permission, what is not there: all wait for a person or for another day
}

// mayRepeat tells whether the same request may work in a moment, and whether SES has not taken the mail: it said so, or said
// that it was out of order.
//
// Too many mails a second and too many a day have the same code: "Errors related to the sending quotas" in the Amazon SES
// Developer Guide. No pause of ours outlasts the day.
func mayRepeat(err error) bool {
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	if !answered {
		return false
	}
	if status := response.HTTPStatusCode(); status != http.StatusTooManyRequests {
		return status >= http.StatusInternalServerError
	}
	failure, named := errors.AsType[smithy.APIError](err)
	return !named || !strings.Contains(strings.ToLower(failure.ErrorMessage()), "quota")
}

// without says what an error says, but for the address of the recipient: errors are logged, addresses are not.
func without(recipient email.Address, err error) string {
	text := err.Error()
	if failure, answered := errors.AsType[smithy.APIError](err); answered {
		text = failure.ErrorCode() + ": " + failure.ErrorMessage()
	}
	return regexp.MustCompile("(?i)"+regexp.QuoteMeta(string(recipient))).ReplaceAllLiteralString(text, "the recipient")
}
