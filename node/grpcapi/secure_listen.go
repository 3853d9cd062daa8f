package grpcapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/waybill-dev/waybill/node/auth"
)

// Secure is what a node needs to be reached from elsewhere: proof of who it is,
// and somebody who knows its callers. There is no one without the other.
type Secure struct {
	TLS  *tls.Config // such as from [TLSFromFiles]
	Auth *auth.Auth
}

func (s *Secure) validate() error {
	if s != nil && (s.TLS == nil || s.Auth == nil) {
		return errors.New("a secure node needs both a certificate and accounts")
	}
	return nil
}

// An InsecureError says that a node without TLS would be reachable from other
// machines.
type InsecureError struct{ Addr string }

func (e *InsecureError) Error() string {
	return fmt.Sprintf("%s can be reached from other machines, and without TLS everybody there could read and write everything: "+
		"give the node a certificate with --tls-cert and --tls-key, or let it listen at 127.0.0.1", e.Addr)
}

// listen opens the port: with TLS anywhere, without only on loopback.
func listen(addr string, secure *Secure) (net.Listener, error) {
	if err := secure.validate(); err != nil {
		return nil, err
	}
	if secure == nil {
		if err := onlyLoopback(addr); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", addr) //nolint:noctx // listening on an address does not wait for anybody
	if err != nil {
		return nil, err
	}
	// What the name meant a moment ago is not what counts.
	if at, ok := l.Addr().(*net.TCPAddr); secure == nil && (!ok || !at.IP.IsLoopback()) {
		return nil, errors.Join(&InsecureError{l.Addr().String()}, l.Close())
	}
	l = limitConnections(l, maxConnections)
	if secure == nil {
		return l, nil
	}
	return tlsListener(l, secure.TLS), nil
}

// onlyLoopback resolves a name and wants all its addresses to be of this
// machine alone.
func onlyLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if host == "" {
		return &InsecureError{addr}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return loopbackOnly(addr, ip)
	}
	ips, err := net.DefaultResolver.LookupNetIP(context.TODO(), "ip", host) //nolint:forbidigo // the resolver's own limit is enough, once at the start
	if err != nil {
		return err
	}
	return loopbackOnly(addr, ips...)
}

func loopbackOnly(addr string, ips ...netip.Addr) error {
	for _, ip := range ips {
		if !ip.Unmap().IsLoopback() {
			return &InsecureError{addr}
		}
	}
	return nil
}

// tlsListener shakes hands with a connection at its first Read, whose deadline
// is that of the handshake, too.
func tlsListener(l net.Listener, cfg *tls.Config) net.Listener {
	cfg = cfg.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	// The server's order decides: clients of gRPC offer h2 alone, and who
	// offers HTTP/1 too is not one.
	cfg.NextProtos = []string{"http/1.1", "h2"}
	return tls.NewListener(l, cfg)
}

// maxConnections is how many clients there may be at once.
const maxConnections = 4096

// limitConnections hangs up on those who are too many.
func limitConnections(l net.Listener, most int64) net.Listener {
	return &limited{Listener: l, most: most}
}

type limited struct {
	net.Listener
	most int64
	open atomic.Int64
}

// Accept implements [net.Listener].
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			return &counted{Conn: c, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		_ = c.Close()
	}
}

type counted struct {
	net.Conn
	closed func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
}
