// Package smtptest provides an SMTP server for tests, and parses its mails as a mail client does.
package smtptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// A Server accepts every mail for any recipient.
type Server struct {
	Address string // host and port

	mu    sync.Mutex
	mails []envelope
}

type envelope struct {
	to      []string
	content []byte
}

// A Mail is a received mail. Text and HTML are its two alternatives.
type Mail struct {
	To         []string // of the SMTP envelope; the header may differ
	Header     mail.Header
	Subject    string // decoded
	Text, HTML string
}

// Start returns a server that runs until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	s := &Server{Address: listener.Addr().String()}
	newSession := func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }
	server := smtp.NewServer(smtp.BackendFunc(newSession))
	server.Domain = "mail.example.com"
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		err := errors.Join(server.Close(), <-ended)
		if err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("smtptest: %v", err)
		}
	})
	return s
}

// A session receives one mail after another.
type session struct {
	server *Server
	to     []string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(content io.Reader) error {
	read, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, envelope{slices.Clone(s.to), read})
	return nil
}

func (s *session) Reset()        { s.to = nil }
func (s *session) Logout() error { return nil }

// Mails returns the mails received so far, oldest first. A mail that a mail client could not read
// fails the test.
func (s *Server) Mails(t testing.TB) []Mail {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var mails []Mail
	for _, envelope := range s.mails {
		read, err := read(envelope)
		if err != nil {
			t.Fatalf("smtptest: %v\n%s", err, envelope.content)
		}
		mails = append(mails, read)
	}
	return mails
}

func read(envelope envelope) (Mail, error) {
	message, err := mail.ReadMessage(bytes.NewReader(envelope.content))
	if err != nil {
		return Mail{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		return Mail{}, err
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return Mail{}, fmt.Errorf("the mail has type %q, want multipart/alternative: %w", kind, err)
	}
	got := Mail{To: envelope.to, Header: message.Header, Subject: subject}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for _, want := range []struct {
		kind string
		text *string
	}{{"text/plain", &got.Text}, {"text/html", &got.HTML}} {
		// The preferred part is the last: RFC 2046, 5.1.4.
		part, err := parts.NextRawPart()
		if err != nil {
			return Mail{}, err
		}
		kind, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || kind != want.kind || !strings.EqualFold(parameters["charset"], "UTF-8") {
			return Mail{}, fmt.Errorf("a part has type %q, want %s in UTF-8: %w",
				part.Header.Get("Content-Type"), want.kind, err)
		}
		encoding := part.Header.Get("Content-Transfer-Encoding")
		if encoding != "quoted-printable" {
			return Mail{}, fmt.Errorf("a part has encoding %q, want quoted-printable", encoding)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return Mail{}, err
		}
		*want.text = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		return Mail{}, fmt.Errorf("want no third part: %w", err)
	}
	return got, nil
}
