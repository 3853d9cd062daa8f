package credentials_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/guard"
)

var development = address.Policy{AllowPrivate: true}

func client(extra *tls.Config) *resty.Client {
	return guard.NewClient(guard.Config{Policy: development, TLSConfig: extra})
}

// pair makes a certificate that signs itself, for 127.0.0.1.
func pair(tb testing.TB, name string, until time.Time) (certificate, key string) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: until.Add(-100 * 365 * 24 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func open(tb testing.TB, c credentials.Credentials, now func() time.Time) *credentials.Session {
	tb.Helper()
	shared := client(nil)
	s, err := c.Open(shared, client, now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close(); shared.GetClient().CloseIdleConnections() })
	return s
}

func authorized(tb testing.TB, s *credentials.Session) http.Header {
	tb.Helper()
	header := http.Header{}
	if err := s.Authorize(tb.Context(), header); err != nil {
		tb.Fatal(err)
	}
	return header
}

func TestHeadersAndBasicAuthentication(t *testing.T) {
	t.Parallel()
	s := open(t, credentials.Credentials{
		Headers: map[string]string{"x-key": "k"}, Basic: &credentials.Basic{Username: "Aladdin", Password: "open sesame"},
	}, time.Now)
	want := http.Header{"X-Key": {"k"}, "Authorization": {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}} // of RFC 7617
	if diff := cmp.Diff(want, authorized(t, s)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if s.Refused(want) {
		t.Error("another try would be no better")
	}
}

// tokenServer hands out the tokens t1, t2, ….
type tokenServer struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // forms
	answer func(w http.ResponseWriter, number int)
}

func newTokenServer(tb testing.TB, answer func(w http.ResponseWriter, number int)) *tokenServer {
	tb.Helper()
	s := &tokenServer{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := r.ParseForm(); err != nil {
			tb.Errorf("form: %v", err)
		}
		s.asked = append(s.asked, fmt.Sprintf("%s:%s %s", id, secret, r.PostForm.Encode()))
		w.Header().Set("Content-Type", "application/json")
		s.answer(w, len(s.asked))
	}))
	tb.Cleanup(s.Close)
	return s
}

func (s *tokenServer) credentials() credentials.Credentials {
	return credentials.Credentials{OAuth2: &credentials.OAuth2{
		TokenURL: s.URL, ClientID: "id", ClientSecret: "secret", Scopes: []string{"a", "b"}, Audience: "aud",
	}}
}

func (s *tokenServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func hour(w http.ResponseWriter, number int) {
	_, _ = fmt.Fprintf(w, `{"access_token": "t%d", "token_type": "Bearer", "expires_in": 3600}`, number)
}

func TestATokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	server := newTokenServer(t, hour)
	now := noon
	s := open(t, server.credentials(), func() time.Time { return now })
	for _, row := range []struct {
		after time.Duration
		want  string
	}{{0, "t1"}, {time.Minute, "t1"}, {3569 * time.Second, "t1"}, {3570 * time.Second, "t2"}, {3571 * time.Second, "t2"}} {
		now = noon.Add(row.after)
		if got := authorized(t, s).Get("Authorization"); got != "Bearer "+row.want {
			t.Errorf("after %s: %s, want %s", row.after, got, row.want)
		}
	}
	if diff := cmp.Diff("id:secret audience=aud&grant_type=client_credentials&scope=a+b", server.asked[0]); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestATokenWithoutAnEndIsKeptUntilItIsRefused(t *testing.T) {
	t.Parallel()
	server := newTokenServer(t, func(w http.ResponseWriter, number int) {
		_, _ = fmt.Fprintf(w, `{"access_token": "t%d", "token_type": "Bearer"}`, number)
	})
	now := noon
	s := open(t, server.credentials(), func() time.Time { return now })
	first := authorized(t, s)
	now = now.Add(1000 * time.Hour)
	if got := authorized(t, s); got.Get("Authorization") != "Bearer t1" {
		t.Errorf("%v", got)
	}
	if !s.Refused(first) {
		t.Error("a fresh token may help")
	}
	second := authorized(t, s)
	// Somebody who was refused with the first token hears of it late.
	if !s.Refused(first) || authorized(t, s).Get("Authorization") != "Bearer t2" || second.Get("Authorization") != "Bearer t2" || server.count() != 2 {
		t.Errorf("%v after %d requests", second, server.count())
	}
}

func TestOfManyWhoNeedATokenOneFetchesIt(t *testing.T) {
	t.Parallel()
	server := newTokenServer(t, hour)
	s := open(t, server.credentials(), time.Now)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			header := http.Header{}
			if err := s.Authorize(t.Context(), header); err != nil || header.Get("Authorization") != "Bearer t1" {
				t.Errorf("%v: %v", header, err)
			}
		})
	}
	all.Wait()
	if n := server.count(); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
}

func TestWithoutATokenNothingIsSaidOfWhy(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, int){
		"refused": func(w http.ResponseWriter, _ int) { w.WriteHeader(401); _, _ = w.Write([]byte(`{"error": "hunter2"}`)) },
		"redirect": func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(302)
		},
		"no JSON":  func(w http.ResponseWriter, _ int) { _, _ = w.Write([]byte("hunter2")) },
		"no token": func(w http.ResponseWriter, _ int) { _, _ = w.Write([]byte(`{"hunter2": 1}`)) },
		"200 error": func(w http.ResponseWriter, _ int) {
			_, _ = w.Write([]byte(`{"error": "hunter2", "access_token": "x"}`))
		},
	} {
		server := newTokenServer(t, answer)
		header := http.Header{}
		err := open(t, server.credentials(), time.Now).Authorize(t.Context(), header)
		if !errors.Is(err, credentials.ErrToken) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "127.0.0.1") || len(header) > 0 {
			t.Errorf("%s: %v, %v", name, err, header)
		}
	}
}

func TestTokensAreFetchedThroughTheGuard(t *testing.T) {
	t.Parallel()
	server := newTokenServer(t, hour)
	strict := guard.NewClient(guard.Config{})
	s, err := server.credentials().Open(strict, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Authorize(t.Context(), http.Header{})
	if !errors.Is(err, address.ErrBlocked) || server.count() > 0 {
		t.Errorf("%v, %d requests", err, server.count())
	}
}

func TestWaitingForATokenCanBeGivenUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	asked := make(chan struct{}, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-release
		w.WriteHeader(500)
	}))
	t.Cleanup(server.Close)
	s := open(t, credentials.Credentials{OAuth2: &credentials.OAuth2{TokenURL: server.URL, ClientID: "i", ClientSecret: "s"}}, time.Now)
	first := make(chan error, 1)
	go func() { first <- s.Authorize(t.Context(), http.Header{}) }()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Authorize(ctx, http.Header{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	if err := <-first; !errors.Is(err, credentials.ErrToken) {
		t.Errorf("%v", err)
	}
}

func TestClientCertificateAndOwnAuthority(t *testing.T) {
	t.Parallel()
	forever := time.Now().Add(24 * time.Hour)
	ours, key := pair(t, "waybill", forever)
	theirs, theirKey := pair(t, "partner", forever)
	certificate, err := tls.X509KeyPair([]byte(theirs), []byte(theirKey))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(ours))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.TLS.PeerCertificates[0].Subject.CommonName))
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	certificateFor := func(c credentials.Credentials) (string, error) {
		s := open(t, c, time.Now)
		answer, err := s.Client().R().SetContext(t.Context()).Post(server.URL)
		if err != nil {
			return "", err
		}
		return answer.String(), nil
	}
	for _, row := range []struct {
		name string
		tls  *credentials.TLS
		ok   bool
	}{
		{"both", &credentials.TLS{Certificate: ours, Key: key, Authorities: theirs}, true},
		{"no certificate of ours", &credentials.TLS{Authorities: theirs}, false},
		{"an unknown authority", &credentials.TLS{Certificate: ours, Key: key}, false},
		{"none", nil, false},
	} {
		name, err := certificateFor(credentials.Credentials{TLS: row.tls})
		if (err == nil) != row.ok || (row.ok && name != "waybill") {
			t.Errorf("%s: %q, %v", row.name, name, err)
		}
	}
}

func TestCredentialsAreNeverShown(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t, "waybill", noon.Add(time.Hour))
	c := credentials.Credentials{
		Headers: map[string]string{"X-Key": "hunter2"}, Basic: &credentials.Basic{Username: "u", Password: "hunter2"},
		OAuth2: &credentials.OAuth2{TokenURL: "https://login.example/", ClientID: "id", ClientSecret: "hunter2"},
		TLS:    &credentials.TLS{Certificate: certificate, Key: key, Authorities: certificate},
	}
	asJSON, err := json.Marshal(map[string]any{"credentials": c, "pointer": &c})
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "c", c, "p", &c)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s", c, c, c, &c), string(asJSON), logged.String()} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "PRIVATE") {
			t.Errorf("shown: %s", shown)
		}
	}
	want := `{"headers":["X-Key"],"basic":"u","token_url":"https://login.example/","client_id":"id","certificate":"CN=waybill","certificate_not_after":"2026-03-04T13:00:00Z","authorities":["CN=waybill"]}`
	if got, err := json.Marshal(c); string(got) != want || err != nil {
		t.Errorf("summary %s, %v", got, err)
	}
	encoded, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := credentials.Decode(encoded)
	again, _ := back.Encode()
	if err != nil || string(again) != string(encoded) || !strings.Contains(string(encoded), "hunter2") {
		t.Errorf("%v", err)
	}
	if _, err := credentials.Decode([]byte("{")); err == nil {
		t.Error("half of it was read")
	}
}
