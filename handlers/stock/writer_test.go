package stock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	item = stock.Item{Location: "main", SKU: "MUG-1"}
)

func newWriter(tb testing.TB, config stock.Config) *stock.Writer {
	tb.Helper()
	if config.Now == nil {
		config.Now = time.Now
	}
	w, err := stock.NewWriter(config)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func meta(id string) eventstore.Metadata { return eventstore.Metadata{CommandID: id} }

func receive(tb testing.TB, w *stock.Writer, quantity int, ref string) {
	tb.Helper()
	command := domainstock.Receive{Location: "main", SKU: "MUG-1", Quantity: quantity, Ref: ref}
	if _, err := w.Handle(tb.Context(), meta(ref), item, command); err != nil {
		tb.Fatal(err)
	}
}

func reserve(id string) domainstock.Reserve {
	return domainstock.Reserve{
		Location: "main", SKU: "MUG-1", ReservationID: id, CheckoutID: id, Quantity: 1, ExpiresAt: noon.Add(time.Hour), At: noon,
	}
}

func load(tb testing.TB, store eventstore.Store) domainstock.State {
	tb.Helper()
	state, _, err := eventstore.Load(tb.Context(), store, domainstock.Decider, "main.MUG-1")
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

// Two processes sell 50 units to 200 buyers: exactly 50 get one.
func TestNeverMoreIsSoldThanThereIs(t *testing.T) {
	t.Parallel()
	address := nodetest.Start(t)
	stores := []*eventstore.Client{handlertest.Connect(t, address), handlertest.Connect(t, address)}
	writers := []*stock.Writer{newWriter(t, stock.Config{Store: stores[0]}), newWriter(t, stock.Config{Store: stores[1]})}
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
			case errors.Is(err, domainstock.ErrOutOfStock):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if state := load(t, stores[0]); sold.Load() != 50 || refused.Load() != 150 || state.Reserved != 50 {
		t.Errorf("%d sold, %d refused, %d reserved; want 50, 150, 50", sold.Load(), refused.Load(), state.Reserved)
	}
}

func TestARepeatedCommandIsHarmless(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	for range 2 {
		w := newWriter(t, stock.Config{Store: store})
		receive(t, w, 5, "delivery")
		for range 2 {
			receipt, err := w.Handle(t.Context(), meta("r"), item, reserve("r"))
			if err != nil || receipt.State.Available() != 4 || receipt.Revision != 2 {
				t.Fatalf("got %d available at revision %d, %v; want 4 at 2", receipt.State.Available(), receipt.Revision, err)
			}
		}
	}
}

// What another process received is seen before anybody is refused for good.
func TestARefusalIsCheckedAgainstTheLog(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	var passed atomic.Int64
	one := newWriter(t, stock.Config{Store: store, Now: func() time.Time { return noon.Add(time.Duration(passed.Load())) }})
	if _, err := one.Handle(t.Context(), meta("a"), item, reserve("a")); !errors.Is(err, domainstock.ErrOutOfStock) {
		t.Fatalf("got %v, want out of stock", err)
	}
	receive(t, newWriter(t, stock.Config{Store: store}), 5, "delivery")
	passed.Add(int64(time.Second))
	if _, err := one.Handle(t.Context(), meta("b"), item, reserve("b")); err != nil {
		t.Errorf("refused although five units came: %v", err)
	}
}

// gate is a store whose appends wait until it is opened, and may be lost.
type gate struct {
	eventstore.Store
	waiting chan struct{}
	open    chan struct{}
	lose    atomic.Bool
	appends atomic.Int64
}

func newGate(store eventstore.Store) *gate {
	return &gate{Store: store, waiting: make(chan struct{}, 1000), open: make(chan struct{})}
}

func (g *gate) Append(
	ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent,
) (eventstore.Appended, error) {
	g.waiting <- struct{}{}
	<-g.open
	g.appends.Add(1)
	done, err := g.Store.Append(ctx, stream, expected, events...)
	if g.lose.Load() {
		return eventstore.Appended{}, fmt.Errorf("answer lost: %w", eventstore.ErrUnavailable)
	}
	return done, err
}

// begin lets a command wait, and returns its result.
func begin(ctx context.Context, w *stock.Writer, id string) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := w.Handle(ctx, meta(id), item, reserve(id))
		result <- err
	}()
	return result
}

func TestWhatWaitsIsAppendedTogether(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	receive(t, newWriter(t, stock.Config{Store: store}), 500, "delivery")
	g := newGate(store)
	w := newWriter(t, stock.Config{Store: g, Queue: 100})
	first := begin(t.Context(), w, "first")
	<-g.waiting
	gone, cancel := context.WithCancel(t.Context())
	dropped := begin(gone, w, "dropped")
	for w.Stats().Waiting == 0 {
		time.Sleep(time.Millisecond)
	}
	answers := make(chan error)
	for i := range 150 {
		go func() { answers <- <-begin(t.Context(), w, fmt.Sprint(i)) }()
	}
	for range 51 { // the queue holds the dropped one and 99 of these
		if err := <-answers; !errors.Is(err, stock.ErrBusy) {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-dropped; !errors.Is(err, eventstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that goes is told %v", err)
	}
	close(g.open)
	for range 99 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	// The lane is idle once a later command is answered.
	if _, err := w.Handle(t.Context(), meta("last"), item, reserve("last")); err != nil {
		t.Fatal(err)
	}
	state := load(t, store)
	if _, there := state.Reservation("dropped"); there || state.Reserved != 1+99+1 {
		t.Errorf("%d reserved, dropped one among them: %v", state.Reserved, there)
	}
	if got := g.appends.Load(); got > 3 {
		t.Errorf("%d appends for 101 commands", got)
	}
}

func TestAnUnknownOutcomeMayBeRepeated(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	receive(t, newWriter(t, stock.Config{Store: store}), 5, "delivery")
	g := newGate(store)
	g.lose.Store(true)
	close(g.open)
	w := newWriter(t, stock.Config{Store: g})
	if _, err := w.Handle(t.Context(), meta("r"), item, reserve("r")); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("got %v, want unavailable", err)
	}
	g.lose.Store(false)
	if _, err := w.Handle(t.Context(), meta("r"), item, reserve("r")); err != nil {
		t.Fatal(err)
	}
	if state := load(t, store); state.Reserved != 1 {
		t.Errorf("%d reserved, want 1", state.Reserved)
	}
}

func TestTheStoreIsAway(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{Dir: t.TempDir()})
	store := handlertest.Connect(t, node.ConnectionString())
	w := newWriter(t, stock.Config{Store: store, Timeout: 200 * time.Millisecond})
	receive(t, w, 5, "delivery")
	node.Stop()
	if _, err := w.Handle(t.Context(), meta("r"), item, reserve("r")); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("got %v, want unavailable", err)
	}
	node.Restart()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := w.Handle(t.Context(), meta("r"), item, reserve("r")); err == nil {
			return
		}
	}
	t.Error("the writer did not come back with the store")
}

// TestAnotherProcessIsNotTakenForOneself tells two writers different things
// under the same command's id.
func TestAnotherProcessIsNotTakenForOneself(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	one, two := newWriter(t, stock.Config{Store: store}), newWriter(t, stock.Config{Store: store})
	receive(t, one, 1, "d1") // one knows the item, and not what two does next
	receive(t, two, 10, "d2")
	other := domainstock.Receive{Location: "main", SKU: "MUG-1", Quantity: 1000, Ref: "d2"}
	if _, err := one.Handle(t.Context(), meta("d2"), item, other); !errors.Is(err, domainstock.ErrIDReused) {
		t.Errorf("error = %v, want %v", err, domainstock.ErrIDReused)
	}
	receive(t, one, 10, "d2") // the same is a repeat, in whichever process
	if state := load(t, store); state.OnHand != 11 {
		t.Errorf("%d on hand, want 11", state.OnHand)
	}
}
