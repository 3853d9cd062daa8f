package stock_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
)

// However many items are sold, no more is remembered than there is room for;
// what is forgotten is read again, and is as it was.
func TestManyItemsShareARoom(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	const room, items, buyers = 40, 12, 10
	w := newWriter(t, stock.Config{Store: store, Remembered: room})
	do := func(sku, id string, command domainstock.Command) error {
		_, err := w.Handle(t.Context(), eventstore.Metadata{CommandID: sku + id}, stock.Item{Location: "main", SKU: sku}, command)
		return err
	}
	var all sync.WaitGroup
	for n := range items {
		all.Go(func() {
			sku := fmt.Sprint("SKU-", n)
			err := do(sku, "in", domainstock.Receive{Location: "main", SKU: sku, Quantity: buyers - 1, Ref: "delivery"})
			for round := range 2 * buyers { // each comes twice
				id := fmt.Sprint("buyer ", round%buyers)
				r := reserve(id)
				r.SKU = sku
				again := do(sku, id, r)
				if sold := round%buyers < buyers-1; sold != (again == nil) || !sold && !errors.Is(again, domainstock.ErrOutOfStock) {
					t.Errorf("%s, %s, round %d: %v", sku, id, round, again)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s := w.Stats(); s.Remembered > room || s.Remembered == 0 || s.Lanes > room/buyers+1 {
		t.Errorf("%d remembered of %d items; there is room for %d", s.Remembered, s.Lanes, room)
	}
	for n := range items {
		state, _, err := eventstore.Load(t.Context(), store, domainstock.Decider, domainstock.ID("main", fmt.Sprint("SKU-", n)))
		if err != nil || state.Reserved != buyers-1 || state.OnHand != buyers-1 {
			t.Errorf("item %d: %d of %d reserved, %v", n, state.Reserved, state.OnHand, err)
		}
	}
}

// What is forgotten is let go of at once, and not when its time as an idle item
// is over.
func TestWhatIsForgottenIsFree(t *testing.T) {
	t.Parallel()
	w := newWriter(t, stock.Config{Store: handlertest.Start(t), Remembered: 1, Idle: time.Hour})
	receipt := func(sku string) weak.Pointer[stock.Lane] {
		_, err := w.Handle(t.Context(), meta(sku), stock.Item{Location: "main", SKU: sku}, domainstock.Receive{Location: "main", SKU: sku, Quantity: 1, Ref: sku})
		if err != nil {
			t.Fatal(err)
		}
		return w.LaneOf(stock.Item{Location: "main", SKU: sku})
	}
	first := receipt("A")
	if first.Value() == nil {
		t.Fatal("the item that was asked for last is forgotten")
	}
	receipt("B")
	for range 300 { // the goroutine that worked for A ends by itself
		if runtime.GC(); first.Value() == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the item is still in memory")
}

// Items that are forgotten while they are in use have their snapshots closer
// together: each is read again soon.
func TestWhereRoomIsShortSnapshotsAreCloserTogether(t *testing.T) {
	t.Parallel()
	client := handlertest.Start(t)
	store := &watched{Store: client}
	hear, heard := snapshots()
	w := newWriter(t, stock.Config{Store: store, Retain: client.Retain, Remembered: 1, Every: 160, OnSnapshot: hear})
	const rounds, apart = 60, 10
	for i := range rounds {
		id := fmt.Sprint("delivery ", i)
		handle(t, w, id, domainstock.Receive{Location: "main", SKU: "MUG-1", Quantity: 1, Ref: id})
		if (i+1)%apart == 0 {
			written(t, heard)
		}
		_, err := w.Handle(t.Context(), meta("other "+id), stock.Item{Location: "main", SKU: "CUP-2"}, domainstock.Receive{Location: "main", SKU: "CUP-2", Quantity: 1, Ref: id})
		if err != nil {
			t.Fatal(err)
		}
		if (i+1)%apart == 0 {
			written(t, heard)
		}
	}
	reads := store.from()
	if len(reads) < rounds-1 {
		t.Fatalf("read %d times, want that it is forgotten each time", len(reads))
	}
	for n, from := range reads {
		if behind := eventstore.Revision(n) - from; behind > 2*apart {
			t.Errorf("read %d began at %d, %d events before the end", n, from, behind)
		}
	}
}
