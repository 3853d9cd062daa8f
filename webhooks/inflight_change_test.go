package webhooks_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/partnertest"
)

// set changes settings of an endpoint.
func (p *platform) set(d *process, id string, change func(*endpoint.Settings), private webhooks.Private) {
	p.tb.Helper()
	revise := func(s endpoint.Settings) (endpoint.Settings, error) {
		change(&s)
		return s, nil
	}
	if _, err := d.Endpoints.Change(p.tb.Context(), webhooks.Request{ID: id, Meta: meta()}, revise, private); err != nil {
		p.tb.Fatal(err)
	}
}

// TestAReceiverThatIsGoneInAReplay is disabled, for what is live as well, and
// misses nothing of either when it is back.
func TestAReceiverThatIsGoneInAReplay(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var gone atomic.Bool
	gone.Store(true)
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if gone.Load() && m.Header.Get("Webhook-Run") != "live" {
			return http.StatusGone
		}
		return http.StatusOK
	})
	want := p.history("old", 5)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning})
	eventually(t, "the endpoint to be disabled", func() bool {
		now, err := d.Endpoints.Get(t.Context(), created.ID)
		return err == nil && now.Status == endpoint.StatusDisabled && now.DisabledReason == endpoint.ReasonGone
	})
	if state := p.stateOf(d, replay).State; state != webhooks.ReplayPaused {
		t.Errorf("the replay is %s", state)
	}
	maps.Copy(want, p.history("new", 3))
	gone.Store(false)
	if err := d.Endpoints.Enable(t.Context(), created.ID, meta()); err != nil {
		t.Fatal(err)
	}
	p.completes(d, replay)
	eventually(t, "everything", func() bool { return r.count() == 24 })
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPreviousIsThatOfTheSettings, from the first message that is chosen by
// them on.
func TestPreviousIsThatOfTheSettings(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "order.placed", "order.noted")
	d := p.start()
	previous := func(id string) (sequence int, told int) {
		t.Helper()
		eventually(t, "message "+id, func() bool {
			for _, m := range r.all() {
				if m.ID == id {
					sequence, told = m.Sequence, 0
					if m.Previous != nil {
						told = *m.Previous
					}
					return true
				}
			}
			return false
		})
		return sequence, told
	}
	expects := func(id string, sequence, want int) {
		t.Helper()
		if s, told := previous(id); s != sequence || told != want {
			t.Errorf("message %d says %d, want message %d with %d", s, told, sequence, want)
		}
	}
	ids := p.append("o1", eventstore.NoStream, placed{}, shared{}, noted{1})
	expects(ids[0], 1, 0)
	expects(ids[2], 3, 1)
	// Each change shows at an order of its own first.
	chooses := func(name string, want int, types ...string) {
		t.Helper()
		p.set(d, created.ID, func(s *endpoint.Settings) { s.EventTypes = types }, webhooks.Private{})
		n := 0
		eventually(t, name, func() bool {
			n++
			ids := p.append(fmt.Sprint(name, n), eventstore.NoStream, placed{}, shared{}, noted{1})
			_, told := previous(ids[2])
			return told == want
		})
	}
	chooses("notes", 0, "order.noted")
	expects(p.append("o1", 2, noted{2})[0], 4, 3)
	chooses("everything", 2, "*")
	expects(p.append("o1", 3, noted{3})[0], 5, 4)
	p.append("o1", 4, placed{}, shared{})
	chooses("placed and noted", 1, "order.placed", "order.noted")
	expects(p.append("o1", 6, noted{4})[0], 8, 6)
	// What was sent by other settings is the same by those of then when it is
	// asked for again, and not by those of now.
	replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning, Aggregate: "o1"})
	p.completes(d, replay)
	var told []int
	for _, m := range of(replay.ReplayID, r.all()) {
		before := 0
		if m.Previous != nil {
			before = *m.Previous
		}
		told = append(told, m.Sequence, before)
	}
	if diff := cmp.Diff([]int{1, 0, 3, 1, 4, 3, 5, 4, 6, 5, 8, 6}, told); diff != "" {
		t.Errorf("replayed by the settings of now, sequence and previous (-want +got):\n%s", diff)
	}
}

// TestAnotherClientCertificateIsShownFromThenOn on a connection of its own: one
// that is kept open was made with the certificate before.
func TestAnotherClientCertificateIsShownFromThenOn(t *testing.T) {
	t.Parallel()
	theirs := partnertest.Certificate(t, partnertest.CertificateConfig{Name: "partner"})
	var mu sync.Mutex
	shown := map[string]string{} // by message
	r := newReceiver(t, nil)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		shown[req.Header.Get("Webhook-Id")] = string(req.TLS.PeerCertificates[0].Raw)
		mu.Unlock()
		r.ServeHTTP(w, req)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{theirs.Pair}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	with := func(ours partnertest.Pair) credentials.Credentials {
		return credentials.Credentials{TLS: &credentials.TLS{Certificate: ours.Certificate, Key: ours.Key, Authorities: theirs.Certificate}}
	}
	first, second := partnertest.Certificate(t, partnertest.CertificateConfig{Name: "first"}), partnertest.Certificate(t, partnertest.CertificateConfig{Name: "second"})
	p := newPlatform(t)
	id, _ := p.describe(endpoint.Settings{URL: server.URL, EventTypes: []string{"*"}}, "", with(first))
	d := p.start()
	sends := func(order string) string {
		t.Helper()
		message := p.append(order, eventstore.NoStream, placed{})[0]
		certificate := ""
		eventually(t, "a message", func() bool {
			mu.Lock()
			defer mu.Unlock()
			certificate = shown[message]
			return certificate != ""
		})
		return certificate
	}
	if sends("before") != string(first.Pair.Certificate[0]) {
		t.Error("the first certificate is not shown")
	}
	another := with(second)
	p.set(d, id, func(*endpoint.Settings) {}, webhooks.Private{Credentials: &another})
	n := 0
	eventually(t, "the second certificate", func() bool {
		n++
		return sends(fmt.Sprint("after", n)) == string(second.Pair.Certificate[0])
	})
	if sends("later") != string(second.Pair.Certificate[0]) {
		t.Error("the first certificate is shown again")
	}
}
