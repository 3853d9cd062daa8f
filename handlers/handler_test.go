package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/handlertest"
)

type products = handlers.CommandHandler[catalog.State, catalog.Command, catalog.Event]

func price(amount int64, region string) catalog.Price {
	return catalog.Price{Money: domain.Money{Amount: amount, Currency: "EUR"}, Region: region}
}

var mug = catalog.Register{SKU: "MUG-1", Title: "Mug", Prices: []catalog.Price{price(1250, "")}}

func meta(id string) eventstore.Metadata { return eventstore.Metadata{CommandID: id} }

func TestACommandIsHandled(t *testing.T) {
	t.Parallel()
	h := products{handlertest.Start(t), catalog.Decider}
	first, err := h.Handle(t.Context(), "MUG-1", meta("1"), mug)
	if err != nil || first.Revision != 0 || first.Position == 0 || len(first.Events) != 1 || first.State.Title != "Mug" {
		t.Fatalf("got %+v, %v", first, err)
	}
	again, err := h.Handle(t.Context(), "MUG-1", meta("1"), mug)
	if err != nil || again.Revision != 0 || len(again.Events) != 0 {
		t.Errorf("the same command again: %+v, %v", again, err)
	}
	other := mug
	other.Title = "Cup"
	if _, err := h.Handle(t.Context(), "MUG-1", meta("2"), other); !errors.Is(err, catalog.ErrExists) {
		t.Errorf("a refusal comes out as it is, got %v", err)
	}
	if _, err := h.Handle(t.Context(), "MUG-1", eventstore.Metadata{}, mug); err == nil {
		t.Error("a command without an id is refused")
	}
}

func TestACommandForAnOlderRevisionIsRefused(t *testing.T) {
	t.Parallel()
	h := products{handlertest.Start(t), catalog.Decider}
	if _, err := h.HandleAt(t.Context(), "MUG-1", eventstore.NoStream, meta("1"), mug); err != nil {
		t.Fatal(err)
	}
	change := catalog.ChangePrice{SKU: "MUG-1", Price: price(1, "")}
	if _, err := h.HandleAt(t.Context(), "MUG-1", 0, meta("2"), change); err != nil {
		t.Fatal(err)
	}
	if _, err := h.HandleAt(t.Context(), "MUG-1", 0, meta("3"), change); !errors.Is(err, handlers.ErrRevision) {
		t.Errorf("got %v, want %v", err, handlers.ErrRevision)
	}
}

// late lets somebody else append before each of the first few appends.
type late struct {
	eventstore.Store
	before func()
	times  int
}

func (l *late) Append(
	ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent,
) (eventstore.Appended, error) {
	if l.times > 0 {
		l.times--
		l.before()
	}
	return l.Store.Append(ctx, stream, expected, events...)
}

func TestACommandThatLosesTheRaceIsDecidedAgain(t *testing.T) {
	t.Parallel()
	for times, want := range map[int]error{4: nil, 5: eventstore.ErrConflict} {
		store := handlertest.Start(t)
		winner := products{store, catalog.Decider}
		if _, err := winner.Handle(t.Context(), "MUG-1", meta("0"), mug); err != nil {
			t.Fatal(err)
		}
		won := 0
		slow := products{&late{store, func() {
			won++
			change := catalog.ChangePrice{SKU: "MUG-1", Price: price(int64(won), "")}
			if _, err := winner.Handle(t.Context(), "MUG-1", meta(fmt.Sprint("w", won)), change); err != nil {
				t.Error(err)
			}
		}, times}, catalog.Decider}
		change := catalog.ChangePrice{SKU: "MUG-1", Price: price(99, "north")}
		if _, err := slow.Handle(t.Context(), "MUG-1", meta("s"), change); !errors.Is(err, want) {
			t.Errorf("after %d lost races: %v, want %v", times, err, want)
		}
	}
}

func TestManyAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	h := products{handlertest.Start(t), catalog.Decider}
	if _, err := h.Handle(t.Context(), "MUG-1", meta("0"), mug); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			region := fmt.Sprint("region ", i)
			for {
				_, err := h.Handle(t.Context(), "MUG-1", meta(region), catalog.ChangePrice{SKU: "MUG-1", Price: price(int64(i), region)})
				if err == nil {
					return
				}
				if !errors.Is(err, eventstore.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	state, _, err := eventstore.Load(t.Context(), h.Store, catalog.Decider, "MUG-1")
	if err != nil || len(state.Prices) != 9 {
		t.Errorf("there are %d prices, %v; want 9", len(state.Prices), err)
	}
}
