package webhooks_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// TestAPartnerWhoseReceiversHangHoldsUpNobodyElse: it has more endpoints than the
// process makes attempts at once, and each takes all of them it can get.
func TestAPartnerWhoseReceiversHangHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.config.PerProcess, p.config.InFlight, p.config.Timeout = 32, 8, time.Hour
	p.guard.Headers = time.Hour
	var under atomic.Int64
	release := make(chan struct{})
	hanging := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ received) int {
		under.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return http.StatusOK
	})
	t.Cleanup(func() { close(release) })
	well := newReceiver(t, nil)
	for range 8 {
		p.partnersEndpoint(hanging.URL)
	}
	p.start()
	for n := range 8 {
		p.append(string(rune('a'+n)), eventstore.NoStream, shared{})
	}
	eventually(t, "the partner to have what it may", func() bool { return under.Load() >= 26 })
	p.endpoint(well.URL, "*")
	p.append("later", eventstore.NoStream, placed{})
	eventually(t, "what is for others", func() bool { return len(well.accepted()["later"]) == 1 })
}
