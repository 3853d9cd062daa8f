package webhooks_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// checker is a partner's server that takes what is signed and refuses the rest,
// as the libraries of Standard Webhooks have it, or takes everything.
type checker struct {
	*httptest.Server

	mu      sync.Mutex
	secret  string // "" takes everything
	taken   []string
	refused int
}

func newChecker(tb testing.TB) *checker {
	tb.Helper()
	c := &checker{}
	c.Server = httptest.NewServer(c)
	tb.Cleanup(c.Close)
	return c
}

func (c *checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secret != "" {
		verifier, err := standardwebhooks.NewWebhook(c.secret)
		if err != nil || verifier.Verify(body, r.Header) != nil {
			c.refused++
			http.Error(w, "signature does not verify", http.StatusUnauthorized)
			return
		}
	}
	_, kind, _ := strings.Cut(string(body), `"type":"`)
	kind, _, _ = strings.Cut(kind, `"`)
	c.taken = append(c.taken, kind)
}

// has returns the types of messages that were taken, in their order.
func (c *checker) has() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.taken...)
}

func (c *checker) verifyWith(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secret = secret
}

// partnersEndpoint makes an endpoint of a partner, who gets everything.
func (p *platform) partnersEndpoint(url string) webhooks.CreatedEndpoint {
	p.tb.Helper()
	created, err := p.endpoints(nil).Create(p.tb.Context(), webhooks.NewEndpoint{
		ID: uuid.NewString(), TenantID: "p1", Channels: []string{"web"}, Settings: endpoint.Settings{URL: url, EventTypes: []string{"*"}},
	}, meta())
	if err != nil {
		p.tb.Fatal(err)
	}
	return created
}

func verificationIs(t *testing.T, d *process, id string, want endpoint.VerificationStatus) {
	t.Helper()
	eventually(t, "an endpoint that is "+string(want), func() bool {
		e, err := d.Endpoints.Get(t.Context(), id)
		return err == nil && e.Verification.Status == want
	})
}

func verifying(t *testing.T) *platform {
	t.Helper()
	p := newPlatform(t)
	p.verify = webhooks.VerifyPartners
	return p
}

// Nothing but a ping is sent to a partner's receiver before it has taken it and
// refused a forged one; then it gets everything since its creation.
func TestAVerifiedReceiverGetsEverythingSinceItsCreation(t *testing.T) {
	t.Parallel()
	partner, own := newChecker(t), newChecker(t)
	p := verifying(t)
	created := p.partnersEndpoint(partner.URL)
	partner.verifyWith(created.Secret.Text())
	p.endpoint(own.URL, "*")
	if created.Verification.Status != endpoint.VerificationPending {
		t.Errorf("created %+v", created.Verification)
	}
	if _, err := p.endpoints(nil).Test(t.Context(), created.ID, meta()); err == nil {
		t.Error("a test was taken of an endpoint that is not verified")
	}
	p.append("o1", eventstore.NoStream, shared{}, shared{})
	d := p.start()
	verificationIs(t, d, created.ID, endpoint.Verified)
	p.append("o1", 1, shared{})
	eventually(t, "all messages", func() bool { return len(partner.has()) == 4 && len(own.has()) == 3 })
	if diff := cmp.Diff([]string{"endpoint.ping", "order.shared", "order.shared", "order.shared"}, partner.has()); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if partner.refused != 1 {
		t.Errorf("%d forged pings, want 1", partner.refused)
	}
	if diff := cmp.Diff([]string{"order.shared", "order.shared", "order.shared"}, own.has()); diff != "" {
		t.Errorf("taken by the shop's own (-want +got):\n%s", diff)
	}
}

// A server that takes everything is a stranger's for all we know. When its
// owner has mended it, nothing was lost.
func TestAReceiverThatTakesForgeriesGetsNothing(t *testing.T) {
	t.Parallel()
	partner := newChecker(t)
	p := verifying(t)
	p.config.Waits = []time.Duration{time.Millisecond}
	created := p.partnersEndpoint(partner.URL)
	d := p.start()
	p.append("o1", eventstore.NoStream, shared{})
	verificationIs(t, d, created.ID, endpoint.VerificationFailed)
	for _, a := range attemptsAt(t, d, created.ID, 2) {
		if a.Class != delivery.ClassForgery || a.RunID != "verify_1" || a.EventType != "endpoint.ping" {
			t.Errorf("attempt %+v", a)
		}
	}
	partner.verifyWith(created.Secret.Text())
	again, err := d.Endpoints.AskVerification(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()})
	if err != nil || again.Verification.Number != 2 {
		t.Fatalf("asked again: %+v, %v", again.Verification, err)
	}
	eventually(t, "what was waiting", func() bool { return len(partner.has()) == 6 })
	want := []string{"endpoint.ping", "endpoint.ping", "endpoint.ping", "endpoint.ping", "endpoint.ping", "order.shared"}
	if diff := cmp.Diff(want, partner.has()); diff != "" {
		t.Errorf("taken, forged pings included (-want +got):\n%s", diff)
	}
}

// Nobody who answers anything but 2xx, or nothing at all, is verified, and a
// ping expires.
func TestAPingExpires(t *testing.T) {
	t.Parallel()
	partner := newChecker(t)
	partner.verifyWith("whsec_" + strings.Repeat("A", 43) + "=")
	p := verifying(t)
	p.config.Waits = []time.Duration{time.Hour}
	created := p.partnersEndpoint(partner.URL)
	p.ahead.Store(int64(endpoint.PingFor - time.Minute))
	d := p.start()
	attemptsAt(t, d, created.ID, 1)
	if e, err := d.Endpoints.Get(t.Context(), created.ID); err != nil || e.Verification.Status != endpoint.VerificationPending {
		t.Errorf("a minute before: %+v, %v", e.Verification, err)
	}
	p.ahead.Add(int64(2 * time.Minute))
	verificationIs(t, d, created.ID, endpoint.VerificationFailed)
	if e, err := d.Endpoints.Get(t.Context(), created.ID); err != nil || e.Verification.Reason != endpoint.ReasonExpired {
		t.Errorf("%+v, %v", e.Verification, err)
	}
}

// Behind another URL is somebody else: deliveries stop until it is verified,
// and go on where they were.
func TestAnotherURLIsVerifiedAnew(t *testing.T) {
	t.Parallel()
	first, second := newChecker(t), newChecker(t)
	p := verifying(t)
	p.config.Waits = []time.Duration{time.Millisecond}
	created := p.partnersEndpoint(first.URL)
	first.verifyWith(created.Secret.Text())
	d := p.start()
	verificationIs(t, d, created.ID, endpoint.Verified)
	p.append("o1", eventstore.NoStream, shared{})
	eventually(t, "the first message", func() bool { return len(first.has()) == 2 })
	_, err := d.Endpoints.Change(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()}, func(s endpoint.Settings) (endpoint.Settings, error) {
		s.URL = second.URL
		return s, nil
	}, webhooks.Private{})
	if err != nil {
		t.Fatal(err)
	}
	verificationIs(t, d, created.ID, endpoint.VerificationFailed) // it takes forgeries
	p.append("o1", 0, shared{})
	second.verifyWith(created.Secret.Text())
	before := len(second.has())
	if before == 0 {
		t.Error("nobody was asked at the new URL without being told to")
	}
	if _, err := d.Endpoints.AskVerification(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second message", func() bool { return len(second.has()) == before+2 })
	if diff := cmp.Diff([]string{"endpoint.ping", "order.shared"}, second.has()[before:]); diff != "" {
		t.Errorf("taken at the new URL (-want +got):\n%s", diff)
	}
	for _, kind := range second.has()[:before] {
		if kind != "endpoint.ping" {
			t.Errorf("%s was sent to the new URL before it was verified", kind)
		}
	}
	if n := len(first.has()); n != 2 {
		t.Errorf("the old URL has %d messages", n)
	}
}

// What is known of verification outlives the process and the dispatcher's
// tables: nobody is asked twice, and nobody who was not verified gets anything.
func TestVerificationOutlivesTheTables(t *testing.T) {
	t.Parallel()
	good, bad := newChecker(t), newChecker(t)
	p := verifying(t)
	p.config.Waits = []time.Duration{time.Hour}
	verified, unverified := p.partnersEndpoint(good.URL), p.partnersEndpoint(bad.URL)
	good.verifyWith(verified.Secret.Text())
	d := p.start()
	verificationIs(t, d, verified.ID, endpoint.Verified)
	attemptsAt(t, d, unverified.ID, 1)
	p.append("o1", eventstore.NoStream, shared{})
	eventually(t, "the first message", func() bool { return len(good.has()) == 2 })
	d.stop()
	files, err := filepath.Glob(filepath.Join(p.dir, "webhooks.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	bad.verifyWith(unverified.Secret.Text())
	d = p.start()
	verificationIs(t, d, unverified.ID, endpoint.Verified)
	eventually(t, "what the other missed", func() bool { kinds := bad.has(); return kinds[len(kinds)-1] == "order.shared" })
	pings := 0
	for _, kind := range good.has() {
		if kind == "endpoint.ping" {
			pings++
		}
	}
	if pings != 1 {
		t.Errorf("%d pings to whoever was verified", pings)
	}
}

// Where nobody asks for it, nothing waits for an answer; a stop of asking lets
// everything go on.
func TestWithoutVerificationNothingWaits(t *testing.T) {
	t.Parallel()
	partner := newChecker(t)
	p := verifying(t)
	p.config.Waits = []time.Duration{time.Hour}
	created := p.partnersEndpoint(partner.URL)
	p.append("o1", eventstore.NoStream, shared{})
	d := p.start()
	attemptsAt(t, d, created.ID, 1)
	d.stop()
	p.verify = webhooks.VerifyNobody
	p.start()
	eventually(t, "the message", func() bool { kinds := partner.has(); return kinds[len(kinds)-1] == "order.shared" })
}
