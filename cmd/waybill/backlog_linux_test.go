package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// TestTheBacklogHasAProcessOfItsOwn lets an endpoint miss many events, and kills
// the process that works them off, and then the one that has started it.
func TestTheBacklogHasAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	node := freeAddr(t)
	b := &backlogged{t: t, partner: startPartner(t), platform: &restarting{
		t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--node-addr", node, "--roles", "api,projections,webhooks", "--webhooks-breaker-waits", "100ms"},
	}}
	b.platform.start(ctx)
	t.Cleanup(func() { b.platform.stop() })
	b.miss(ctx, openLog(t, node), 3000, 10)

	b.up.Store(true)
	first := b.process(ctx, "")
	b.yields(ctx, first)
	b.counts(ctx)
	b.kill(first)
	second := b.process(ctx, first)
	b.platform.kill()
	eventually(ctx, t, 20*time.Second, func() error { return ended(second) })
	if b.partner.received() >= b.events {
		t.Fatal("everything was delivered before the platform was killed")
	}
	b.platform.start(ctx)
	eventually(ctx, t, 2*time.Minute, func() error {
		if n := b.partner.received(); n < b.events {
			return fmt.Errorf("%d of %d messages came", n, b.events)
		}
		return nil
	})
	b.partner.mu.Lock()
	defer b.partner.mu.Unlock()
	if len(b.partner.faults) > 0 {
		t.Errorf("%d faults, the first: %s", len(b.partner.faults), b.partner.faults[0])
	}
	const kills, unsaved = 2, 256
	if b.partner.repeats > kills*unsaved {
		t.Errorf("%d messages were repeated, %d are the most after %d kills", b.partner.repeats, kills*unsaved, kills)
	}
	t.Logf("%d events, %d repeated by %d kills", b.events, b.partner.repeats, kills)
}

// backlogged is a platform with a partner that is down at first.
type backlogged struct {
	t        *testing.T
	platform *restarting
	partner  *partner
	up       atomic.Bool
	events   int
}

// miss records events while the partner is down.
func (b *backlogged) miss(ctx context.Context, store eventstore.Store, streams, each int) {
	b.t.Helper()
	receive := b.partner.server.Config.Handler
	b.partner.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		time.Sleep(5 * time.Millisecond)
		receive.ServeHTTP(w, r)
	}))
	b.t.Cleanup(b.partner.server.Close)
	b.partner.subscribe(ctx, b.platform.api())
	b.record(ctx, store, streams, each)
}

// record appends events of many orders.
func (b *backlogged) record(ctx context.Context, store eventstore.Store, streams, each int) {
	b.t.Helper()
	var group errgroup.Group
	group.SetLimit(32)
	for n := range streams {
		group.Go(func() error {
			id := fmt.Sprint("missed-", n)
			stream, events := "order-"+id, make([]eventstore.NewEvent, each)
			for i := range events {
				var event domain.Event = order.OrderHeld{OrderID: id, HoldID: strconv.Itoa(i), Reason: order.HoldManual}
				if i == 0 {
					event = placedOrder(id)
				}
				events[i] = eventstore.NewEvent{ID: eventstore.EventID(stream, "test", i), Event: event}
			}
			_, err := store.Append(ctx, stream, eventstore.NoStream, events...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.t.Fatal(err)
	}
	b.events += streams * each
}

func placedOrder(id string) domain.Event {
	eur := func(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }
	return order.OrderPlaced{
		OrderID: id, Number: id, CheckoutID: "checkout-" + id, ShipToCountry: "DE", Currency: "EUR", PaymentID: "payment-" + id, Authorised: eur(100), Channel: "web", PlacedAt: time.Now(),
		Lines: []order.Line{{LineID: "l1", SKU: "MUG", Title: "A mug", Quantity: 1, UnitPrice: eur(100), Total: eur(100), Discount: eur(0), Tax: eur(0), Location: "main", ReservationID: "reservation-" + id}},
	}
}

// process waits for the process that works off the past, if it is another one
// than before.
func (b *backlogged) process(ctx context.Context, before string) (pid string) {
	b.t.Helper()
	eventually(ctx, b.t, 20*time.Second, func() error {
		for _, pid = range b.platform.now.Children() {
			command, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
			if pid != before && strings.HasSuffix(string(command), "\x00backlog\x00") {
				return nil
			}
		}
		return fmt.Errorf("there is no such process: %s", b.platform.output())
	})
	return pid
}

// yields sees that every thread of a process waits for all others.
func (b *backlogged) yields(ctx context.Context, pid string) {
	b.t.Helper()
	eventually(ctx, b.t, 10*time.Second, func() error {
		threads, err := os.ReadDir(filepath.Join("/proc", pid, "task"))
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name())
			attr, err := unix.SchedGetAttr(id, 0)
			if err == nil && attr.Policy != unix.SCHED_IDLE {
				return fmt.Errorf("thread %d has policy %d", id, attr.Policy)
			}
		}
		return err
	})
}

// counts waits until what the process sends is among the platform's metrics.
func (b *backlogged) counts(ctx context.Context) {
	b.t.Helper()
	const want = `webhook_attempts_total{class="ok",process="backlog"} `
	eventually(ctx, b.t, 20*time.Second, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.platform.now.BaseURL()+"/metrics", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+bench.AdminKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if _, after, ok := strings.Cut(string(text), want); err == nil && (!ok || strings.HasPrefix(after, "0\n")) {
			return errors.New("no attempts of the process are counted")
		}
		return err
	})
}

func (b *backlogged) kill(pid string) {
	b.t.Helper()
	id, err := strconv.Atoi(pid)
	if err == nil {
		err = syscall.Kill(id, syscall.SIGKILL)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// ended says whether a process is over, whoever collects what is left of it.
func ended(pid string) error {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat")) //nolint:gosec // of a process of this test
	if _, state, ok := strings.Cut(string(text), ") "); err == nil && ok && state[0] != 'Z' {
		return fmt.Errorf("process %s still runs", pid)
	}
	return nil
}
