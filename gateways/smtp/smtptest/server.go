// Package smtptest runs a real SMTP server for tests, which keeps what it is
// sent and refuses or hangs as it is told.
package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Message is a mail that was accepted.
type Message struct {
	From string
	To   []string
	Data string
}

// Header returns a header line of a message, unfolded.
func (m Message) Header(name string) string {
	head, _, _ := strings.Cut(m.Data, "\r\n\r\n")
	for line := range strings.SplitSeq(strings.ReplaceAll(head, "\r\n ", " "), "\r\n") {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return value
		}
	}
	return ""
}

// Server is a mail server. Its fields are set before Start or under Set.
type Server struct {
	Addr     string
	Roots    *tls.Config // that a client trusts
	Username string      // that is asked for; empty asks nobody
	Password string
	Implicit bool // TLS from the first byte

	mu       sync.Mutex
	refuse   map[string]*smtp.SMTPError
	known    map[string]bool // recipients; nil knows everybody
	sent     []Message
	attempts int
	hang     chan struct{}
	server   *smtp.Server
	tls      *tls.Config
	tb       testing.TB
}

// New starts a server that has TLS, and stops it with the test.
func New(tb testing.TB, change func(*Server)) *Server {
	tb.Helper()
	s := &Server{tb: tb, refuse: map[string]*smtp.SMTPError{}, Addr: "127.0.0.1:0"}
	certificate, roots := certificate(tb)
	s.Roots = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if change != nil {
		change(s)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

// Start lets a server that was stopped serve again, at the same address and
// with what it was sent.
func (s *Server) Start() {
	s.tb.Helper()
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	s.server.Domain, s.server.TLSConfig, s.server.AllowInsecureAuth = "mail.example", s.tls, true
	s.server.EnableSMTPUTF8, s.server.ErrorLog = true, log.New(io.Discard, "", 0)
	s.listen()
}

func (s *Server) listen() {
	s.tb.Helper()
	listener, err := net.Listen("tcp", s.Addr)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.Addr = listener.Addr().String()
	if s.Implicit {
		listener = tls.NewListener(listener, s.server.TLSConfig)
	}
	go func(server *smtp.Server) { _ = server.Serve(listener) }(s.server)
}

// Stop ends the server and whatever hangs at it.
func (s *Server) Stop() {
	s.Hang(false)
	_ = s.server.Close()
}

// Host and Port are where it is.
func (s *Server) Host() string {
	host, _, _ := net.SplitHostPort(s.Addr)
	return host
}

// Port is where it is.
func (s *Server) Port() int {
	address, err := net.ResolveTCPAddr("tcp", s.Addr)
	if err != nil {
		s.tb.Fatal(err)
	}
	return address.Port
}

// Refuse lets a step of the protocol (AUTH, MAIL, RCPT, DATA) fail with a
// status; 0 lets it succeed.
func (s *Server) Refuse(step string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.refuse, step)
	if status != 0 {
		const hundred = 100
		s.refuse[step] = &smtp.SMTPError{Code: status, EnhancedCode: smtp.EnhancedCode{status / hundred, 0, 0}, Message: "not to somebody@example.com"}
	}
}

// Greylist lets it refuse each recipient for now that it did not hear of before.
func (s *Server) Greylist() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = map[string]bool{}
}

func (s *Server) greylisted(to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || s.known[to] {
		return nil
	}
	s.known[to] = true
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted, please try again later"} //nolint:mnd // what such servers say
}

// Hang lets it answer no DATA any more, or all that wait.
func (s *Server) Hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on && s.hang == nil {
		s.hang = make(chan struct{})
	}
	if !on && s.hang != nil {
		close(s.hang)
		s.hang = nil
	}
}

// Sent is what was accepted.
func (s *Server) Sent() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.sent...)
}

// Attempts counts the mails that were begun.
func (s *Server) Attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

func (s *Server) refusal(step string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refusal := s.refuse[step]; refusal != nil {
		return refusal
	}
	return nil
}

type session struct {
	server  *Server
	message Message
	known   bool
}

// AuthMechanisms implements [smtp.AuthSession].
func (s *session) AuthMechanisms() []string {
	if s.server.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements [smtp.AuthSession].
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if err := s.server.refusal("AUTH"); err != nil {
			return err
		}
		if username != s.server.Username || password != s.server.Password {
			return errors.New("wrong password")
		}
		s.known = true
		return nil
	}), nil
}

// Mail implements [smtp.Session].
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.server.mu.Lock()
	s.server.attempts++
	s.server.mu.Unlock()
	if s.server.Username != "" && !s.known {
		return smtp.ErrAuthRequired
	}
	s.message = Message{From: from}
	return s.server.refusal("MAIL")
}

// Rcpt implements [smtp.Session].
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.message.To = append(s.message.To, to)
	if err := s.server.greylisted(to); err != nil {
		return err
	}
	return s.server.refusal("RCPT")
}

// Data implements [smtp.Session].
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.refusal("DATA"); err != nil {
		return err
	}
	s.server.mu.Lock()
	hang := s.server.hang
	s.server.mu.Unlock()
	if hang != nil {
		<-hang
		return &smtp.SMTPError{Code: 451, Message: "interrupted"}
	}
	s.message.Data = string(data)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.sent = append(s.server.sent, s.message)
	return nil
}

// Reset implements [smtp.Session].
func (s *session) Reset() { s.message = Message{} }

// Logout implements [smtp.Session].
func (s *session) Logout() error { return nil }

func certificate(tb testing.TB) (tls.Certificate, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
