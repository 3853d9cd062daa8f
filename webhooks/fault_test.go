package webhooks_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/guard"
)

// Each fault is what a receiver does to the first two attempts of order o1.
func TestAFaultHoldsUpOnlyItsOrderAndIsRetried(t *testing.T) {
	t.Parallel()
	abort := func(w http.ResponseWriter) {
		if connection, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = connection.Close()
		}
	}
	for name, row := range map[string]struct {
		class delivery.Class
		fault func(w http.ResponseWriter, r *http.Request) int
	}{
		"error":    {delivery.ClassServerError, func(http.ResponseWriter, *http.Request) int { return 500 }},
		"refusal":  {delivery.ClassClientError, func(http.ResponseWriter, *http.Request) int { return 404 }},
		"redirect": {delivery.ClassRedirect, func(w http.ResponseWriter, _ *http.Request) int { w.Header().Set("Location", "/"); return 302 }},
		"reset":    {delivery.ClassReset, func(w http.ResponseWriter, _ *http.Request) int { abort(w); return 0 }},
		"silence": {delivery.ClassTimeout, func(_ http.ResponseWriter, r *http.Request) int {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
			return 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults atomic.Int64
			r := newReceiver(t, func(w http.ResponseWriter, r *http.Request, m received) int {
				if m.Aggregate.ID == "o1" && faults.Add(1) <= 2 {
					return row.fault(w, r)
				}
				return 200
			})
			p := newPlatform(t)
			p.config.Timeout = 300 * time.Millisecond
			created := p.endpoint(r.URL, "*")
			d := p.start()
			first := p.append("o1", eventstore.NoStream, placed{}, noted{1}, noted{2})
			for i := range 5 {
				p.append(fmt.Sprint("other", i), eventstore.NoStream, placed{})
			}
			eventually(t, "all deliveries", func() bool { return r.count() == 8 })
			if diff := cmp.Diff(first, r.accepted()["o1"]); diff != "" {
				t.Errorf("order of o1 (-want +got):\n%s", diff)
			}
			eventually(t, "the ledger", func() bool {
				s, err := d.Status(t.Context(), created.ID)
				return err == nil && s.Parked == 0 && s.CaughtUp()
			})
			attempts, err := d.Attempts(t.Context(), created.ID, 100)
			if err != nil {
				t.Fatal(err)
			}
			var classes []delivery.Class
			for _, a := range slices.Backward(attempts) {
				if a.EventID == first[0] {
					classes = append(classes, a.Class)
				}
			}
			if diff := cmp.Diff([]delivery.Class{row.class, row.class, delivery.ClassOK}, classes); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAStatusCountsEvenIfTheBodyStalls(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, r *http.Request, _ received) int {
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("one moment"))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
		return 0
	})
	p := newPlatform(t)
	p.config.Timeout = 200 * time.Millisecond
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "an attempt", func() bool {
		attempts, err := d.Attempts(t.Context(), created.ID, 10)
		return err == nil && len(attempts) == 1 && attempts[0].Status == 202 && attempts[0].Class == delivery.ClassOK
	})
}

func TestHugeBodiesAreCutOff(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, r *http.Request, _ received) int {
		w.WriteHeader(http.StatusOK)
		chunk := []byte(strings.Repeat("x", 1<<16))
		for range 1024 { // 64 MB
			if _, err := w.Write(chunk); err != nil || r.Context().Err() != nil {
				return 0
			}
		}
		t.Error("all of a huge body was read")
		return 0
	})
	p := newPlatform(t)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "an attempt", func() bool {
		attempts, err := d.Attempts(t.Context(), created.ID, 10)
		return err == nil && len(attempts) == 1 && attempts[0].Class == delivery.ClassOK
	})
}

func TestRetryAfterHoldsTheWholeEndpoint(t *testing.T) {
	t.Parallel()
	var limitedAt atomic.Int64
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ received) int {
		now := time.Now()
		if limitedAt.CompareAndSwap(0, now.UnixNano()) {
			w.Header().Set("Retry-After", "1")
			return http.StatusTooManyRequests
		}
		if waited := now.Sub(time.Unix(0, limitedAt.Load())); waited < 900*time.Millisecond {
			t.Errorf("the next attempt came after %s", waited)
		}
		return 200
	})
	p := newPlatform(t)
	p.config.InFlight = 1
	p.endpoint(r.URL, "*")
	p.start()
	for i := range 4 {
		p.append(fmt.Sprint("o", i), eventstore.NoStream, placed{})
	}
	eventually(t, "all deliveries", func() bool { return r.count() == 4 })
}

func TestAReceiverThatIsGoneIsDisabledAndMissesNothing(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	gone.Store(true)
	r := newReceiver(t, func(http.ResponseWriter, *http.Request, received) int {
		if gone.Load() {
			return http.StatusGone
		}
		return 200
	})
	p := newPlatform(t)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "the endpoint disabled", func() bool {
		e, err := d.Endpoints.Get(t.Context(), created.ID)
		return err == nil && e.Status == endpoint.StatusDisabled && e.DisabledReason == endpoint.ReasonGone
	})
	eventually(t, "the list", func() bool {
		list, err := d.Endpoints.List(t.Context())
		return err == nil && len(list) == 1 && list[0].Status == endpoint.StatusDisabled
	})
	p.append("o1", 0, noted{1})
	p.append("o2", eventstore.NoStream, placed{})
	gone.Store(false)
	requests := len(r.all())
	pause := time.NewTimer(150 * time.Millisecond)
	<-pause.C
	if now := len(r.all()); now != requests {
		t.Errorf("%d requests to a disabled endpoint", now-requests)
	}
	if err := d.Endpoints.Enable(t.Context(), created.ID, meta()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all deliveries", func() bool { return r.count() == 3 })
}

func TestAnEndpointThatIsDownMissesNothing(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	p := newPlatform(t)
	created := p.endpoint("http://"+address+"/", "*")
	d := p.start()
	want := map[string][]string{}
	for i := range 300 {
		order := fmt.Sprint("o", i%100)
		want[order] = append(want[order], p.append(order, eventstore.Revision(i/100-1), noted{i})...)
	}
	eventually(t, "the breaker", func() bool {
		s, err := d.Status(t.Context(), created.ID)
		return err == nil && s.Breaker != delivery.Closed
	})
	status, err := d.Status(t.Context(), created.ID)
	if err != nil || status.Parked > 40 || status.Dead > 0 {
		t.Errorf("down: %+v, %v", status, err)
	}
	r := &receiver{tb: t}
	r.Server = httptest.NewUnstartedServer(r)
	if err := r.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	if r.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err != nil {
		t.Skipf("skipping: the port was taken meanwhile: %v", err)
	}
	r.Start()
	t.Cleanup(r.Close)
	eventually(t, "all deliveries", func() bool { return r.count() == 300 })
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestDeletingStopsWithinASecond(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(http.ResponseWriter, *http.Request, received) int { return 500 })
	p := newPlatform(t)
	p.config.Waits = slices.Repeat([]time.Duration{10 * time.Millisecond}, 1000)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "some attempts", func() bool { return len(r.all()) > 2 })
	if err := d.Endpoints.Delete(t.Context(), created.ID, meta()); err != nil {
		t.Fatal(err)
	}
	deleted := time.Now()
	eventually(t, "the cursor gone", func() bool { _, err := d.Status(t.Context(), created.ID); return err != nil })
	time.Sleep(time.Until(deleted.Add(time.Second)))
	before := len(r.all())
	time.Sleep(200 * time.Millisecond)
	if after := len(r.all()); after != before {
		t.Errorf("%d requests after a second", after-before)
	}
}

// TestAURLIsJudgedAgainBeforeAnythingIsSent: what was allowed when it was saved
// may not be by now, whatever the connection is like.
func TestAURLIsJudgedAgainBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "*") // of a scheme, and at a port, for development only
	p.policy = address.Policy{}
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	if a := attemptsAt(t, d, created.ID, 1); a[0].Class != delivery.ClassBlocked || r.count() > 0 {
		t.Errorf("attempt %+v, %d requests", a[0], r.count())
	}
}

func TestPrivateAddressesAreBlockedWhenDialled(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	p := newPlatform(t)
	p.guard = guard.Config{} // strict, while endpoints may be created anywhere
	created := p.endpoint(strings.Replace(r.URL, "127.0.0.1", "localhost", 1), "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "a blocked attempt", func() bool {
		attempts, err := d.Attempts(context.WithoutCancel(t.Context()), created.ID, 10)
		return err == nil && len(attempts) > 0 && attempts[0].Class == delivery.ClassBlocked
	})
	if n := len(r.all()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

func TestTheEventStoreMayGoAway(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{Dir: t.TempDir()})
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if m.Sequence == 1 && m.Header.Get("Webhook-Attempt") == "1" {
			return 500 // to have it read again while the store is away
		}
		return 200
	})
	p := newPlatform(t)
	p.log = connect(t, node.ConnectionString())
	p.endpoint(r.URL, "*")
	p.start()
	want := map[string][]string{"o1": p.append("o1", eventstore.NoStream, placed{}, noted{1})}
	eventually(t, "an attempt", func() bool { return len(r.all()) > 0 })
	node.Stop()
	time.Sleep(300 * time.Millisecond)
	node.Restart()
	eventually(t, "an append", func() bool {
		_, err := p.log.Append(t.Context(), "order-o2", eventstore.NoStream, eventstore.NewEvent{
			ID: eventstore.EventID("order-o2", "test", 0), Event: placed{}, Metadata: meta(),
		})
		return err == nil
	})
	want["o2"] = []string{eventstore.EventID("order-o2", "test", 0).String()}
	eventually(t, "all deliveries", func() bool { return r.count() == 3 })
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}
