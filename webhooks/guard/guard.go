// Package guard makes the HTTP client that talks to partners. It promises that
// no connection is made to an address the policy does not allow, whatever name
// or redirect led there: the decision falls on the address being dialled, so
// that no second look-up can change it. It must not know what is sent.
package guard

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/waybill-dev/waybill/webhooks/address"
)

// Config is what an operator may set.
type Config struct {
	Policy address.Policy
	// Connect, TLS and Headers bound the parts of one attempt; its caller's
	// context bounds the whole.
	Connect time.Duration // 0: 5 s
	TLS     time.Duration // 0: 5 s
	Headers time.Duration // 0: 15 s
	// Silence is how long nothing may come on a connection of HTTP/2 before it is
	// asked whether it still leads anywhere, and how long that may take: many
	// attempts share one, and one that is dead would hold up all that follow.
	Silence time.Duration // 0: 10 s
	// TLSConfig adds certificate authorities; its least version is raised to
	// 1.2 and verification cannot be switched off. May be nil.
	TLSConfig *tls.Config
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver
}

// NewClient makes a client that dials allowed addresses only, follows no
// redirect, uses no proxy, retries nothing, asks for no compression and keeps
// connections open.
func NewClient(cfg Config) *resty.Client {
	return resty.NewWithClient(&http.Client{
		Transport:     NewTransport(cfg),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).SetRetryCount(0).SetDisableWarn(true)
}

// NewTransport makes the transport of [NewClient].
func NewTransport(cfg Config) *http.Transport {
	dialer := &net.Dialer{
		Timeout:        cmp.Or(cfg.Connect, 5*time.Second),
		KeepAlive:      30 * time.Second,
		ControlContext: Control(cfg.Policy),
		Resolver:       cfg.Resolver,
	}
	silence := cmp.Or(cfg.Silence, 10*time.Second)
	return &http.Transport{
		Proxy:                  nil, // a proxy would dial for us, beyond the guard
		DialContext:            dialer.DialContext,
		TLSClientConfig:        tlsConfig(cfg.TLSConfig),
		TLSHandshakeTimeout:    cmp.Or(cfg.TLS, 5*time.Second),
		ResponseHeaderTimeout:  cmp.Or(cfg.Headers, 15*time.Second),
		MaxResponseHeaderBytes: 32 << 10,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence},
		MaxIdleConns:           2048,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
	}
}

// Control refuses to open a socket to what the policy does not allow.
func Control(policy address.Policy) func(ctx context.Context, network, target string, _ syscall.RawConn) error {
	return func(_ context.Context, network, target string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("network %s: %w", network, address.ErrBlocked)
		}
		to, err := netip.ParseAddrPort(target)
		if err != nil {
			return fmt.Errorf("unreadable address: %w", address.ErrBlocked)
		}
		return errors.Join(policy.CheckAddr(to.Addr()), policy.CheckPort(to.Port()))
	}
}

func tlsConfig(extra *tls.Config) *tls.Config {
	if extra == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg := extra.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.InsecureSkipVerify = false
	return cfg
}
