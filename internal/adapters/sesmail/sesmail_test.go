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

var hello = email.Message{To: to, Subject: "안녕하세요, Ada", Text: "Hello\n" + link + "\n", HTML: "<p>안녕하세요</p>", Unsubscribe: link}

// config is that of a function whose service is at url.
func config(url string) aws.Config {
	return aws.Config{
		Region:           "eu-central-1",
		BaseEndpoint:     &url,
		RetryMaxAttempts: 1, // as AWS_MAX_ATTEMPTS has it for the other clients
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "example"}, nil
		}),
	}
}

// start returns a mailer, the service that it sends by, and the server where mails arrive.
func start(t *testing.T) (*sesmail.Mailer, *awstest.SES, *smtptest.Server) {
	t.Helper()
	inbox := smtptest.Start(t)
	service := awstest.StartSES(t, "example.com", "Mails", inbox.Address)
	return &sesmail.Mailer{From: from, ConfigurationSet: "Mails", API: sesmail.NewClient(config(service.URL))}, service, inbox
}

func TestAMailArrivesAsItWasMeant(t *testing.T) {
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
	want := smtptest.Mail{To: []string{to}, Header: got.Header, Subject: hello.Subject, Text: hello.Text, HTML: hello.HTML}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{
		"From": from, "To": to, "List-Unsubscribe": "<" + link + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Message-Id": "<" + id + "@eu-central-1.amazonses.com>",
	} {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if calls := service.Calls(); len(calls) != 1 || calls[0] != (awstest.Call{Action: "ses:SendEmail", Resource: from}) {
		t.Errorf("calls %+v", calls)
	}

	once := hello
	once.Unsubscribe = ""
	if _, err := mailer.Send(t.Context(), once); err != nil {
		t.Fatal(err)
	}
	for name := range inbox.Mails(t)[1].Header {
		if strings.HasPrefix(name, "List-") {
			t.Errorf("a mail that nobody can end has %s", name)
		}
	}
}

// TestErrorsSayWhatToDo gives each of SES's answers as SES words it. Those that may pass are given until the deadline.
func TestErrorsSayWhatToDo(t *testing.T) {
	mailer, service, inbox := start(t)
	for name, test := range map[string]struct {
		fault awstest.Fault
		want  error
		asked int // times; 0 for several
	}{
		"a second too full":         {awstest.Fault{Status: 429, Code: "TooManyRequestsException", Reason: "Maximum sending rate exceeded."}, retry.ErrUnavailable, 0},
		"a second too full, as 400": {awstest.Fault{Status: 400, Code: "ThrottlingException", Reason: "Maximum sending rate exceeded."}, retry.ErrUnavailable, 0},
		"out of order":              {awstest.Fault{Status: 500, Code: "InternalServiceErrorException"}, retry.ErrUnavailable, 0},
		"unavailable":               {awstest.Fault{Status: 503, Code: "ServiceUnavailable"}, retry.ErrUnavailable, 0},
		"broken off":                {awstest.Fault{Reset: true}, retry.ErrUnavailable, 1},
		"silent":                    {awstest.Fault{Silent: true}, retry.ErrUnavailable, 1},
		"a day too full":            {awstest.Fault{Status: 429, Code: "TooManyRequestsException", Reason: "Daily message quota exceeded."}, email.ErrSendingPaused, 1},
		"a day too full, as 400":    {awstest.Fault{Status: 400, Code: "ThrottlingException", Reason: "Daily sending quota exceeded."}, email.ErrSendingPaused, 1},
		"a limit":                   {awstest.Fault{Status: 400, Code: "LimitExceededException"}, email.ErrSendingPaused, 1},
		"paused":                    {awstest.Fault{Status: 400, Code: "SendingPausedException", Reason: "Email sending is disabled."}, email.ErrSendingPaused, 1},
		"suspended":                 {awstest.Fault{Status: 400, Code: "AccountSuspendedException"}, email.ErrSendingPaused, 1},
		"the MAIL FROM is not ours": {awstest.Fault{Status: 400, Code: "MailFromDomainNotVerifiedException"}, email.ErrSendingPaused, 1},
		"no configuration set":      {awstest.Fault{Status: 404, Code: "NotFoundException", Reason: "Configuration set <Mails> does not exist."}, email.ErrSendingPaused, 1},
		"not allowed":               {awstest.Fault{Status: 403, Code: "AccessDeniedException"}, email.ErrSendingPaused, 1},
		"not signed well":           {awstest.Fault{Status: 403, Code: "SignatureDoesNotMatch"}, email.ErrSendingPaused, 1},
		"the sender is not verified": {awstest.Fault{
			Status: 400, Code: "MessageRejected",
			Reason: "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: hello@example.com",
		}, email.ErrSendingPaused, 1},
		"the recipient is not verified": {awstest.Fault{
			Status: 400, Code: "MessageRejected",
			Reason: "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: " + strings.ToLower(to),
		}, email.ErrUndeliverable, 1},
		"the address is rejected":    {awstest.Fault{Status: 400, Code: "MessageRejected", Reason: "Address blacklisted: " + to}, email.ErrAddressRejected, 1},
		"the address is none":        {awstest.Fault{Status: 400, Code: "BadRequestException", Reason: "Invalid email address<" + to + ">."}, email.ErrAddressRejected, 1},
		"the mail is rejected":       {awstest.Fault{Status: 400, Code: "MessageRejected", Reason: "Bad content"}, email.ErrUndeliverable, 1},
		"the request is a bad one":   {awstest.Fault{Status: 400, Code: "BadRequestException", Reason: "Header value is too long"}, email.ErrUndeliverable, 1},
		"an address, not said whose": {awstest.Fault{Status: 400, Code: "BadRequestException", Reason: "Local address contains control or whitespace"}, email.ErrUndeliverable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			service.SetFault(test.fault)
			defer service.SetFault(awstest.Fault{})
			before := len(service.Calls())
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			_, err := mailer.Send(ctx, hello)
			for _, meaning := range []error{retry.ErrUnavailable, email.ErrSendingPaused, email.ErrUndeliverable, email.ErrAddressRejected} {
				if errors.Is(err, meaning) != (meaning == test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
			}
			if err != nil && (strings.Contains(strings.ToLower(err.Error()), strings.ToLower(to)) || !strings.Contains(err.Error(), test.fault.Code)) && test.asked == 1 {
				t.Errorf("error %v, want it to say %q and nobody's address", err, test.fault.Code)
			}
			if asked := len(service.Calls()) - before; asked != test.asked && (test.asked > 0 || asked < 2) {
				t.Errorf("asked %d times, want %d", asked, test.asked)
			}
		})
	}
	if mails := inbox.Mails(t); len(mails) > 0 {
		t.Errorf("%d mails were sent", len(mails))
	}
}

func TestWhatSESDoesNotTakeAtFirstIsSentOnce(t *testing.T) {
	for name, fault := range map[string]awstest.Fault{
		"throttled":    {Status: http.StatusTooManyRequests, Code: "TooManyRequestsException", Reason: "Maximum sending rate exceeded.", Times: 2},
		"out of order": {Status: http.StatusBadGateway, Code: "BadGateway", Times: 2},
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

// TestAMailWhoseAnswerIsLostIsNotSentAgainByItself: it may have arrived.
func TestAMailWhoseAnswerIsLostIsNotSentAgainByItself(t *testing.T) {
	mailer, service, inbox := start(t)
	service.SetFault(awstest.Fault{Cut: true, Times: 1})
	if _, err := mailer.Send(t.Context(), hello); !errors.Is(err, retry.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	if mails := inbox.Mails(t); len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}

	ctx, cancel := context.WithCancel(t.Context())
	service.BeforeAnswer(func(string) { cancel() }) // as a deadline does in the middle of it
	if _, err := mailer.Send(ctx, hello); !errors.Is(err, retry.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	if mails := inbox.Mails(t); len(mails) != 2 {
		t.Errorf("%d mails, want one more", len(mails))
	}
}

// TestAServiceThatDoesNotListenIsTriedAgain: what there is no connection for has not been sent.
func TestAServiceThatDoesNotListenIsTriedAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dialled := 0
	settings := config("http://" + listener.Addr().String())
	settings.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled++
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	mailer := &sesmail.Mailer{From: from, ConfigurationSet: "Mails", API: sesmail.NewClient(settings)}
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if _, err := mailer.Send(ctx, hello); !errors.Is(err, retry.ErrUnavailable) || dialled < 2 {
		t.Errorf("error %v after %d attempts, want ErrUnavailable after several", err, dialled)
	}
}

// TestOnlyTheDeadlineEndsTheAttempts: by itself, the SDK has a store of attempts that many throttled mails use up.
func TestOnlyTheDeadlineEndsTheAttempts(t *testing.T) {
	retryer := sesmail.NewClient(config("http://127.0.0.1")).Options().Retryer
	if attempts := retryer.MaxAttempts(); attempts != 0 {
		t.Errorf("%d attempts, want as many as there is time for", attempts)
	}
	pauses := map[time.Duration]bool{}
	for attempt := range 1000 {
		if _, err := retryer.GetRetryToken(t.Context(), errors.New("throttled")); err != nil {
			t.Fatalf("attempt %d: %v", attempt, err)
		}
		pause, err := retryer.RetryDelay(attempt, nil)
		if err != nil || pause < 0 || pause >= 3*time.Second || attempt == 1 && pause >= 200*time.Millisecond {
			t.Fatalf("attempt %d: a pause of %s, %v", attempt, pause, err)
		}
		pauses[pause] = true
	}
	if len(pauses) < 900 {
		t.Errorf("%d different pauses of 1000, want them random", len(pauses))
	}
}

func TestParseFrom(t *testing.T) {
	for given, want := range map[string]string{
		"Ashlar <hello@example.com>":         `"Ashlar" <hello@example.com>`,
		"hello@example.com":                  "<hello@example.com>",
		"애슐러 <hello@example.com>":            "=?utf-8?q?=EC=95=A0=EC=8A=90=EB=9F=AC?= <hello@example.com>",
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

// TestWhatIsNotTheAddressIsNotFinal has recipients who are not the one that SES names.
func TestWhatIsNotTheAddressIsNotFinal(t *testing.T) {
	mailer, service, _ := start(t)
	for recipient, want := range map[email.Address]error{
		"lo@example.com": email.ErrUndeliverable, "hello@example.co": email.ErrUndeliverable, "": email.ErrUndeliverable, "hello@example.com": email.ErrAddressRejected,
	} {
		for _, reason := range []string{"Invalid email address hello@example.com.", "Invalid email address <Hello@example.com>", ". hello@example.com"} {
			service.SetFault(awstest.Fault{Status: 400, Code: "BadRequestException", Reason: reason})
			message := hello
			message.To = recipient
			if _, err := mailer.Send(t.Context(), message); !errors.Is(err, want) {
				t.Errorf("to %q: %s: error %v, want %v", recipient, reason, err, want)
			}
		}
	}
}

// TestHeadersCannotBeInjected sends what templates would refuse: SES refuses it as well, or takes it for text.
func TestHeadersCannotBeInjected(t *testing.T) {
	mailer, _, inbox := start(t)
	for name, change := range map[string]func(*email.Message){
		"by the subject":   func(m *email.Message) { m.Subject = "Hello\r\nBcc: eve@example.org" },
		"by the address":   func(m *email.Message) { m.To = "ada@example.org\r\nBcc: eve@example.org" },
		"by two addresses": func(m *email.Message) { m.To = "ada@example.org, eve@example.org" },
		"by the link":      func(m *email.Message) { m.Unsubscribe = "https://example.com>\r\nBcc: eve@example.org" },
	} {
		message := hello
		change(&message)
		if _, err := mailer.Send(t.Context(), message); !errors.Is(err, email.ErrAddressRejected) && !errors.Is(err, email.ErrUndeliverable) {
			t.Errorf("%s: error %v, want ErrAddressRejected or ErrUndeliverable", name, err)
		}
	}
	if mails := inbox.Mails(t); len(mails) > 0 {
		t.Errorf("mails %+v", mails)
	}
}
