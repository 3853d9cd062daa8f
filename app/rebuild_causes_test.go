package app_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
)

// heard are the ids of the messages that a partner got, as often as it did.
type heard struct {
	mu  sync.Mutex
	ids []string
}

func (h *heard) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, r.Header.Get("webhook-id"))
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.ids))
}

// Every read model is built anew under a platform that does everything, also
// those that say what is still to be done: nothing is recorded by that, nobody
// gets a mail or a webhook, and no warehouse a job.
func TestARebuildCausesNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		mails, partner := smtptest.New(t, nil), &heard{}
		receiver := httptest.NewServer(partner)
		t.Cleanup(receiver.Close)
		p := startSagas(t, append(on(e), "--effects-smtp", mails.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example")...)
		_, err := p.api.CreateEndpoint(t.Context(), client.CreateEndpoint{URL: receiver.URL, EventTypes: []string{"*"}})
		done(t, err)
		id := p.place(t, "EUR", 2, "TWICE")
		_, err = p.api.ShipOrder(t.Context(), id, key("ship"), client.ShipOrder{})
		done(t, err)
		p.comesBack(t, id, "refund", 1)
		p.becomes(t, id, "shipped", "partially_refunded")

		caused := func() map[string]any {
			jobs, err := p.warehouse.Jobs(t.Context())
			done(t, err)
			return map[string]any{"log": p.head(t), "mails": len(mails.Sent()), "webhooks": partner.all(), "jobs": len(jobs)}
		}
		var before map[string]any
		rested := 0
		p.eventually(t, "at rest", func() bool {
			last := before
			before = caused()
			if rested++; !cmp.Equal(last, before) || strings.Contains(string(p.get(t, "/metrics")), "waybill_tasks_due{") {
				rested = 0
			}
			time.Sleep(500 * time.Millisecond)
			return rested == 4
		})
		if len(before["webhooks"].([]string)) == 0 || before["mails"].(int) == 0 {
			t.Fatalf("nothing is caused at all: %v", before)
		}
		models, err := p.api.Projections(t.Context())
		done(t, err)
		for _, m := range models {
			_, err := p.api.StartRebuild(t.Context(), m.Name, "anew "+m.Name, client.StartRebuild{})
			done(t, err)
		}
		for _, m := range models {
			p.eventually(t, m.Name+" swapped in", func() bool {
				r, err := p.api.Rebuild(t.Context(), m.Name)
				done(t, err)
				if r.Ended && (!r.Swapped || !r.Equal) {
					t.Fatalf("%s: %+v", m.Name, r)
				}
				return r.Ended
			})
		}
		// Whoever reads the new ones has had time for it when a later order is
		// through.
		after := caused()
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("caused by rebuilds (-before +after):\n%s", diff)
		}
		timeline := string(p.read(t, "/v1/orders/"+id+"/timeline"))
		other := p.place(t, "EUR", 2, "LATER")
		_, err = p.api.ShipOrder(t.Context(), other, key("ship"), client.ShipOrder{})
		done(t, err)
		p.becomes(t, other, "shipped", "captured")
		p.eventually(t, "written to about the later order", func() bool { return len(mails.Sent()) > before["mails"].(int) })
		if got := string(p.read(t, "/v1/orders/"+id+"/timeline")); got != timeline {
			t.Errorf("caused anew:\n%s", strings.TrimPrefix(got, strings.TrimSuffix(timeline, "]}")))
		}
		if ids := partner.all(); len(ids) != len(slices.Compact(slices.Clone(ids))) {
			t.Errorf("told twice: %q", ids)
		}
	})
}

// head is how far the log goes.
func (p sagas) head(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(string(p.get(t, "/metrics"))) {
		if at, is := strings.CutPrefix(line, "waybill_log_head_position "); is {
			return strings.TrimSpace(at)
		}
	}
	t.Fatal("nobody says how far the log goes")
	return ""
}
