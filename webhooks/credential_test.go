package webhooks_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/partnertest"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// describe records an endpoint as it was described, with secrets sealed for
// what they belong to.
func (p *platform) describe(settings endpoint.Settings, tenant string, c credentials.Credentials) (id string, secret signing.Secret) {
	p.tb.Helper()
	id = uuid.NewString()
	settings, err := p.endpoints(nil).WithCredentials(settings, tenant, id, c)
	if err != nil {
		p.tb.Fatal(err)
	}
	if secret, err = signing.SecretOf(bytes.Repeat([]byte{5}, 32)); err != nil {
		p.tb.Fatal(err)
	}
	return id, p.record(id, tenant, settings, secret, fmt.Sprintf("%s|%s|1", tenant, id))
}

func (p *platform) record(id, tenant string, settings endpoint.Settings, secret signing.Secret, bound string) signing.Secret {
	p.tb.Helper()
	sealed, err := p.keys.Seal(secret.Key(), []byte(bound))
	if err != nil {
		p.tb.Fatal(err)
	}
	created := endpoint.Created{EndpointID: id, TenantID: tenant, Settings: settings, SealedSecret: sealed, SecretVersion: 1, CreatedAt: time.Now()}
	stream := "endpoint-" + id
	_, err = p.log.Append(p.tb.Context(), stream, eventstore.NoStream, eventstore.NewEvent{
		ID: eventstore.EventID(stream, "test", 0), Event: created, Metadata: meta(),
	})
	if err != nil {
		p.tb.Fatal(err)
	}
	return secret
}

func attemptsAt(t *testing.T, d *process, id string, least int) []ledger.Attempt {
	t.Helper()
	var attempts []ledger.Attempt
	eventually(t, fmt.Sprint(least, " attempts"), func() bool {
		var err error
		attempts, err = d.Attempts(t.Context(), id, 100)
		return err == nil && len(attempts) >= least
	})
	return attempts
}

// Secrets made before endpoints had owners open for ever.
func TestSecretsSealedBeforeStillOpen(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	secret, err := signing.SecretOf(bytes.Repeat([]byte{6}, 32))
	if err != nil {
		t.Fatal(err)
	}
	p.record("old", "", endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}, secret, "endpoint-old#1")
	r.verifyWith(secret.Text())
	p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "a delivery", func() bool { return r.count() == 1 })
}

// A secret that somebody moved to another partner's endpoint does not open.
func TestASealedSecretIsBoundToItsEndpoint(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	secret, err := signing.SecretOf(bytes.Repeat([]byte{6}, 32))
	if err != nil {
		t.Fatal(err)
	}
	settings := endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}
	for id, bound := range map[string]string{"a": "|b|1", "b": "other|b|1", "c": "|c|2", "d": "endpoint-e#1", "e": "|e|headers 1"} {
		p.record(id, "", settings, secret, bound)
	}
	p.record("f", "", settings, secret, "|f|1")
	p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "a delivery", func() bool { return r.count() == 1 })
	if n := len(r.all()); n != 1 {
		t.Errorf("%d requests, want that of f alone", n)
	}
}

// TestARotationWithoutOverlapIsTakenUp while the endpoint is served: it has one
// secret as before, and that is another one.
func TestARotationWithoutOverlapIsTakenUp(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.append("before", eventstore.NoStream, placed{})
	eventually(t, "a message by the old secret", func() bool { return r.count() == 1 })
	rotated, err := d.Endpoints.Rotate(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	eventually(t, "a message by the new secret alone", func() bool {
		n++
		p.append(fmt.Sprint("after", n), eventstore.NoStream, placed{})
		all := r.all()
		m := all[len(all)-1]
		at, err := strconv.ParseInt(m.Header.Get("Webhook-Timestamp"), 10, 64)
		return err == nil && m.Header.Get("Webhook-Signature") == rotated.Secret.Sign(m.ID, time.Unix(at, 0), m.Body)
	})
}

func TestAnEndpointIsSignedForAsItChose(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		chosen, want []string
	}{
		"nothing": {nil, []string{"v1"}}, "v1": {[]string{"v1"}, []string{"v1"}},
		"v1a": {[]string{"v1a"}, []string{"v1a"}}, "both": {[]string{"v1a", "v1"}, []string{"v1", "v1a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			r := newReceiver(t, nil)
			_, secret := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}, Signatures: row.chosen}, "", credentials.Credentials{})
			p.start()
			p.append("o1", eventstore.NoStream, placed{})
			eventually(t, "a delivery", func() bool { return r.count() == 1 })
			verify(t, r.all()[0], row.want, secret, publicOf(t, p, ""))
		})
	}
}

func publicOf(t *testing.T, p *platform, tenant string) ed25519.PublicKey {
	t.Helper()
	list, err := p.signingKeys().Public(t.Context(), tenant)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	key, err := signing.ParsePublic(list[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func verify(t *testing.T, m received, want []string, secret signing.Secret, key ed25519.PublicKey) {
	t.Helper()
	var schemes []string
	for part := range strings.SplitSeq(m.Header.Get("Webhook-Signature"), " ") {
		scheme, text, _ := strings.Cut(part, ",")
		schemes = append(schemes, scheme)
		signature, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		content := m.Header.Get("Webhook-Id") + "." + m.Header.Get("Webhook-Timestamp") + "." + string(m.Body)
		if scheme == "v1a" && !ed25519.Verify(key, []byte(content), signature) {
			t.Error("v1a is not that of the tenant's key")
		}
	}
	if diff := cmp.Diff(want, schemes); diff != "" {
		t.Errorf("schemes (-want +got):\n%s", diff)
	}
	verifier, err := standardwebhooks.NewWebhook(secret.Text())
	if err == nil && strings.Contains(strings.Join(want, " ")+" ", "v1 ") {
		err = verifier.Verify(m.Body, m.Header)
	}
	if err != nil {
		t.Errorf("v1: %v", err)
	}
}

func TestHeadersOfTheOwnerAreSentAndOursAreTrue(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	_, secret := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}, NoTrace: true}, "", credentials.Credentials{
		Headers: map[string]string{"X-Api-Key": "k", "Webhook-Id": "forged", "Content-Type": "text/plain", "User-Agent": "curl"},
		Basic:   &credentials.Basic{Username: "u", Password: "p"},
	})
	r.verifyWith(secret.Text())
	p.start()
	ids := p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "a delivery", func() bool { return r.count() == 1 })
	got := r.all()[0].Header
	want := map[string]string{
		"X-Api-Key": "k", "Authorization": "Basic dTpw", "Webhook-Id": ids[0], "Content-Type": "application/json",
		"User-Agent": "Waybill-Webhooks/1", "Traceparent": "",
	}
	for name, value := range want {
		if got.Get(name) != value || len(got.Values(name)) > 1 {
			t.Errorf("%s is %q, want %q", name, got.Values(name), value)
		}
	}
}

func TestASignatureOfAnotherSystemStandsBesideOurs(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	_, secret := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}, "", credentials.Credentials{
		Signature: &credentials.Signature{Header: "X-Old-Signature", Secret: "of the other system", Prefix: "sha256="},
	})
	r.verifyWith(secret.Text())
	p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "a delivery", func() bool { return r.count() == 1 })
	m := r.all()[0]
	mac := hmac.New(sha256.New, []byte("of the other system"))
	mac.Write(m.Body)
	if got, want := m.Header.Get("X-Old-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestATokenIsFetchedAndFetchedAgainWhenItIsRefused(t *testing.T) {
	t.Parallel()
	var tokens, requests atomic.Int64
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "t%d", "expires_in": 3600}`, tokens.Add(1))
	}))
	t.Cleanup(login.Close)
	r := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, m received) int {
		requests.Add(1)
		if m.Type == "order.noted" && r.Header.Get("Authorization") != "Bearer t2" {
			return http.StatusUnauthorized // the first token is not good any more
		}
		return http.StatusOK
	})
	p := newPlatform(t)
	id, _ := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}, "", credentials.Credentials{
		OAuth2: &credentials.OAuth2{TokenURL: login.URL, ClientID: "id", ClientSecret: "s"},
	})
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{}, noted{1}, placed{})
	attempts := attemptsAt(t, d, id, 3)
	for _, a := range attempts {
		if a.Class != delivery.ClassOK || a.Attempt != 1 {
			t.Errorf("attempt %+v", a)
		}
	}
	if tokens.Load() != 2 || requests.Load() != 4 {
		t.Errorf("%d tokens, %d requests, want 2 and 4", tokens.Load(), requests.Load())
	}
}

func TestARefusalThatAFreshTokenDoesNotMendIsAFailure(t *testing.T) {
	t.Parallel()
	var tokens atomic.Int64
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "t%d"}`, tokens.Add(1))
	}))
	t.Cleanup(login.Close)
	r := newReceiver(t, func(http.ResponseWriter, *http.Request, received) int { return http.StatusUnauthorized })
	p := newPlatform(t)
	p.config.Waits = []time.Duration{time.Hour}
	id, _ := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}, "", credentials.Credentials{
		OAuth2: &credentials.OAuth2{TokenURL: login.URL, ClientID: "id", ClientSecret: "s"},
	})
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	if a := attemptsAt(t, d, id, 1)[0]; a.Class != delivery.ClassClientError || a.Status != 401 || len(r.all()) != 2 {
		t.Errorf("attempt %+v after %d requests", a, len(r.all()))
	}
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	t.Parallel()
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(login.Close)
	r := newReceiver(t, nil)
	p := newPlatform(t)
	id, _ := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}, "", credentials.Credentials{
		OAuth2: &credentials.OAuth2{TokenURL: login.URL, ClientID: "id", ClientSecret: "s"},
	})
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	if a := attemptsAt(t, d, id, 1)[0]; a.Class != delivery.ClassToken || a.Status != 0 || len(r.all()) != 0 {
		t.Errorf("attempt %+v after %d requests", a, len(r.all()))
	}
}

func TestAClientCertificateIsShown(t *testing.T) {
	t.Parallel()
	ours, theirs := partnertest.Certificate(t, partnertest.CertificateConfig{Name: "waybill"}), partnertest.Certificate(t, partnertest.CertificateConfig{Name: "partner"})
	r := &receiver{tb: t}
	r.Server = httptest.NewUnstartedServer(r)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(ours.Certificate))
	r.TLS = &tls.Config{Certificates: []tls.Certificate{theirs.Pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	r.StartTLS()
	t.Cleanup(r.Close)
	p := newPlatform(t)
	good, _ := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}, "", credentials.Credentials{
		TLS: &credentials.TLS{Certificate: ours.Certificate, Key: ours.Key, Authorities: theirs.Certificate},
	})
	bad, _ := p.describe(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}}, "", credentials.Credentials{
		TLS: &credentials.TLS{Authorities: theirs.Certificate},
	})
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	if a := attemptsAt(t, d, good, 1)[0]; a.Class != delivery.ClassOK {
		t.Errorf("with a certificate: %+v", a)
	}
	// In TLS 1.3 the refusal comes after the handshake: it may overtake us or not.
	if a := attemptsAt(t, d, bad, 1)[0]; a.Class != delivery.ClassTLS && a.Class != delivery.ClassReset {
		t.Errorf("without a certificate: %+v", a)
	}
}

// Sealed twice, credentials differ; they are the same nevertheless.
func TestTheSameCredentialsAreNoChange(t *testing.T) {
	t.Parallel()
	endpoints := newPlatform(t).endpoints(nil)
	settings := func(value string) endpoint.Settings {
		s, err := endpoints.WithCredentials(endpoint.Settings{URL: "https://a.example"}, "", "e", credentials.Credentials{
			Headers: map[string]string{"X-A": value}, Basic: &credentials.Basic{Username: "u", Password: "p"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := settings("1")
	if !one.Equal(settings("1")) || one.Equal(settings("2")) {
		t.Error("equality is not that of the credentials")
	}
	none, err := endpoints.WithCredentials(one, "", "e", credentials.Credentials{})
	if err != nil || !none.Equal(endpoint.Settings{URL: "https://a.example"}) {
		t.Errorf("taken out: %+v, %v", none, err)
	}
	if one.Auth != "basic" || cmp.Diff([]string{"X-A"}, one.HeaderNames) != "" || bytes.Contains(one.SealedHeaders, []byte("X-A")) {
		t.Errorf("%+v", one)
	}
}
