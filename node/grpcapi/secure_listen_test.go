package grpcapi_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

func TestANewCertificateIsUsedWithoutARestart(t *testing.T) {
	t.Parallel()
	now := make(chan time.Time, 1)
	at := time.Now()
	now <- at
	s := newSecureAt(t, func() time.Time {
		v := <-now
		now <- v
		return v
	})
	serial := func() int64 {
		t.Helper()
		roots := x509.NewCertPool()
		roots.AddCert(s.authority.cert)
		c, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots}}).DialContext(deadline(t), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	before := serial()
	s.authority.issue(s.dir)
	<-now
	now <- at.Add(time.Minute)
	after := serial()
	if after == before {
		t.Error("the old certificate is still in use")
	}
	if err := os.WriteFile(filepath.Join(s.dir, "node.key"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	<-now
	now <- at.Add(2 * time.Minute)
	if got := serial(); got != after {
		t.Errorf("certificate %d, want %d, the last good one", got, after)
	}
}

// A notes remembers the levels of what was logged.
type notes struct {
	slog.Handler
	mu     sync.Mutex
	levels []slog.Level
}

func (n *notes) Handle(_ context.Context, r slog.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.levels = append(n.levels, r.Level)
	return nil
}

func (*notes) Enabled(context.Context, slog.Level) bool { return true }

func (n *notes) taken() (levels []slog.Level) {
	n.mu.Lock()
	defer n.mu.Unlock()
	levels, n.levels = n.levels, nil
	return levels
}

// Whoever runs the node hears of a certificate that clients refuse, or soon
// will: at the start, and once a day.
func TestACertificateThatEndsIsToldOf(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	start := time.Now()
	issuer := newAuthority(t)
	for _, row := range []struct {
		name        string
		from, until time.Duration
		want        []slog.Level // at the start and a day later
	}{
		{"for a year", -day, 365 * day, nil},
		{"for 31 days", -day, 31*day - time.Minute, []slog.Level{slog.LevelWarn}},
		{"for an hour", -day, time.Hour, []slog.Level{slog.LevelWarn, slog.LevelError}},
		{"expired", -2 * day, -time.Hour, []slog.Level{slog.LevelError, slog.LevelError}},
		{"from tomorrow on", day - time.Minute, 365 * day, []slog.Level{slog.LevelError}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cert, key := issuer.issueFor(t.TempDir(), start.Add(row.from), start.Add(row.until))
			at, said := start, &notes{}
			cfg, err := grpcapi.TLSFromFiles(cert, key, func() time.Time { return at }, slog.New(said))
			if err != nil {
				t.Fatal(err)
			}
			for range 50 { // half an hour each
				at = at.Add(30 * time.Minute)
				if _, err := cfg.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(row.want, said.taken()); diff != "" {
				t.Errorf("was told (-want +got):\n%s", diff)
			}
		})
	}
}

// One that has expired does not replace one that is still good.
func TestAnExpiredCertificateReplacesNoGoodOne(t *testing.T) {
	t.Parallel()
	issuer, dir, at := newAuthority(t), t.TempDir(), time.Now()
	cert, key := issuer.issueFor(dir, at.Add(-time.Hour), at.Add(time.Hour))
	cfg, err := grpcapi.TLSFromFiles(cert, key, func() time.Time { return at }, nil)
	if err != nil {
		t.Fatal(err)
	}
	until := func() time.Time {
		t.Helper()
		at = at.Add(time.Minute)
		c, err := cfg.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.NotAfter
	}
	before := until()
	issuer.issueFor(dir, at.Add(-2*time.Hour), at.Add(-time.Minute))
	if got := until(); !got.Equal(before) {
		t.Errorf("the certificate in use is that until %s, want that until %s", got, before)
	}
	issuer.issueFor(dir, at.Add(-2*time.Hour), at.Add(3*time.Hour))
	if got := until(); !got.After(before) {
		t.Errorf("the certificate in use is that until %s, want a newer one", got)
	}
}

// Whoever can speak HTTP/1 gets it, although it also offers HTTP/2: probes and
// browsers do; clients of gRPC offer HTTP/2 alone.
func TestTheProtocolIsAgreedUponInTheHandshake(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	for _, row := range []struct {
		offered []string
		want    string
	}{
		{[]string{"h2"}, "h2"},
		{[]string{"h2", "http/1.1"}, "http/1.1"},
		{[]string{"http/1.1"}, "http/1.1"},
		{nil, ""},
	} {
		roots := x509.NewCertPool()
		roots.AddCert(s.authority.cert)
		c, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, NextProtos: row.offered}}).DialContext(deadline(t), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != row.want {
			t.Errorf("offered %q, agreed on %q, want %q", row.offered, got, row.want)
		}
		_ = c.Close()
	}
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if c, err := (&tls.Dialer{Config: old}).DialContext(deadline(t), "tcp", s.addr); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

func TestMetricsNeedAnAccountAndHealthDoesNot(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	roots := x509.NewCertPool()
	roots.AddCert(s.authority.cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	for _, row := range []struct {
		path, login, password string
		want                  int
	}{
		{"/health/live", "", "", http.StatusNoContent},
		{"/metrics", "", "", http.StatusUnauthorized},
		{"/metrics", "ann", "wrong", http.StatusUnauthorized},
		{"/metrics", "ann", userPassword, http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(deadline(t), http.MethodGet, "https://"+s.addr+row.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if row.login != "" {
			req.SetBasicAuth(row.login, row.password)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != row.want {
			t.Errorf("%s as %q: %d, want %d", row.path, row.login, resp.StatusCode, row.want)
		}
		expires := "waybill_node_certificate_expires_timestamp_seconds " + fmt.Sprint(float64(s.authority.until.Unix()))
		if row.path == "/metrics" && row.want == http.StatusOK && !strings.Contains(string(body), expires+"\n") {
			t.Errorf("the metrics have no line %q", expires)
		}
	}
}

func TestWithoutTLSOnlyThisMachineIsServed(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.Dir, cfg.FS, cfg.Now = "node", vfs.NewMem(), time.Now
	n, err := node.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0", "[::ffff:192.0.2.1]:0"} {
		s, err := grpcapi.Listen(addr, n, grpcapi.Config{})
		if insecure := (*grpcapi.InsecureError)(nil); !errors.As(err, &insecure) {
			t.Errorf("%s: error = %v", addr, err)
		}
		if s != nil {
			t.Errorf("%s: it listens", addr)
			_ = s.Stop(deadline(t))
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.0.0.2:0"} {
		s, err := grpcapi.Listen(addr, n, grpcapi.Config{})
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if err := s.Stop(deadline(t)); err != nil {
			t.Error(err)
		}
	}
	for _, half := range []*grpcapi.Secure{{}, {TLS: &tls.Config{MinVersion: tls.VersionTLS12}}} {
		if s, err := grpcapi.Listen("127.0.0.1:0", n, grpcapi.Config{Secure: half}); err == nil {
			t.Error("a node listens with TLS and without accounts")
			_ = s.Stop(deadline(t))
		}
	}
}
