// Package partnertest is a partner's server that goes wrong in every way that
// real ones do, for tests. Its faults are those of the network and of HTTP; it
// knows nothing of what it is sent.
package partnertest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is one way to go wrong. At most one of the functions is set.
type Fault struct {
	Name string
	// Connection takes over a connection before anything was read.
	Connection func(net.Conn)
	// TLS is what the server shows instead of its own certificate.
	TLS func(*Partner) *tls.Config
	// Answer answers a request; it may hijack the connection.
	Answer func(http.ResponseWriter, *http.Request)
	// Header are lines of it that the attempt has to show.
	Header []string
}

// Partner is a server, over TLS on 127.0.0.1, that fails so many times and is
// well from then on.
type Partner struct {
	URL string
	// Authorities verify the certificates it has, the faulty ones included:
	// those are refused for what is wrong with them.
	Authorities *x509.CertPool

	fault   Fault
	left    atomic.Int64 // faults to come
	pairs   map[string]Pair
	release chan struct{} // closed at the end of the test: nobody hangs longer

	mu     sync.Mutex
	bodies []string // of requests that were answered well
}

// New starts a partner with a fault, which happens so many times.
func New(tb testing.TB, fault Fault, times int) *Partner {
	tb.Helper()
	p := &Partner{fault: fault, Authorities: x509.NewCertPool(), pairs: map[string]Pair{}, release: make(chan struct{})}
	p.left.Store(int64(times))
	for name, cfg := range map[string]CertificateConfig{
		"good": {}, "expired": {Until: time.Now().Add(-time.Hour)}, "wrong name": {Hosts: []string{"elsewhere.example"}},
	} {
		p.pairs[name] = Certificate(tb, cfg)
		p.Authorities.AppendCertsFromPEM([]byte(p.pairs[name].Certificate))
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	server.Listener = &listener{Listener: server.Listener, partner: p}
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{p.pairs["good"].Pair}, MinVersion: tls.VersionTLS12, GetConfigForClient: p.config,
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Config.SetKeepAlivesEnabled(false) // each attempt has a connection of its own
	server.StartTLS()
	p.URL = server.URL
	tb.Cleanup(func() { close(p.release); server.Close() })
	return p
}

// Delivered returns the bodies of requests that were answered well.
func (p *Partner) Delivered() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.bodies...)
}

// Faults returns how many faults are still to come.
func (p *Partner) Faults() int { return int(max(p.left.Load(), 0)) }

// fails says whether this time goes wrong.
func (p *Partner) fails() bool { return p.left.Add(-1) >= 0 }

func (p *Partner) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	if p.fault.TLS != nil && p.fails() {
		return p.fault.TLS(p), nil
	}
	return nil, nil //nolint:nilnil // the usual one
}

func (p *Partner) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if p.fault.Answer != nil && p.fails() {
		p.fault.Answer(w, r.WithContext(withRelease(r.Context(), p.release)))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bodies = append(p.bodies, string(body))
}

// listener lets a fault take a connection.
type listener struct {
	net.Listener
	partner *Partner
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.partner.fault.Connection == nil || !l.partner.fails() {
			return conn, err
		}
		go l.partner.fault.Connection(conn)
	}
}
