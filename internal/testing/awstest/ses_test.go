package awstest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	sestypes "github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/smtptest"
)

// TestSES sends mails that SES accepts and mails that SES rejects.
func TestSES(t *testing.T) {
	inbox := smtptest.Start(t)
	service := awstest.StartSES(t, "example.com", "Mails", inbox.Address)
	client := sesv2.New(sesv2.Options{
		Region: "eu-central-1", BaseEndpoint: &service.URL, Retryer: aws.NopRetryer{},
		Credentials: fakeCredentials,
	})
	text := func(text string) *sestypes.Content {
		return &sestypes.Content{Data: &text, Charset: aws.String("UTF-8")}
	}
	send := func(ctx context.Context, change func(*sesv2.SendEmailInput, *sestypes.Message)) error {
		message := &sestypes.Message{
			Subject: text("돌"), Body: &sestypes.Body{Text: text("돌\n"), Html: text("<p>돌</p>")},
		}
		input := &sesv2.SendEmailInput{
			FromEmailAddress:     aws.String("Ashlar <hello@example.com>"),
			ConfigurationSetName: aws.String("Mails"),
			Destination:          &sestypes.Destination{ToAddresses: []string{"ada@example.org"}},
			Content:              &sestypes.EmailContent{Simple: message},
		}
		if change != nil {
			change(input, message)
		}
		_, err := client.SendEmail(ctx, input)
		return err
	}
	header := func(name, value string) func(*sesv2.SendEmailInput, *sestypes.Message) {
		return func(_ *sesv2.SendEmailInput, message *sestypes.Message) {
			message.Headers = append(message.Headers,
				sestypes.MessageHeader{Name: &name, Value: &value})
		}
	}
	accepted := 0
	for _, step := range []struct {
		what   string
		change func(*sesv2.SendEmailInput, *sestypes.Message)
		want   string
	}{
		{"a mail", nil, ""},
		{"a header", header("List-Unsubscribe", "<https://example.com>"), ""},
		{"another sender", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.FromEmailAddress = aws.String("hello@example.org")
		}, "MessageRejected"},
		{"no sender", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.FromEmailAddress = aws.String("Ashlar")
		}, "BadRequestException"},
		{"a sender with non-ASCII characters", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.FromEmailAddress = aws.String("돌 <hello@example.com>")
		}, "BadRequestException"},
		{"another configuration set", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.ConfigurationSetName = aws.String("Others")
		}, "NotFoundException"},
		{"no recipient", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.Destination.ToAddresses = nil
		}, "BadRequestException"},
		{"two recipients in one address", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.Destination.ToAddresses[0] = "a@example.org, b@example.org"
		}, "BadRequestException"},
		{"a recipient with a line break", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.Destination.ToAddresses[0] = "a@example.org\r\nBcc: b@example.org"
		}, "BadRequestException"},
		{"a recipient without a domain", func(i *sesv2.SendEmailInput, _ *sestypes.Message) {
			i.Destination.ToAddresses[0] = "ada"
		}, "BadRequestException"},
		{"no text", func(_ *sesv2.SendEmailInput, m *sestypes.Message) {
			m.Body.Text = nil
		}, "BadRequestException"},
		{"no subject", func(_ *sesv2.SendEmailInput, m *sestypes.Message) {
			m.Subject = text("")
		}, "BadRequestException"},
		{"a subject with a line break", func(_ *sesv2.SendEmailInput, m *sestypes.Message) {
			m.Subject = text("a\r\nBcc: b@example.org")
		}, "BadRequestException"},
		{"Korean text without a charset", func(_ *sesv2.SendEmailInput, m *sestypes.Message) {
			m.Body.Html.Charset = nil
		}, "BadRequestException"},
		{
			"a header with a line break", header("X-A", "a\r\nBcc: b@example.org"),
			"BadRequestException",
		},
		{"a header with non-ASCII characters", header("X-A", "돌"), "BadRequestException"},
		{"a header with a colon", header("X-A:", "a"), "BadRequestException"},
		{"an empty header", header("X-A", ""), "BadRequestException"},
		{"a long header", header("X-A", strings.Repeat("a", 871)), "BadRequestException"},
		{"a duplicate header", func(i *sesv2.SendEmailInput, m *sestypes.Message) {
			header("X-A", "a")(i, m)
			header("x-a", "b")(i, m)
		}, "BadRequestException"},
		{"16 headers", func(i *sesv2.SendEmailInput, m *sestypes.Message) {
			for n := range 16 {
				header("X-"+strings.Repeat("a", n), "a")(i, m)
			}
		}, "BadRequestException"},
	} {
		err := send(t.Context(), step.change)
		if code(err) != step.want || err != nil && step.want == "" {
			t.Errorf("%s: error %v, want %q", step.what, err, step.want)
		}
		if step.want == "" {
			accepted++
		}
		if mails := len(inbox.Mails(t)); mails != accepted || service.Accepted() != accepted {
			t.Errorf("%s: %d mails, %d accepted, want %d", step.what, mails, service.Accepted(),
				accepted)
		}
	}

	for name, test := range map[string]struct {
		fault awstest.Fault
		sent  int
		want  string // in the error's text
	}{
		"an error code with a reason": {awstest.Fault{
			Status: 429, Code: "TooManyRequestsException", Reason: "Daily message quota exceeded.",
		}, 0, "Daily message quota exceeded."},
		"reset":  {awstest.Fault{Reset: true}, 0, "connection reset"},
		"cut":    {awstest.Fault{TruncateResponse: true}, 1, "connection reset"},
		"silent": {awstest.Fault{NoResponse: true}, 0, "deadline"},
	} {
		before := service.Accepted()
		service.SetFault(test.fault)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := send(ctx, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
		cancel()
		if sent := service.Accepted() - before; sent != test.sent {
			t.Errorf("%s: %d mails, want %d", name, sent, test.sent)
		}
	}
	service.SetFault(awstest.Fault{})
	accepting := ""
	service.BeforeAnswer(func(id string) { accepting = id })
	if err := send(t.Context(), nil); err != nil || accepting == "" {
		t.Errorf("before the response: id %q, %v", accepting, err)
	}
	if calls := service.Calls(); len(calls) != 26 ||
		calls[0] != (awstest.Call{
			Action: "ses:SendEmail", Resource: "Ashlar <hello@example.com>",
		}) {
		t.Errorf("%d calls, the first %+v", len(calls), calls[0])
	}
}
