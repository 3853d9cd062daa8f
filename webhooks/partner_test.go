package webhooks_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/guard"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/partnertest"
)

// Whatever a partner does wrong: the attempt has a class that says what and
// nothing about us, the message is tried again until it is taken, in order, and
// nobody else notices.
func TestFaultsOfAPartner(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault  partnertest.Fault
		class  delivery.Class
		status int
	}{
		{partnertest.Silence(), delivery.ClassTimeout, 0},
		{partnertest.HangingBody(500), delivery.ClassServerError, 500},
		{partnertest.ResetAtConnect(), delivery.ClassReset, 0},
		{partnertest.ResetInHandshake(), delivery.ClassReset, 0},
		{partnertest.ResetAfterRequest(), delivery.ClassReset, 0},
		{partnertest.ResetInHead(), delivery.ClassReset, 0},
		{partnertest.ResetInBody(502), delivery.ClassServerError, 502},
		{partnertest.Garbage(), delivery.ClassReset, 0},
		{partnertest.NoTLS(), delivery.ClassTLS, 0},
		{partnertest.Expired(), delivery.ClassTLS, 0},
		{partnertest.WrongName(), delivery.ClassTLS, 0},
		{partnertest.OldTLS(), delivery.ClassTLS, 0},
		{partnertest.HugeHeaders(), delivery.ClassReset, 0},
		{partnertest.GzipBomb(503), delivery.ClassServerError, 503},
		{partnertest.Status(301, "Location: https://elsewhere.example/"), delivery.ClassRedirect, 301},
		{partnertest.Status(307, "Location: http://169.254.169.254/"), delivery.ClassRedirect, 307},
		{partnertest.Status(404), delivery.ClassClientError, 404},
		{partnertest.Status(429, "Retry-After: 0"), delivery.ClassRateLimited, 429},
		{partnertest.Status(599), delivery.ClassServerError, 599},
	} {
		t.Run(row.fault.Name, func(t *testing.T) {
			t.Parallel()
			const times = 2
			partner, healthy := partnertest.New(t, row.fault, times), newReceiver(t, nil)
			p := newPlatform(t)
			p.guard.TLSConfig = &tls.Config{RootCAs: partner.Authorities, MinVersion: tls.VersionTLS12}
			p.config.Timeout = time.Second
			created := p.endpoint(partner.URL, "*")
			p.endpoint(healthy.URL, "*")
			d := p.start()
			want := p.append("o1", eventstore.NoStream, placed{}, noted{1}, noted{2})
			eventually(t, "the healthy endpoint", func() bool { return healthy.count() == 3 })
			eventually(t, "the faulty one", func() bool { return len(partner.Delivered()) == 3 })
			if diff := cmp.Diff(want, idsOf(t, partner.Delivered())); diff != "" {
				t.Errorf("delivered (-want +got):\n%s", diff)
			}
			attempts := attemptsAt(t, d, created.ID, 3+times)
			judge(t, attempts, row.class, row.status, times)
			shows(t, attempts, row.fault.Header...)
		})
	}
}

// shows looks for headers in what is kept of the first attempt.
func shows(t *testing.T, attempts []ledger.Attempt, headers ...string) {
	t.Helper()
	first := attempts[len(attempts)-1].Head
	for _, header := range headers {
		if !slices.Contains(strings.Split(first, "\n"), header) {
			t.Errorf("of %q is kept %q", header, first)
		}
	}
}

func idsOf(t *testing.T, bodies []string) []string {
	t.Helper()
	var ids []string
	for _, body := range bodies {
		_, after, _ := strings.Cut(body, `"id":"`)
		id, _, _ := strings.Cut(after, `"`)
		ids = append(ids, id)
	}
	return ids
}

// judge looks at the attempts, newest first: so many failures of a class.
func judge(t *testing.T, attempts []ledger.Attempt, class delivery.Class, status, times int) {
	t.Helper()
	failed := 0
	for _, a := range attempts {
		if a.Class == delivery.ClassOK {
			continue
		}
		failed++
		if a.Class != class || a.Status != status {
			t.Errorf("attempt %d is %s with status %d, want %s with %d", a.Attempt, a.Class, a.Status, class, status)
		}
		if shown := fmt.Sprint(a.Class, a.Response); strings.Contains(shown, "127.0.0.1") || strings.Contains(shown, "x509") {
			t.Errorf("an attempt tells of us: %s", shown)
		}
	}
	if failed != times {
		t.Errorf("%d failures, want %d", failed, times)
	}
}

// A 2xx that was received counts, whatever becomes of the body.
func TestAStatusCountsWhateverTheBody(t *testing.T) {
	t.Parallel()
	for _, fault := range []partnertest.Fault{partnertest.HangingBody(200), partnertest.ResetInBody(204 - 3), partnertest.GzipBomb(202)} {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			partner := partnertest.New(t, fault, 1)
			p := newPlatform(t)
			p.guard.TLSConfig = &tls.Config{RootCAs: partner.Authorities, MinVersion: tls.VersionTLS12}
			p.config.Timeout = 5 * time.Second // what a body that hangs takes, and a slow machine for the rest
			created := p.endpoint(partner.URL, "*")
			d := p.start()
			p.append("o1", eventstore.NoStream, placed{})
			if a := attemptsAt(t, d, created.ID, 1)[0]; a.Class != delivery.ClassOK || len(partner.Delivered()) > 0 {
				t.Errorf("attempt %+v", a)
			}
		})
	}
}

func TestAPartnerThatIsGoneGetsNothingMore(t *testing.T) {
	t.Parallel()
	for _, fault := range []partnertest.Fault{partnertest.Status(410), partnertest.Status(500, "Webhook-Delivery: disable")} {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			partner, healthy := partnertest.New(t, fault, 1), newReceiver(t, nil)
			p := newPlatform(t)
			p.guard.TLSConfig = &tls.Config{RootCAs: partner.Authorities, MinVersion: tls.VersionTLS12}
			created := p.endpoint(partner.URL, "*")
			p.endpoint(healthy.URL, "*")
			d := p.start()
			p.append("o1", eventstore.NoStream, placed{}, noted{1})
			eventually(t, "disabled", func() bool {
				e, err := d.Endpoints.Get(t.Context(), created.ID)
				return err == nil && e.Status == endpoint.StatusDisabled
			})
			eventually(t, "the healthy endpoint", func() bool { return healthy.count() == 2 })
			if n := len(partner.Delivered()); n > 0 {
				t.Errorf("%d requests after it was gone", n)
			}
		})
	}
}

// A name that leads to a public address when it is looked at, and to our own
// network when it is dialled, leads nowhere.
func TestANameThatChangesBetweenLookUpAndDial(t *testing.T) {
	t.Parallel()
	partner := partnertest.New(t, partnertest.Fault{}, 0)
	target, err := url.Parse(partner.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := netip.MustParseAddrPort(target.Host).Port()
	names := partnertest.NewNames(t, netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("127.0.0.1"))
	policy := address.Policy{AllowedPorts: []uint16{port}}
	looked, err := names.LookupNetIP(t.Context(), "ip4", "partner.test")
	if err != nil || policy.CheckAddr(looked[0]) != nil {
		t.Fatalf("at first: %v, %v", looked, err)
	}
	p := newPlatform(t)
	p.guard = guard.Config{Policy: policy, Resolver: names.Resolver, TLSConfig: &tls.Config{RootCAs: partner.Authorities, MinVersion: tls.VersionTLS12}}
	created := p.endpoint(fmt.Sprintf("https://partner.test:%d/", port), "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	a := attemptsAt(t, d, created.ID, 1)[0]
	if a.Class != delivery.ClassBlocked || a.Status != 0 || len(partner.Delivered()) > 0 || names.Asked() < 2 {
		t.Errorf("attempt %+v after %d questions", a, names.Asked())
	}
}

// Slow-loris: a body that drips is cut off by the one deadline of the attempt.
func TestADrippingAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	partner := partnertest.New(t, partnertest.Fault{Name: "drip", Answer: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte("x")); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}}, 1)
	p := newPlatform(t)
	p.guard.TLSConfig = &tls.Config{RootCAs: partner.Authorities, MinVersion: tls.VersionTLS12}
	p.config.Timeout = 300 * time.Millisecond
	created := p.endpoint(partner.URL, "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	attempts := attemptsAt(t, d, created.ID, 2)
	if first := attempts[len(attempts)-1]; first.Status != 500 || first.Took < 300*time.Millisecond {
		t.Errorf("attempt %+v", first)
	}
	eventually(t, "the delivery", func() bool { return len(partner.Delivered()) == 1 })
}
