// Package smtp hands mails to a mail server. It promises to tell a mail that
// the server will never take ([ErrRefused]) from everything that may pass, and
// to give up in time, whatever the server does. It must not know what is
// written in a mail or why.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/wneessen/go-mail"
)

// ErrRefused says that the server refused this mail for good: its recipient or
// its content. Trying again is of no use.
var ErrRefused = errors.New("the mail server refuses the mail for good")

// ErrAway says that the server takes no mail at all at the moment: nobody
// answers, or it does not let us in.
var ErrAway = errors.New("the mail server is away")

// ErrLater says that the server does not take a mail to this recipient for now:
// greylisting, a mailbox that is full, or something that concerns all of them.
var ErrLater = errors.New("the mail server asks to come again later")

// TLS is how the connection is protected.
type TLS string

// How a connection may be protected.
const (
	StartTLS TLS = "starttls" // asked for after connecting, and required
	Implicit TLS = "tls"      // from the first byte, port 465
	None     TLS = "none"     // not at all: for a server on the same machine
)

// Config is where the server is.
type Config struct {
	Host     string
	Port     int // 0 is 587, or 465 with [Implicit]
	Username string
	Password string
	TLS      TLS           // empty is [StartTLS]
	Timeout  time.Duration // of one mail, from connecting to the last answer; 0 is 30 s
	Hello    string        // the name this machine gives itself; empty is its host name
	Roots    *tls.Config   // of certificates; nil is the system's
}

// Mail is one mail to one person.
type Mail struct {
	// ID becomes the Message-ID: the same mail has the same one each time.
	ID        string
	From      Address
	To        Address
	ReplyTo   string // may be empty
	Subject   string
	Text      string
	HTML      string
	Date      time.Time
	Language  string
	Generated bool // nobody wrote it: no vacation notice should answer it
}

// Address is a mailbox and whose it is.
type Address struct{ Name, Email string }

// Server is a mail server. It may be used by many goroutines: each mail has a
// connection of its own, so that none hangs behind another.
type Server struct{ cfg Config }

// New returns a server. Nothing is connected.
func New(cfg Config) *Server {
	const timeout = 30 * time.Second
	if cfg.Timeout == 0 {
		cfg.Timeout = timeout
	}
	if cfg.TLS == "" {
		cfg.TLS = StartTLS
	}
	if cfg.Port == 0 {
		cfg.Port = map[TLS]int{Implicit: 465, StartTLS: 587, None: 25}[cfg.TLS]
	}
	return &Server{cfg}
}

// Send hands over a mail. After an error that is not [ErrRefused] the server
// may have it or not: sending it again is right, and who gets both tells them
// by their ID.
func (s *Server) Send(ctx context.Context, m Mail) error {
	message, err := m.message()
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, s.cfg.Timeout)
	defer stop()
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		return judge(err)
	}
	return nil
}

func (s *Server) client(ctx context.Context) (*mail.Client, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.cfg.Roots != nil {
		tlsConfig = s.cfg.Roots.Clone()
	}
	tlsConfig.ServerName = s.cfg.Host
	options := []mail.Option{
		mail.WithPort(s.cfg.Port), mail.WithTimeout(s.cfg.Timeout), mail.WithTLSConfig(tlsConfig), mail.WithoutNoop(),
		mail.WithDialContextFunc(s.dial(ctx, tlsConfig)),
	}
	switch s.cfg.TLS {
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case Implicit:
		options = append(options, mail.WithSSL())
	case None:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.cfg.Hello != "" {
		options = append(options, mail.WithHELO(s.cfg.Hello))
	}
	if s.cfg.Username != "" {
		options = append(options, mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin), mail.WithUsername(s.cfg.Username), mail.WithPassword(s.cfg.Password))
	}
	client, err := mail.NewClient(s.cfg.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("set up the mail server's client: %w", err)
	}
	return client, nil
}

// dial connects, and ends the connection with the context of the mail: a server
// that hangs holds nobody. The context of dialling ends when that is done.
func (s *Server) dial(ctx context.Context, tlsConfig *tls.Config) mail.DialContextFunc {
	return func(dialling context.Context, network, address string) (net.Conn, error) {
		var dialer net.Dialer
		connection, err := dialer.DialContext(dialling, network, address)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
		var conn net.Conn = &ending{connection, stop}
		if s.cfg.TLS == Implicit {
			conn = tls.Client(conn, tlsConfig)
		}
		return conn, nil
	}
}

// ending forgets the context when it is closed.
type ending struct {
	net.Conn

	stop func() bool
}

func (e *ending) Close() error {
	e.stop()
	return e.Conn.Close()
}

// judge tells what is wrong with the mail from what is wrong with the server,
// or with our account there: that is for the operator, and the mail waits.
func judge(err error) error {
	var refusal *mail.SendError
	const permanent = 500
	if errors.As(err, &refusal) && !refusal.IsTemp() && refusal.ErrorCode() >= permanent {
		switch refusal.Reason {
		case mail.ErrSMTPRcptTo, mail.ErrSMTPData, mail.ErrSMTPDataClose:
			return fmt.Errorf("%w: %d", ErrRefused, refusal.ErrorCode())
		default:
		}
	}
	if refusal == nil {
		return fmt.Errorf("send a mail: %w: %w", ErrAway, err)
	}
	// Its text has the recipient's address, which is nobody's business.
	err = fmt.Errorf("send a mail: %s, status %d", refusal.Reason, refusal.ErrorCode())
	if refusal.Reason == mail.ErrSMTPRcptTo {
		return fmt.Errorf("%w: %w", ErrLater, err)
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}
