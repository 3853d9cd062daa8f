package webhooks_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Whoever gives a message up in the moment in which it is tried again means it
// nevertheless.
func TestAMessageIsGivenUpWhenItsAttemptHasFailed(t *testing.T) {
	t.Parallel()
	s := newStrange(t)
	s.config.Waits = []time.Duration{20 * time.Millisecond, time.Hour, time.Hour}
	var first [2]string // of orders a and b, which are refused
	var tries atomic.Int32
	held, release := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		switch {
		case m.Aggregate.ID == "a" && m.Sequence == 1:
			if tries.Add(1) == 2 {
				close(held)
				<-release
			}
			return http.StatusInternalServerError
		case m.Sequence == 1:
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	answer := sync.OnceFunc(func() { close(release) })
	t.Cleanup(answer)
	created := s.endpoint(r.URL, "*")
	d := s.start()
	for i, order := range []string{"a", "b"} {
		first[i] = s.write(order, aPlaced, aNote)[0]
	}
	<-held
	eventually(t, "b to be tried twice", func() bool {
		undelivered, err := d.Undelivered(t.Context(), ledger.Key{EndpointID: created.ID, RunID: ledger.Live}, 0, 10)
		return err == nil && len(undelivered) == 4 && undelivered[2].Attempts == 2
	})
	for _, id := range first {
		at, err := d.Locate(t.Context(), created.ID, id)
		if err != nil {
			t.Fatal(err)
		}
		chosen := endpoint.Chosen{EventID: at.ID, Stream: at.Lane, Revision: uint64(at.Revision), Position: uint64(at.Position)} //nolint:gosec // not negative
		if _, err := d.Endpoints.Skip(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()}, chosen); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "what is behind b, which was given up later", func() bool { return len(r.accepted()["b"]) == 1 })
	answer()
	eventually(t, "what is behind a", func() bool { return len(r.accepted()["a"]) == 1 })
}
