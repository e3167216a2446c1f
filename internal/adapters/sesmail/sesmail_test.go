package sesmail_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/adapters/sesmail"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/smtptest"
)

const (
	from = `"Ashlar" <hello@example.com>`
	to   = "Ada.Lovelace@example.org"
	link = "https://api.example.com/v1/subscriptions/AbC-_123"
)

var hello = email.Message{
	To: to, Subject: "안녕하세요, Ada", Text: "Hello\n" + link + "\n", HTML: "<p>안녕하세요</p>",
	Unsubscribe: link,
}

// config returns the configuration of a function whose service is at url.
func config(url string) aws.Config {
	return aws.Config{
		Region:           "eu-central-1",
		BaseEndpoint:     &url,
		RetryMaxAttempts: 1, // as AWS_MAX_ATTEMPTS sets it for the other clients
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "example"}, nil
		}),
	}
}

// start returns a mailer, its SES endpoint, and the server that receives its mails.
func start(t *testing.T) (*sesmail.Mailer, *awstest.SES, *smtptest.Server) {
	t.Helper()
	inbox := smtptest.Start(t)
	service := awstest.StartSES(t, "example.com", "Mails", inbox.Address)
	mailer := &sesmail.Mailer{
		From: from, ConfigurationSet: "Mails", API: sesmail.NewClient(config(service.URL)),
	}
	return mailer, service, inbox
}

func TestMailer_Send_delivers_the_mail(t *testing.T) {
	mailer, service, inbox := start(t)
	id, err := mailer.Send(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}
	mails := inbox.Mails(t)
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	got := mails[0]
	want := smtptest.Mail{
		To: []string{to}, Header: got.Header, Subject: hello.Subject, Text: hello.Text,
		HTML: hello.HTML,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{
		"From": from, "To": to, "List-Unsubscribe": "<" + link + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Message-Id":            "<" + id + "@eu-central-1.amazonses.com>",
	} {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if calls := service.Calls(); len(calls) != 1 ||
		calls[0] != (awstest.Call{Action: "ses:SendEmail", Resource: from}) {
		t.Errorf("calls %+v", calls)
	}

	once := hello
	once.Unsubscribe = ""
	if _, err := mailer.Send(t.Context(), once); err != nil {
		t.Fatal(err)
	}
	for name := range inbox.Mails(t)[1].Header {
		if strings.HasPrefix(name, "List-") {
			t.Errorf("a mail without an unsubscribe link has %s", name)
		}
	}
}

// TestMailer_Send_classifies_errors returns SES's errors in SES's words. Temporary failures last
// until the deadline.
func TestMailer_Send_classifies_errors(t *testing.T) {
	mailer, service, inbox := start(t)
	for name, test := range map[string]struct {
		fault awstest.Fault
		want  error
		calls int // 0 for several
	}{
		"rate exceeded": {awstest.Fault{
			Status: 429, Code: "TooManyRequestsException", Reason: "Maximum sending rate exceeded.",
		}, retry.ErrUnavailable, 0},
		"rate exceeded, as 400": {awstest.Fault{
			Status: 400, Code: "ThrottlingException", Reason: "Maximum sending rate exceeded.",
		}, retry.ErrUnavailable, 0},
		"internal error": {
			awstest.Fault{Status: 500, Code: "InternalServiceErrorException"}, retry.ErrUnavailable,
			0,
		},
		"unavailable": {
			awstest.Fault{Status: 503, Code: "ServiceUnavailable"}, retry.ErrUnavailable, 0,
		},
		"connection reset": {awstest.Fault{Reset: true}, retry.ErrUnavailable, 1},
		"silent":           {awstest.Fault{NoResponse: true}, retry.ErrUnavailable, 1},
		"daily quota exceeded": {awstest.Fault{
			Status: 429, Code: "TooManyRequestsException", Reason: "Daily message quota exceeded.",
		}, email.ErrSendingPaused, 1},
		"daily quota exceeded, as 400": {awstest.Fault{
			Status: 400, Code: "ThrottlingException", Reason: "Daily sending quota exceeded.",
		}, email.ErrSendingPaused, 1},
		"limit exceeded": {
			awstest.Fault{Status: 400, Code: "LimitExceededException"}, email.ErrSendingPaused, 1,
		},
		"paused": {awstest.Fault{
			Status: 400, Code: "SendingPausedException", Reason: "Email sending is disabled.",
		}, email.ErrSendingPaused, 1},
		"suspended": {
			awstest.Fault{Status: 400, Code: "AccountSuspendedException"}, email.ErrSendingPaused,
			1,
		},
		"MAIL FROM not verified": {
			awstest.Fault{Status: 400, Code: "MailFromDomainNotVerifiedException"},
			email.ErrSendingPaused, 1,
		},
		"no configuration set": {awstest.Fault{
			Status: 404, Code: "NotFoundException",
			Reason: "Configuration set <Mails> does not exist.",
		}, email.ErrSendingPaused, 1},
		"access denied": {
			awstest.Fault{Status: 403, Code: "AccessDeniedException"}, email.ErrSendingPaused, 1,
		},
		"wrong signature": {
			awstest.Fault{Status: 403, Code: "SignatureDoesNotMatch"}, email.ErrSendingPaused, 1,
		},
		"sender not verified": {awstest.Fault{
			Status: 400, Code: "MessageRejected",
			Reason: "Email address is not verified. The following identities failed the check in " +
				"region EU-CENTRAL-1: hello@example.com",
		}, email.ErrSendingPaused, 1},
		"recipient not verified": {awstest.Fault{
			Status: 400, Code: "MessageRejected",
			Reason: "Email address is not verified. The following identities failed the check in " +
				"region EU-CENTRAL-1: " + strings.ToLower(to),
		}, email.ErrUndeliverable, 1},
		"address rejected": {awstest.Fault{
			Status: 400, Code: "MessageRejected", Reason: "Address blacklisted: " + to,
		}, email.ErrAddressRejected, 1},
		"address invalid": {awstest.Fault{
			Status: 400, Code: "BadRequestException", Reason: "Invalid email address<" + to + ">.",
		}, email.ErrAddressRejected, 1},
		"mail rejected": {
			awstest.Fault{Status: 400, Code: "MessageRejected", Reason: "Bad content"},
			email.ErrUndeliverable, 1,
		},
		"bad request": {awstest.Fault{
			Status: 400, Code: "BadRequestException", Reason: "Header value is too long",
		}, email.ErrUndeliverable, 1},
		"bad request for an unnamed address": {awstest.Fault{
			Status: 400, Code: "BadRequestException",
			Reason: "Local address contains control or whitespace",
		}, email.ErrUndeliverable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			service.SetFault(test.fault)
			defer service.SetFault(awstest.Fault{})
			before := len(service.Calls())
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			_, err := mailer.Send(ctx, hello)
			for _, known := range []error{
				retry.ErrUnavailable, email.ErrSendingPaused, email.ErrUndeliverable,
				email.ErrAddressRejected,
			} {
				if errors.Is(err, known) != (known == test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
			}
			if err != nil && (strings.Contains(strings.ToLower(err.Error()), strings.ToLower(to)) ||
				!strings.Contains(err.Error(), test.fault.Code)) && test.calls == 1 {
				t.Errorf("error %v, want %q and no address", err, test.fault.Code)
			}
			calls := len(service.Calls()) - before
			if calls != test.calls && (test.calls > 0 || calls < 2) {
				t.Errorf("%d calls, want %d", calls, test.calls)
			}
		})
	}
	if mails := inbox.Mails(t); len(mails) > 0 {
		t.Errorf("%d mails were sent", len(mails))
	}
}

func TestMailer_Send_retries_until_SES_accepts(t *testing.T) {
	for name, fault := range map[string]awstest.Fault{
		"throttled": {
			Status: http.StatusTooManyRequests, Code: "TooManyRequestsException",
			Reason: "Maximum sending rate exceeded.", Times: 2,
		},
		"bad gateway": {Status: http.StatusBadGateway, Code: "BadGateway", Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			mailer, service, inbox := start(t)
			service.SetFault(fault)
			if _, err := mailer.Send(t.Context(), hello); err != nil {
				t.Error(err)
			}
			if mails, calls := len(inbox.Mails(t)), len(service.Calls()); mails != 1 || calls != 3 {
				t.Errorf("%d mails after %d calls, want 1 after 3", mails, calls)
			}
		})
	}
}

// TestMailer_Send_does_not_retry_after_a_lost_response: the mail may have been sent.
func TestMailer_Send_does_not_retry_after_a_lost_response(t *testing.T) {
	mailer, service, inbox := start(t)
	service.SetFault(awstest.Fault{TruncateResponse: true, Times: 1})
	if _, err := mailer.Send(t.Context(), hello); !errors.Is(err, retry.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	if mails := inbox.Mails(t); len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}

	ctx, cancel := context.WithCancel(t.Context())
	service.BeforeAnswer(func(string) { cancel() }) // as a deadline during the call does
	if _, err := mailer.Send(ctx, hello); !errors.Is(err, retry.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	if mails := inbox.Mails(t); len(mails) != 2 {
		t.Errorf("%d mails, want one more", len(mails))
	}
}

// TestMailer_Send_retries_a_refused_connection: without a connection, the mail was not sent.
func TestMailer_Send_retries_a_refused_connection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dialled := 0
	settings := config("http://" + listener.Addr().String())
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled++
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	settings.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: dial}}
	mailer := &sesmail.Mailer{
		From: from, ConfigurationSet: "Mails", API: sesmail.NewClient(settings),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if _, err := mailer.Send(ctx, hello); !errors.Is(err, retry.ErrUnavailable) || dialled < 2 {
		t.Errorf("error %v after %d attempts, want ErrUnavailable after several", err, dialled)
	}
}

// TestNewClient_retries_until_the_deadline: by default, the SDK has a token bucket for retries,
// which many throttled mails drain.
func TestNewClient_retries_until_the_deadline(t *testing.T) {
	retryer := sesmail.NewClient(config("http://127.0.0.1")).Options().Retryer
	if attempts := retryer.MaxAttempts(); attempts != 0 {
		t.Errorf("%d attempts, want no limit", attempts)
	}
	delays := map[time.Duration]bool{}
	for attempt := range 1000 {
		if _, err := retryer.GetRetryToken(t.Context(), errors.New("throttled")); err != nil {
			t.Fatalf("attempt %d: %v", attempt, err)
		}
		delay, err := retryer.RetryDelay(attempt, nil)
		if err != nil || delay < 0 || delay >= 3*time.Second ||
			attempt == 1 && delay >= 200*time.Millisecond {
			t.Fatalf("attempt %d: delay %s, %v", attempt, delay, err)
		}
		delays[delay] = true
	}
	if len(delays) < 900 {
		t.Errorf("%d different delays of 1000, want random ones", len(delays))
	}
}

func TestParseFrom(t *testing.T) {
	const encoded = "=?utf-8?q?=EC=95=A0=EC=8A=90=EB=9F=AC?="
	for given, want := range map[string]string{
		"Ashlar <hello@example.com>":         `"Ashlar" <hello@example.com>`,
		"hello@example.com":                  "<hello@example.com>",
		"애슐러 <hello@example.com>":            encoded + " <hello@example.com>",
		"":                                   "",
		"Ashlar":                             "",
		"hello@example.com, eve@example.org": "",
		"Ashlar <hello@example.com>\r\nBcc: eve@example.org": "",
	} {
		got, err := sesmail.ParseFrom(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
}

// TestMailer_Send_rejects_only_the_recipients_address sends to recipients other than the address
// that SES names.
func TestMailer_Send_rejects_only_the_recipients_address(t *testing.T) {
	mailer, service, _ := start(t)
	for recipient, want := range map[email.Address]error{
		"lo@example.com": email.ErrUndeliverable, "hello@example.co": email.ErrUndeliverable,
		"": email.ErrUndeliverable, "hello@example.com": email.ErrAddressRejected,
	} {
		for _, reason := range []string{
			"Invalid email address hello@example.com.", "Invalid email address <Hello@example.com>",
			". hello@example.com",
		} {
			service.SetFault(
				awstest.Fault{Status: 400, Code: "BadRequestException", Reason: reason})
			message := hello
			message.To = recipient
			if _, err := mailer.Send(t.Context(), message); !errors.Is(err, want) {
				t.Errorf("to %q: %s: error %v, want %v", recipient, reason, err, want)
			}
		}
	}
}

// TestMailer_Send_rejects_header_injection sends what templates would reject: SES rejects it too,
// or treats it as text.
func TestMailer_Send_rejects_header_injection(t *testing.T) {
	mailer, _, inbox := start(t)
	for name, change := range map[string]func(*email.Message){
		"by the subject": func(m *email.Message) { m.Subject = "Hello\r\nBcc: eve@example.org" },
		"by the address": func(m *email.Message) {
			m.To = "ada@example.org\r\nBcc: eve@example.org"
		},
		"by two addresses": func(m *email.Message) { m.To = "ada@example.org, eve@example.org" },
		"by the link": func(m *email.Message) {
			m.Unsubscribe = "https://example.com>\r\nBcc: eve@example.org"
		},
	} {
		message := hello
		change(&message)
		_, err := mailer.Send(t.Context(), message)
		if !errors.Is(err, email.ErrAddressRejected) && !errors.Is(err, email.ErrUndeliverable) {
			t.Errorf("%s: error %v, want ErrAddressRejected or ErrUndeliverable", name, err)
		}
	}
	if mails := inbox.Mails(t); len(mails) > 0 {
		t.Errorf("mails %+v", mails)
	}
}
