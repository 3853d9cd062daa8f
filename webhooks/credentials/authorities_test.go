package credentials_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/credentials"
)

// systemKeyEnv names the key of the certificate that is the system's in a
// process of this test.
const systemKeyEnv = "WAYBILL_TEST_SYSTEM_KEY"

// TestOwnAuthoritiesStandBesideTheSystems, which are read once: so this runs in
// a process that has others.
func TestOwnAuthoritiesStandBesideTheSystems(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the system's authorities cannot be named elsewhere than on Linux")
	}
	if key := os.Getenv(systemKeyEnv); key != "" {
		besideTheSystems(t, os.Getenv("SSL_CERT_FILE"), key)
		return
	}
	dir := t.TempDir()
	certificate, key := pair(t, "system", time.Now().Add(time.Hour))
	files := map[string]string{"system.pem": certificate, "system.key": key}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // this test
	command.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(dir, "system.pem"), "SSL_CERT_DIR="+dir, systemKeyEnv+"="+filepath.Join(dir, "system.key"))
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func besideTheSystems(t *testing.T, certificate, key string) {
	t.Helper()
	system, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	authorities, private := pair(t, "own", time.Now().Add(time.Hour))
	own, err := tls.X509KeyPair([]byte(authorities), []byte(private))
	if err != nil {
		t.Fatal(err)
	}
	another, private := pair(t, "nobody's", time.Now().Add(time.Hour))
	other, err := tls.X509KeyPair([]byte(another), []byte(private))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, credentials.Credentials{TLS: &credentials.TLS{Authorities: authorities}}, time.Now)
	for name, row := range map[string]struct {
		of tls.Certificate
		ok bool
	}{"the system's": {system, true}, "its own": {own, true}, "nobody's": {other, false}} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{row.of}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
		t.Cleanup(server.Close)
		if _, err := s.Client().R().SetContext(t.Context()).Get(server.URL); (err == nil) != row.ok {
			t.Errorf("%s authority: %v", name, err)
		}
	}
}
