package webhooks_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// TestWhatIsUnderWayIsWaitedFor when an endpoint goes on by other settings, or in
// another process: it takes longer than a process that ends would wait, and comes
// once all the same.
func TestWhatIsUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*platform, *process, string){
		"it has other settings": func(p *platform, d *process, id string) {
			p.set(d, id, func(s *endpoint.Settings) { s.Description = "another" }, webhooks.Private{})
		},
		"it pauses and goes on": func(p *platform, d *process, id string) {
			if _, err := d.Endpoints.Pause(p.tb.Context(), webhooks.Request{ID: id, Meta: meta()}); err != nil {
				p.tb.Error(err)
			}
			if _, err := d.Endpoints.Resume(p.tb.Context(), webhooks.Request{ID: id, Meta: meta()}, nil); err != nil {
				p.tb.Error(err)
			}
		},
		"it is set aside": func(p *platform, _ *process, id string) {
			cfg := p.config
			cfg.BacklogOnly, cfg.Owner = true, pastOwner
			p.startAs(cfg, nil)
			db := p.database()
			defer db.Close()
			if err := (&ledger.Ledger{Write: db.Write, Read: db.Read}).SetAside(p.tb.Context(), id); err != nil {
				p.tb.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests, cut atomic.Int64
			arrived := make(chan struct{}, 8)
			r := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, m received) int {
				if m.Aggregate.ID != "slow" {
					return http.StatusOK
				}
				requests.Add(1)
				arrived <- struct{}{}
				select {
				case <-time.After(2 * time.Second):
				case <-r.Context().Done():
					cut.Add(1)
				}
				return http.StatusOK
			})
			p := newPlatform(t)
			p.backlog = &backlogProcess{}
			p.config.Drain, p.config.Lease, p.config.Timeout = 50*time.Millisecond, time.Second, time.Minute
			p.guard.Headers = time.Minute
			id := p.endpoint(r.URL, "*").ID
			d := p.start()
			p.append("slow", eventstore.NoStream, placed{})
			<-arrived
			change(p, d, id)
			p.append("later", eventstore.NoStream, placed{})
			eventually(t, "both messages", func() bool { return r.count() == 2 })
			if requests.Load() != 1 || cut.Load() > 0 {
				t.Errorf("it came %d times and was cut off %d times", requests.Load(), cut.Load())
			}
		})
	}
}

// TestAPieceThatDoesNotFitIsTakenInParts: the log gives more at once than may be
// unsettled, and what has to wait for room is not passed over.
func TestAPieceThatDoesNotFitIsTakenInParts(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.config.Window, p.config.SettleAfter = 4, 20*time.Millisecond
	var up atomic.Bool
	r := newReceiver(t, func(http.ResponseWriter, *http.Request, received) int {
		if !up.Load() {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	p.endpoint(r.URL, "*")
	want := p.history("o", 20)
	p.start()
	eventually(t, "an attempt", func() bool { return len(r.all()) > 0 })
	up.Store(true)
	eventually(t, "everything", func() bool { return r.count() == 60 })
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
