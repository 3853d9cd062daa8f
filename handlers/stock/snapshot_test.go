package stock_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

const (
	itemStream     = "stock-main.MUG-1"
	snapshotStream = "stocksnap-main.MUG-1"
)

// watched is a store that tells where items are read from, and may fail.
type watched struct {
	eventstore.Store
	mu      sync.Mutex
	reads   []eventstore.Revision
	breakAt int           // events of a read before it breaks; 0 is never
	refuse  atomic.Bool   // appends are refused
	hide    atomic.Bool   // appends are written, and their answer is lost
	silent  atomic.Bool   // reads send nothing
	hold    chan struct{} // reads wait for its end; nil is for nothing
}

func (w *watched) ReadStream(ctx context.Context, stream string, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	if stream != itemStream {
		return w.Store.ReadStream(ctx, stream, from)
	}
	w.mu.Lock()
	w.reads = append(w.reads, from)
	breakAt := w.breakAt
	w.mu.Unlock()
	return func(yield func(eventstore.Recorded, error) bool) {
		if w.hold != nil {
			<-w.hold
		}
		if w.silent.Load() {
			<-ctx.Done()
			yield(eventstore.Recorded{}, errors.Join(eventstore.ErrUnavailable, context.Cause(ctx)))
			return
		}
		n := 0
		for r, err := range w.Store.ReadStream(ctx, stream, from) {
			if n++; breakAt > 0 && n > breakAt {
				yield(eventstore.Recorded{}, fmt.Errorf("broken: %w", eventstore.ErrUnavailable))
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (w *watched) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if w.refuse.Load() {
		return eventstore.Appended{}, fmt.Errorf("away: %w", eventstore.ErrUnavailable)
	}
	done, err := w.Store.Append(ctx, stream, expected, events...)
	if err == nil && w.hide.Load() {
		return eventstore.Appended{}, fmt.Errorf("answer lost: %w", eventstore.ErrUnavailable)
	}
	return done, err
}

// from returns where the item was read from, and forgets it.
func (w *watched) from() []eventstore.Revision {
	w.mu.Lock()
	defer w.mu.Unlock()
	reads := w.reads
	w.reads = nil
	return reads
}

// sell makes and releases reservations, one event each and one append for
// both.
func sell(tb testing.TB, w *stock.Writer, from, to int) {
	tb.Helper()
	for i := from; i < to; i++ {
		id := fmt.Sprint("sold ", i)
		handle(tb, w, id, reserve(id))
		handle(tb, w, id+" released", domainstock.Release{ReservationID: id, Reason: domainstock.Declined})
	}
}

func handle(tb testing.TB, w *stock.Writer, id string, command domainstock.Command) stock.Receipt {
	tb.Helper()
	receipt, err := w.Handle(tb.Context(), meta(id), item, command)
	if err != nil {
		tb.Fatal(err)
	}
	return receipt
}

// snapshots hears of snapshots.
func snapshots() (func(stock.Item, error), <-chan error) {
	heard := make(chan error, 10_000)
	return func(_ stock.Item, err error) { heard <- err }, heard
}

func written(tb testing.TB, heard <-chan error) {
	tb.Helper()
	select {
	case err := <-heard:
		if err != nil {
			tb.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		tb.Fatal("no snapshot is written")
	}
}

func all(tb testing.TB, store eventstore.Store, stream string) []eventstore.Recorded {
	tb.Helper()
	var events []eventstore.Recorded
	for r, err := range store.ReadStream(tb.Context(), stream, 0) {
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, r)
	}
	return events
}

// A long item is read from its last snapshot, of which there is one.
func TestALongItemIsReadFromItsSnapshot(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	hear, heard := snapshots()
	one := newWriter(t, stock.Config{Store: client, Retain: client.Retain, Every: 100, OnSnapshot: hear})
	receive(t, one, 5, "delivery")
	sell(t, one, 0, 60)
	written(t, heard)
	sell(t, one, 60, 120)
	written(t, heard)
	kept := all(t, client, snapshotStream)
	if len(kept) != 1 || kept[0].Revision < 1 {
		t.Fatalf("%d snapshots are kept, want the last one", len(kept))
	}
	handle(t, one, "last", reserve("last"))
	if n := one.Stats().Snapshots; n != 2 {
		t.Errorf("%d snapshots are written, want one each 100 events", n)
	}

	store := &watched{Store: client}
	two := newWriter(t, stock.Config{Store: store, Retain: client.Retain, Every: 100})
	receipt := handle(t, two, "more", reserve("more"))
	whole := load(t, client)
	if from := store.from(); len(from) != 1 || from[0] < 100 {
		t.Errorf("the item was read from %v, want from its snapshot", from)
	}
	if receipt.State.Reserved != 2 || whole.Reserved != 2 || receipt.State.Size() != whole.Size() {
		t.Errorf("%d reserved and %d remembered, by the whole log %d and %d",
			receipt.State.Reserved, receipt.State.Size(), whole.Reserved, whole.Size())
	}
	// What is over is remembered: a repeat of it changes nothing.
	if _, err := two.Handle(t.Context(), meta("again"), item, reserve("sold 3")); !errors.Is(err, domainstock.ErrConflict) {
		t.Errorf("error = %v, want %v", err, domainstock.ErrConflict)
	}
}

// Whatever stands in the stream of snapshots, the log is right.
func TestASnapshotIsNeverTrustedOverTheLog(t *testing.T) {
	t.Parallel()
	rows := map[string]func(t *testing.T, s domainstock.StockSnapshotTaken, state domainstock.State) domainstock.StockSnapshotTaken{
		"one of another format": func(_ *testing.T, s domainstock.StockSnapshotTaken, _ domainstock.State) domainstock.StockSnapshotTaken {
			s.Format++
			return s
		},
		"a damaged one": func(_ *testing.T, s domainstock.StockSnapshotTaken, _ domainstock.State) domainstock.StockSnapshotTaken {
			s.State = slices.Clone(s.State)
			s.State[len(s.State)/2] ^= 4
			return s
		},
		"one of another log": func(t *testing.T, s domainstock.StockSnapshotTaken, state domainstock.State) domainstock.StockSnapshotTaken {
			t.Helper()
			return rewritten(t, state, s.Revision, "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
		},
		"one that is ahead of the log": func(t *testing.T, s domainstock.StockSnapshotTaken, state domainstock.State) domainstock.StockSnapshotTaken {
			t.Helper()
			return rewritten(t, state, s.Revision+1000, s.EventID)
		},
		"one without an event": func(t *testing.T, s domainstock.StockSnapshotTaken, state domainstock.State) domainstock.StockSnapshotTaken {
			t.Helper()
			return rewritten(t, state, -5, "none")
		},
	}
	for name, change := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := handlertest.Start(t)
			hear, heard := snapshots()
			one := newWriter(t, stock.Config{Store: client, Retain: client.Retain, Every: 10, OnSnapshot: hear})
			receive(t, one, 5, "delivery")
			sell(t, one, 0, 6)
			written(t, heard)
			last, err := all(t, client, snapshotStream)[0].Decode()
			if err != nil {
				t.Fatal(err)
			}
			// The snapshot claims units there never were.
			lie := domainstock.Decider.Fold(load(t, client), domainstock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 1_000, Ref: "lie"})
			append1(t, client, change(t, last.(domainstock.StockSnapshotTaken), lie))

			hear, heard = snapshots()
			two := newWriter(t, stock.Config{Store: client, Retain: client.Retain, Every: 10, OnSnapshot: hear})
			receipt := handle(t, two, "r", reserve("r"))
			if receipt.State.OnHand != 5 || receipt.State.Reserved != 1 {
				t.Errorf("%d on hand, %d reserved; want 5, 1", receipt.State.OnHand, receipt.State.Reserved)
			}
			if err := <-heard; err == nil {
				t.Error("nobody hears that the snapshot is of no use")
			}
			written(t, heard) // the next one replaces it
			if kept := all(t, client, snapshotStream); len(kept) != 1 {
				t.Errorf("%d snapshots are kept", len(kept))
			}
		})
	}
}

func rewritten(t *testing.T, state domainstock.State, revision int64, id string) domainstock.StockSnapshotTaken {
	t.Helper()
	s, err := domainstock.NewSnapshot(state, revision, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func append1(t *testing.T, store eventstore.Store, s domainstock.StockSnapshotTaken) {
	t.Helper()
	_, err := store.Append(t.Context(), snapshotStream, eventstore.Any, eventstore.NewEvent{
		ID: eventstore.EventID(snapshotStream, t.Name(), 0), Event: s,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// crash loses snapshots, or everything after a snapshot was written.
type crash struct {
	*watched
	before, after bool // the snapshot is lost; the process ends right behind it
	dead          atomic.Bool
}

func (c *crash) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	snapshot := strings.HasPrefix(stream, "stocksnap-")
	if c.dead.Load() || snapshot && c.before {
		c.dead.Store(true)
		return eventstore.Appended{}, fmt.Errorf("killed: %w", eventstore.ErrUnavailable)
	}
	done, err := c.watched.Append(ctx, stream, expected, events...)
	if snapshot && c.after {
		c.dead.Store(true)
	}
	return done, err
}

// A process that ends between the append of events and that of their snapshot,
// or between a snapshot and the next events, loses nothing that was answered,
// and invents nothing.
func TestKilledAroundASnapshot(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"before it is written": true, "after it was written": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := handlertest.Start(t)
			answered := map[string]bool{}
			for life := range 6 {
				store := &crash{watched: &watched{Store: client}, before: before, after: !before}
				w := newWriter(t, stock.Config{Store: store, Retain: client.Retain, Every: 7})
				for i := 0; !store.dead.Load() && i < 500; i++ {
					id := fmt.Sprint(life, " ", i)
					command := domainstock.Receive{Location: "main", SKU: "MUG-1", Quantity: 1, Ref: id}
					if _, err := w.Handle(t.Context(), meta(id), item, command); err == nil {
						answered[id] = true
					}
				}
				if !store.dead.Load() {
					t.Fatal("the process was not killed")
				}
			}
			fresh := newWriter(t, stock.Config{Store: client, Retain: client.Retain, Every: 7})
			receipt := handle(t, fresh, "r", reserve("r"))
			whole := load(t, client)
			if receipt.State.OnHand != whole.OnHand || whole.OnHand < len(answered) {
				t.Errorf("%d on hand by the snapshot, %d by the log, %d answered", receipt.State.OnHand, whole.OnHand, len(answered))
			}
			for id := range answered {
				if before := handle(t, fresh, id, domainstock.Receive{Location: "main", SKU: "MUG-1", Quantity: 1, Ref: id}); before.State.OnHand != whole.OnHand {
					t.Fatalf("delivery %s counts twice", id)
				}
			}
		})
	}
}

// A store that fails, or loses its answer, does not make the writer read the
// item again.
func TestAFailureKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	store := &watched{Store: client}
	w := newWriter(t, stock.Config{Store: store})
	receive(t, w, 50, "delivery")
	sell(t, w, 0, 20)
	store.from()
	store.refuse.Store(true)
	if _, err := w.Handle(t.Context(), meta("a"), item, reserve("a")); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("error = %v, want unavailable", err)
	}
	store.refuse.Store(false)
	handle(t, w, "a", reserve("a"))
	if from := store.from(); len(from) != 0 {
		t.Errorf("after a refused append the item is read from %v", from)
	}
	store.hide.Store(true)
	if _, err := w.Handle(t.Context(), meta("b"), item, reserve("b")); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("error = %v, want unavailable", err)
	}
	store.hide.Store(false)
	handle(t, w, "c", reserve("c"))
	handle(t, w, "b", reserve("b"))
	if from := store.from(); len(from) != 1 || from[0] < 40 {
		t.Errorf("after a lost answer the item is read from %v, want its tail", from)
	}
	if s := load(t, client); s.Reserved != 3 {
		t.Errorf("%d reserved, want 3", s.Reserved)
	}
}

// A read that breaks is gone on with, so that an item of any length is read in
// the end.
func TestALongReadGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	one := newWriter(t, stock.Config{Store: client})
	receive(t, one, 50, "delivery")
	sell(t, one, 0, 50)
	store := &watched{Store: client, breakAt: 30}
	two := newWriter(t, stock.Config{Store: store})
	failures := 0
	for ; failures < 10; failures++ {
		if _, err := two.Handle(t.Context(), meta("r"), item, reserve("r")); err == nil {
			break
		}
	}
	if from := store.from(); failures != 3 || !slices.Equal(from, []eventstore.Revision{0, 29, 58, 87}) {
		t.Errorf("after %d failures the item was read from %v", failures, from)
	}
	if s := load(t, client); s.Reserved != 1 {
		t.Errorf("%d reserved, want 1", s.Reserved)
	}
}

func TestASilentStoreIsGivenUp(t *testing.T) {
	t.Parallel()
	store := &watched{Store: handlertest.Start(t)}
	store.silent.Store(true)
	w := newWriter(t, stock.Config{Store: store, Timeout: 20 * time.Millisecond})
	if _, err := w.Handle(t.Context(), meta("r"), item, reserve("r")); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("error = %v, want unavailable", err)
	}
}

// Two processes with snapshots sell 50 units to 200 buyers, over and over.
func TestTwoProcessesWithSnapshotsSellNothingTwice(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{})
	var writers [2]*stock.Writer
	var clients [2]*eventstore.Client
	for i := range writers {
		clients[i] = handlertest.Connect(t, node.ConnectionString())
		writers[i] = newWriter(t, stock.Config{Store: clients[i], Retain: clients[i].Retain, Every: 10})
	}
	receive(t, writers[0], 50, "delivery")
	var sold, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			id := fmt.Sprint("buyer ", i)
			_, err := writers[i%2].Handle(t.Context(), meta(id), item, reserve(id))
			switch {
			case err == nil:
				sold.Add(1)
				commit := domainstock.Commit{ReservationID: id, OrderID: id, At: noon}
				if _, err := writers[(i+1)%2].Handle(t.Context(), meta(id+" commit"), item, commit); err != nil {
					t.Error(err)
				}
			case errors.Is(err, domainstock.ErrOutOfStock):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fresh := newWriter(t, stock.Config{Store: clients[0], Retain: clients[0].Retain})
	_, err := fresh.Handle(t.Context(), meta("late"), item, reserve("late"))
	state := load(t, clients[0])
	if sold.Load() != 50 || refused.Load() != 150 || state.Committed != 50 || !errors.Is(err, domainstock.ErrOutOfStock) {
		t.Errorf("%d sold, %d refused, %d committed, the next: %v; want 50, 150, 50, out of stock",
			sold.Load(), refused.Load(), state.Committed, err)
	}
}
