package stock_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
)

// measured is a store that knows how big its appends are.
type measured struct {
	eventstore.Store
	mu            sync.Mutex
	events, bytes int // of the biggest append
}

func (m *measured) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	bytes := 0
	for _, e := range events {
		data, _ := json.Marshal(e.Event)
		metadata, _ := json.Marshal(e.Metadata)
		bytes += len(data) + len(metadata)
	}
	m.mu.Lock()
	m.events, m.bytes = max(m.events, len(events)), max(m.bytes, bytes)
	m.mu.Unlock()
	return m.Store.Append(ctx, stream, expected, events...)
}

// However many reservations have expired, they make room for the next one, in
// appends of 256 events at most.
func TestACrowdOfExpiredReservationsMakesRoom(t *testing.T) {
	t.Parallel()
	store := &measured{Store: handlertest.Start(t)}
	w := newWriter(t, stock.Config{Store: store})
	receive(t, w, 1_200, "delivery")
	var wg sync.WaitGroup
	for i := range 1_200 {
		wg.Go(func() {
			id := fmt.Sprint("gone ", i)
			handle(t, w, id, reserve(id))
		})
	}
	wg.Wait()
	big := reserve("big")
	big.Quantity, big.At, big.ExpiresAt = 1_200, noon.Add(2*time.Hour), noon.Add(3*time.Hour)
	if receipt := handle(t, w, "big", big); receipt.State.Reserved != 1_200 {
		t.Errorf("%d reserved, want 1,200", receipt.State.Reserved)
	}
	more := big
	more.ReservationID, more.Quantity = "more", 1
	if _, err := w.Handle(t.Context(), meta("more"), item, more); !errors.Is(err, domainstock.ErrOutOfStock) {
		t.Errorf("error = %v, want %v", err, domainstock.ErrOutOfStock)
	}
	if store.events > 256 || store.events < 250 {
		t.Errorf("the biggest append has %d events", store.events)
	}
	// A commitment of one that expired finds its units gone.
	commit := domainstock.Commit{ReservationID: "gone 7", OrderID: "o", At: big.At}
	if _, err := w.Handle(t.Context(), meta("commit"), item, commit); !errors.Is(err, domainstock.ErrExpired) {
		t.Errorf("error = %v, want %v", err, domainstock.ErrExpired)
	}
}

// Commands with much text go in several appends of at most 512 KB.
func TestAnAppendHasABound(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	receive(t, newWriter(t, stock.Config{Store: client}), 1_000, "delivery")
	store := &measured{Store: client}
	g := newGate(store)
	w := newWriter(t, stock.Config{Store: g})
	first := begin(t.Context(), w, "first")
	<-g.waiting
	var results []<-chan error
	for i := range 200 {
		results = append(results, begin(t.Context(), w, fmt.Sprint(i, strings.Repeat("x", 3_000))))
	}
	for w.Stats().Waiting < 200 {
		time.Sleep(time.Millisecond)
	}
	close(g.open)
	for _, r := range append(results, first) {
		if err := <-r; err != nil {
			t.Fatal(err)
		}
	}
	if store.bytes > 512<<10 || store.bytes < 256<<10 {
		t.Errorf("the biggest append has %d bytes", store.bytes)
	}
	if s := load(t, client); s.Reserved != 201 {
		t.Errorf("%d reserved, want 201", s.Reserved)
	}
}

// Who comes when all is sold is told so at once, while an append is under way.
func TestSoldOutDoesNotWait(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	now := noon
	g := newGate(client)
	w := newWriter(t, stock.Config{Store: g, Now: func() time.Time { return now }})
	close(g.open)
	receive(t, w, 1, "delivery")
	handle(t, w, "r", reserve("r"))
	for range 2 {
		<-g.waiting
	}
	g.open = make(chan struct{})
	command := domainstock.Release{ReservationID: "r", Reason: domainstock.Declined}
	released := make(chan error, 1)
	go func() {
		_, err := w.Handle(t.Context(), meta("release"), item, command)
		released <- err
	}()
	<-g.waiting
	receipt, err := w.Handle(t.Context(), meta("late"), item, reserve("late"))
	if !errors.Is(err, domainstock.ErrOutOfStock) || receipt.Batch != 0 || receipt.Revision != 2 {
		t.Errorf("error = %v at revision %d in a batch of %d, want %v at 2 in none", err, receipt.Revision, receipt.Batch, domainstock.ErrOutOfStock)
	}
	if s := w.Stats(); s.Refused != 1 || s.Waiting != 0 {
		t.Errorf("%d refused, %d waiting; want 1, 0", s.Refused, s.Waiting)
	}
	close(g.open)
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	handle(t, w, "late", reserve("late"))
}

// A command whose time ended while the item was read is not decided.
func TestALateCommandIsDroppedAfterALongRead(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	receive(t, newWriter(t, stock.Config{Store: client}), 5, "delivery")
	store := &watched{Store: client, hold: make(chan struct{})}
	w := newWriter(t, stock.Config{Store: store})
	ctx, cancel := context.WithCancel(t.Context())
	gone := begin(ctx, w, "gone")
	for len(store.from()) == 0 {
		time.Sleep(time.Millisecond)
	}
	stays := begin(t.Context(), w, "stays") // waits behind it
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want canceled", err)
	}
	close(store.hold)
	if err := <-stays; err != nil {
		t.Fatal(err)
	}
	if n := w.Stats().Dropped; n != 1 {
		t.Errorf("%d commands are dropped, want 1", n)
	}
	if s := load(t, client); s.Reserved != 1 {
		t.Errorf("%d reserved, want 1", s.Reserved)
	}
}

// What an item has forgotten is looked up in its log, once.
func TestWhatIsForgottenIsLookedUp(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	w := newWriter(t, stock.Config{Store: client})
	receive(t, w, 5_000, "delivery")
	over := func(id string, reason domainstock.Reason) {
		handle(t, w, id+" released", domainstock.Release{ReservationID: id, Reason: reason})
	}
	undo := func(id string, reason domainstock.Reason) {
		handle(t, w, id, reserve(id))
		over(id, reason)
	}
	undo("undone", domainstock.Compensation)
	undo("expired", domainstock.Expired)
	var wg sync.WaitGroup
	for i := range domainstock.Remembered + 300 {
		wg.Go(func() { handle(t, w, fmt.Sprint("later ", i), reserve(fmt.Sprint("later ", i))) })
		wg.Go(func() { handle(t, w, fmt.Sprint("expired later ", i), reserve(fmt.Sprint("expired later ", i))) })
	}
	wg.Wait()
	for i := range domainstock.Remembered + 300 {
		wg.Go(func() { over(fmt.Sprint("later ", i), domainstock.Declined) })
		wg.Go(func() { over(fmt.Sprint("expired later ", i), domainstock.Expired) })
	}
	wg.Wait()
	if s := load(t, client); s.Size() > 2*domainstock.Remembered+1 {
		t.Fatalf("%d things are remembered", s.Size())
	}
	if n := w.Stats().Lookups; n != 0 {
		t.Fatalf("%d lookups for what is not forgotten", n)
	}
	if _, err := w.Handle(t.Context(), meta("undone"), item, reserve("undone")); !errors.Is(err, domainstock.ErrConflict) {
		t.Errorf("error = %v, want %v", err, domainstock.ErrConflict)
	}
	receipt := handle(t, w, "commit", domainstock.Commit{ReservationID: "expired", OrderID: "o", At: noon})
	if receipt.State.Committed != 1 {
		t.Errorf("%d committed, want 1", receipt.State.Committed)
	}
	handle(t, w, "commit", domainstock.Commit{ReservationID: "expired", OrderID: "o", At: noon})
	if n := w.Stats().Lookups; n != 2 {
		t.Errorf("%d lookups, want 2", n)
	}
}

// A lane goes away when nobody asks for its item, and comes back.
func TestAnIdleLaneGoesAway(t *testing.T) {
	t.Parallel()
	w := newWriter(t, stock.Config{Store: handlertest.Start(t), Idle: 20 * time.Millisecond})
	for round := range 2 {
		receive(t, w, 5, fmt.Sprint("delivery ", round))
		if n := w.Stats().Lanes; n != 1 {
			t.Errorf("%d lanes, want 1", n)
		}
		for i := 0; w.Stats().Lanes > 0; i++ {
			if i == 1000 {
				t.Fatal("the lane stays")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func TestBatchesAreCounted(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var batches []stock.Batch
	store := handlertest.Start(t)
	w := newWriter(t, stock.Config{Store: store, OnBatch: func(b stock.Batch) {
		mu.Lock()
		defer mu.Unlock()
		batches = append(batches, b)
	}})
	receive(t, w, 1, "delivery")
	receive(t, newWriter(t, stock.Config{Store: store}), 1, "another process's")
	handle(t, w, "a", reserve("a"))
	handle(t, w, "b", reserve("b"))
	if _, err := w.Handle(t.Context(), meta("c"), item, reserve("c")); !errors.Is(err, domainstock.ErrOutOfStock) {
		t.Fatal(err)
	}
	s := w.Stats()
	if s.Events != 4 || s.Conflicts != 1 || s.Refused != 1 || s.Lanes != 1 || s.Waiting != 0 || s.Commands < 3 || s.Batches != s.Commands {
		t.Errorf("stats are %+v", s)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(batches) < 3 || batches[1].Conflicts != 1 || batches[0].Events != 2 || batches[0].Item != item {
		t.Errorf("batches are %+v", batches)
	}
}

// A command that causes several events does not make an append bigger.
func TestABatchCountsEvents(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	prepared := newWriter(t, stock.Config{Store: client})
	receive(t, prepared, 100, "delivery")
	for i := range 20 {
		id := fmt.Sprint(i)
		handle(t, prepared, id, reserve(id))
		handle(t, prepared, id+" expired", domainstock.Release{ReservationID: id, Reason: domainstock.Expired})
	}
	store := &measured{Store: client}
	g := newGate(store)
	w := newWriter(t, stock.Config{Store: g, Batch: 5})
	first := begin(t.Context(), w, "first")
	<-g.waiting
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			handle(t, w, id+" commit", domainstock.Commit{ReservationID: id, OrderID: id, At: noon})
		})
	}
	for w.Stats().Waiting < 20 {
		time.Sleep(time.Millisecond)
	}
	close(g.open)
	wg.Wait()
	if err := <-first; err != nil || store.events != 4 {
		t.Errorf("the biggest append has %d events, want 4; %v", store.events, err)
	}
	if s := load(t, client); s.Committed != 20 {
		t.Errorf("%d committed, want 20", s.Committed)
	}
}
