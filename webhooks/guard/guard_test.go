package guard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/guard"
)

var development = address.Policy{AllowPrivate: true}

func post(t *testing.T, cfg guard.Config, target string) (*http.Response, error) {
	t.Helper()
	client := guard.NewClient(cfg)
	t.Cleanup(client.GetClient().CloseIdleConnections)
	response, err := client.R().SetContext(t.Context()).SetDoNotParseResponse(true).SetBody([]byte(`{}`)).Post(target)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = response.RawBody().Close() })
	return response.RawResponse, nil
}

func TestWhatIsDialledIsJudged(t *testing.T) {
	t.Parallel()
	control := guard.Control(address.Policy{})
	for target, allowed := range map[string]bool{
		"8.8.8.8:443": true, "[2606:4700::1111]:443": true, "[::ffff:8.8.8.8]:443": true,
		"8.8.8.8:80": false, "8.8.8.8:0": false, "127.0.0.1:443": false, "[::1]:443": false, "[::ffff:127.0.0.1]:443": false,
		"[fe80::1%eth0]:443": false, "169.254.169.254:443": false, "168.63.129.16:443": false, "[64:ff9b::7f00:1]:443": false,
		"": false, "8.8.8.8": false, "example.com:443": false, "8.8.8.8:https": false,
	} {
		network := "tcp4"
		if strings.HasPrefix(target, "[") {
			network = "tcp6"
		}
		if err := control(t.Context(), network, target, nil); (err == nil) != allowed || (err != nil && !errors.Is(err, address.ErrBlocked)) {
			t.Errorf("%s: %v", target, err)
		}
	}
	for _, network := range []string{"tcp", "udp4", "unix", ""} {
		if err := control(t.Context(), network, "8.8.8.8:443", nil); !errors.Is(err, address.ErrBlocked) {
			t.Errorf("%s: %v", network, err)
		}
	}
}

func TestLoopbackIsBlockedHoweverItIsNamed(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(server.Close)
	port := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://")).Port()
	policy := address.Policy{AllowedPorts: []uint16{port}}
	_, after, _ := strings.Cut(server.URL, "127.0.0.1")
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0x7f.1", "2130706433", "017700000001", "0", "0.0.0.0", "[::]",
	} {
		if response, err := post(t, guard.Config{Policy: policy}, "http://"+host+after); err == nil {
			t.Errorf("%s: answered %s", host, response.Status)
		}
	}
	if hits.Load() > 0 {
		t.Errorf("%d requests came through", hits.Load())
	}
	if _, err := post(t, guard.Config{Policy: development}, server.URL); err != nil || hits.Load() != 1 {
		t.Errorf("development: %v, %d requests", err, hits.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var hits atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hits.Add(1)
			http.Redirect(w, r, "/elsewhere", status)
		}))
		response, err := post(t, guard.Config{Policy: development}, server.URL)
		if err != nil || response.StatusCode != status || response.Header.Get("Location") != "/elsewhere" || hits.Load() != 1 {
			t.Errorf("%d: %v, %d requests", status, err, hits.Load())
		}
		server.Close()
	}
}

func TestNoCompressionIsAskedForOrUndone(t *testing.T) {
	t.Parallel()
	asked := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0})
	}))
	t.Cleanup(server.Close)
	response, err := post(t, guard.Config{Policy: development}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := (<-asked).Values("Accept-Encoding"); len(got) > 0 {
		t.Errorf("asked for %v", got)
	}
	if body, err := io.ReadAll(response.Body); err != nil || len(body) != 4 {
		t.Errorf("the body was changed: %x, %v", body, err)
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Huge", strings.Repeat("x", 64<<10))
	}))
	t.Cleanup(server.Close)
	if _, err := post(t, guard.Config{Policy: development}, server.URL); err == nil {
		t.Error("64 KB of headers were accepted")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	serve := func(most uint16) (*httptest.Server, *tls.Config) {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.TLS = &tls.Config{MaxVersion: most, MinVersion: tls.VersionTLS10} //nolint:gosec // an old server is what is tested
		server.StartTLS()
		t.Cleanup(server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		return server, &tls.Config{RootCAs: roots, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10} //nolint:gosec // must have no effect
	}
	modern, trusting := serve(tls.VersionTLS13)
	if _, err := post(t, guard.Config{Policy: development, TLSConfig: trusting}, modern.URL); err != nil {
		t.Errorf("a trusted server: %v", err)
	}
	if _, err := post(t, guard.Config{Policy: development, TLSConfig: &tls.Config{InsecureSkipVerify: true}}, modern.URL); err == nil { //nolint:gosec // must have no effect
		t.Error("an untrusted server was accepted")
	}
	if _, err := post(t, guard.Config{Policy: development}, modern.URL); err == nil {
		t.Error("an untrusted server was accepted")
	}
	old, trusting := serve(tls.VersionTLS11)
	if _, err := post(t, guard.Config{Policy: development, TLSConfig: trusting}, old.URL); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	// A server that is not trusted is refused anyhow, so this shows in the settings only.
	if got := guard.NewTransport(guard.Config{}).TLSClientConfig.MinVersion; got != tls.VersionTLS12 {
		t.Errorf("without anything set the least version is %x", got)
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	proxied := make(chan string, 8)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proxied <- r.URL.String() }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	if guard.NewTransport(guard.Config{}).Proxy != nil {
		t.Error("the transport has a proxy")
	}
	_, err := post(t, guard.Config{Policy: address.Policy{AllowedPorts: []uint16{9}}}, "http://192.0.2.1:9/")
	var failed *url.Error
	if !errors.As(err, &failed) || !errors.Is(err, address.ErrBlocked) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	select {
	case target := <-proxied:
		t.Errorf("the proxy was asked for %s", target)
	default:
	}
}
