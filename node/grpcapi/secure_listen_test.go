package grpcapi_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

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
		_ = resp.Body.Close()
		if resp.StatusCode != row.want {
			t.Errorf("%s as %q: %d, want %d", row.path, row.login, resp.StatusCode, row.want)
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
