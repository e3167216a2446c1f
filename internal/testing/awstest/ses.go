package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
)

// SES is a fake Amazon SES with one verified domain and one configuration set:
// AWS_ENDPOINT_URL_SESV2. It composes each accepted message as a MIME message and sends it by SMTP,
// like SES.
type SES struct {
	Recorder
	URL string

	domain, configurationSet, smtpServer string

	accepted     atomic.Int64
	beforeAnswer atomic.Pointer[func(id string)]
}

// StartSES returns a fake that sends mail to the server at smtpServer, a host and a port, and runs
// until the test ends.
func StartSES(t testing.TB, domain, configurationSet, smtpServer string) *SES {
	s := &SES{domain: domain, configurationSet: configurationSet, smtpServer: smtpServer}
	s.URL = start(t, s.serve)
	return s
}

// Accepted returns the number of accepted mails, including those whose response was lost.
func (s *SES) Accepted() int { return int(s.accepted.Load()) }

// BeforeAnswer calls f after a mail is accepted and before the response is sent. f may block. A nil
// f resets it.
func (s *SES) BeforeAnswer(f func(id string)) {
	if f == nil {
		s.beforeAnswer.Store(nil)
		return
	}
	s.beforeAnswer.Store(&f)
}

// A sesRequest is a SendEmail request with simple content: "SendEmail" in the Amazon SES API v2
// Reference.
type sesRequest struct {
	FromEmailAddress     string
	ConfigurationSetName string
	Destination          struct{ ToAddresses []string }
	Content              struct {
		Simple *struct {
			Subject sesText
			Body    struct{ Text, Html *sesText }
			Headers []struct{ Name, Value string }
		}
	}
}

type sesText struct{ Data, Charset string }

func (s *SES) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if !signed(r, "ses") {
		sesError(w, http.StatusForbidden, "MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/v2/email/outbound-emails" {
		sesError(w, http.StatusNotFound, "UnknownOperationException", "")
		return
	}
	var request sesRequest
	// With an unread body, the server does not notice that a client disconnects.
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &request) != nil {
		sesError(w, http.StatusBadRequest, "SerializationException", "")
		return
	}
	call := Call{Action: "ses:SendEmail", Resource: request.FromEmailAddress}
	fault, done := s.fail(w, r, call, sesError)
	if done {
		return
	}
	if code, message := s.rejection(request); code != "" {
		status := http.StatusBadRequest
		if code == "NotFoundException" {
			status = http.StatusNotFound
		}
		sesError(w, status, code, message)
		return
	}
	id := fmt.Sprintf("0107019a00000000-%08d", s.accepted.Add(1))
	if err := s.send(request, id); err != nil {
		sesError(w, http.StatusInternalServerError, "InternalServiceErrorException", err.Error())
		return
	}
	if f := s.beforeAnswer.Load(); f != nil {
		(*f)(id)
	}
	if fault.TruncateResponse {
		reset(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"MessageId": id})
}

// reset closes a request's connection with a TCP reset, so that the client gets an error of TCP.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // an HTTP/1 connection can always be hijacked
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // unsent data is discarded
	}
	_ = connection.Close()
}

// Limits of headers: "MessageHeader" and "Message" in the Amazon SES API v2 Reference.
const (
	maxHeaders     = 15
	maxHeaderName  = 126
	maxHeaderValue = 870
)

var (
	headerName  = regexp.MustCompile(`^[!-9;-@A-~]+$`)
	headerValue = regexp.MustCompile(`^[ -~]*$`)
)

// rejection returns SES's error code and message for a mail that SES rejects, as far as our mails
// are concerned.
func (s *SES) rejection(r sesRequest) (code, message string) {
	const badRequest = "BadRequestException"
	from, err := mail.ParseAddress(r.FromEmailAddress)
	if err != nil || !isASCII(r.FromEmailAddress) {
		return badRequest, "Invalid from address"
	}
	if !strings.HasSuffix(from.Address, "@"+s.domain) {
		return "MessageRejected", "Email address is not verified. " +
			"The following identities failed the check in region EU-CENTRAL-1: " + from.Address
	}
	if r.ConfigurationSetName != s.configurationSet {
		return "NotFoundException",
			"Configuration set <" + r.ConfigurationSetName + "> does not exist."
	}
	if len(r.Destination.ToAddresses) != 1 { // SES allows more, but recipients would see each other
		return badRequest, "Invalid number of recipients"
	}
	if to := r.Destination.ToAddresses[0]; !isASCII(to) {
		return badRequest, "Local address contains control or whitespace"
	} else if _, err := mail.ParseAddress(to); err != nil {
		return badRequest, "Illegal address: " + to
	}
	content := r.Content.Simple
	// SES itself requires only one of text and HTML.
	if content == nil || content.Body.Text == nil || content.Body.Html == nil {
		return badRequest, "Missing required body"
	}
	for _, text := range []sesText{content.Subject, *content.Body.Text, *content.Body.Html} {
		if text.Data == "" || text.Charset != "UTF-8" && !isASCII(text.Data) {
			return badRequest, "Empty, or not in its charset"
		}
	}
	if strings.ContainsFunc(content.Subject.Data, unicode.IsControl) {
		return badRequest, "Subject contains control characters"
	}
	if len(content.Headers) > maxHeaders {
		return badRequest, "Too many headers"
	}
	var names []string
	for _, header := range content.Headers {
		names = append(names, strings.ToLower(header.Name))
		if len(header.Name) > maxHeaderName || !headerName.MatchString(header.Name) ||
			len(header.Value) > maxHeaderValue || header.Value == "" ||
			!headerValue.MatchString(header.Value) {
			return badRequest, "Invalid header " + header.Name
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) < len(content.Headers) {
		return badRequest, "Duplicate header"
	}
	return "", ""
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r > '~'
	})
}

// send composes the mail like SES and sends it.
func (s *SES) send(r sesRequest, id string) error {
	var message bytes.Buffer
	parts := multipart.NewWriter(&message)
	header := func(name, value string) { fmt.Fprintf(&message, "%s: %s\r\n", name, value) }
	header("From", r.FromEmailAddress)
	header("To", r.Destination.ToAddresses[0])
	header("Subject", mime.QEncoding.Encode("UTF-8", r.Content.Simple.Subject.Data))
	header("MIME-Version", "1.0")
	header("Content-Type", `multipart/alternative; boundary="`+parts.Boundary()+`"`)
	for _, own := range r.Content.Simple.Headers {
		header(own.Name, own.Value)
	}
	header("Message-ID", "<"+id+"@eu-central-1.amazonses.com>")
	header("Date", time.Now().UTC().Format(time.RFC1123Z))
	message.WriteString("\r\n")
	for _, body := range []struct {
		kind string
		text *sesText
	}{{"text/plain", r.Content.Simple.Body.Text}, {"text/html", r.Content.Simple.Body.Html}} {
		part, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {body.kind + "; charset=" + body.text.Charset},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return err
		}
		encoded := quotedprintable.NewWriter(part)
		if _, err := io.WriteString(encoded, body.text.Data); err != nil {
			return err
		}
		if err := encoded.Close(); err != nil {
			return err
		}
	}
	if err := parts.Close(); err != nil {
		return err
	}
	return smtp.SendMail(s.smtpServer, nil, id+"@eu-central-1.amazonses.com",
		r.Destination.ToAddresses, message.Bytes())
}

// sesError writes an error in the REST-JSON protocol.
func sesError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	writeJSON(w, status, map[string]string{"message": message})
}
