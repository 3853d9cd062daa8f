package credentials

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"github.com/go-resty/resty/v2"
)

// Session is credentials in use at one endpoint. Its methods may be called at
// the same time.
type Session struct {
	credentials Credentials
	client      *resty.Client
	tokens      *tokens // nil where none are needed
	own         bool    // the client is for this endpoint alone
}

// Clients makes guarded clients; extra certificates and authorities are what
// TLS sets, nil where there are none.
type Clients func(extra *tls.Config) *resty.Client

// Open prepares credentials for use. The shared client is taken where it can
// be. Close ends the session.
func (c Credentials) Open(shared *resty.Client, clients Clients, now func() time.Time) (*Session, error) {
	s := &Session{credentials: c, client: shared}
	if c.TLS != nil {
		extra, err := c.TLS.config()
		if err != nil {
			return nil, err
		}
		s.client, s.own = clients(extra), true
	}
	if c.OAuth2 != nil {
		s.tokens = newTokens(*c.OAuth2, s.client.GetClient(), now)
	}
	return s, nil
}

// Client is the client to send with.
func (s *Session) Client() *resty.Client { return s.client }

// Close gives back what the session holds.
func (s *Session) Close() {
	if s.own {
		s.client.GetClient().CloseIdleConnections()
	}
}

// Authorize sets the headers on a request. The error is [ErrToken], or what
// kept us from asking for a token.
func (s *Session) Authorize(ctx context.Context, header http.Header) error {
	for name, value := range s.credentials.Headers {
		header.Set(name, value)
	}
	if basic := s.credentials.Basic; basic != nil {
		request := http.Request{Header: header}
		request.SetBasicAuth(basic.Username, basic.Password)
	}
	if s.tokens == nil {
		return nil
	}
	token, err := s.tokens.get(ctx)
	if err != nil {
		return err
	}
	header.Set("Authorization", "Bearer "+token)
	return nil
}

// Refused takes note that the endpoint did not accept what Authorize had set,
// and says whether another try may succeed: with a fresh token it may.
func (s *Session) Refused(header http.Header) bool {
	return s.tokens != nil && s.tokens.drop(header.Get("Authorization"))
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key))
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if t.Authorities == "" {
		return cfg, nil
	}
	authorities, err := certificates(t.Authorities)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authorities: %w", err)
	}
	if cfg.RootCAs, err = x509.SystemCertPool(); err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	for _, authority := range authorities {
		cfg.RootCAs.AddCert(authority)
	}
	return cfg, nil
}
