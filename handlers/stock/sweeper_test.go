package stock_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
)

// expired lists the same items whenever it is asked.
type expired []stock.Item

func (e expired) Expired(context.Context, time.Time) ([]stock.Item, error) { return e, nil }

type unlisted struct{}

var errUnlisted = errors.New("no list")

func (unlisted) Expired(context.Context, time.Time) ([]stock.Item, error) { return nil, errUnlisted }

func TestWhatHasExpiredIsReleasedInBatches(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	w := newWriter(t, stock.Config{Store: store})
	receive(t, w, 1_000, "delivery")
	var crowd sync.WaitGroup
	for i := range 600 {
		crowd.Go(func() {
			id := fmt.Sprint("r", i)
			command := reserve(id)
			if i%6 == 0 {
				command.ExpiresAt = noon.Add(2 * time.Hour)
			}
			if _, err := w.Handle(t.Context(), meta(id), item, command); err != nil {
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	now := noon.Add(time.Hour)
	sweeper := &stock.Sweeper{
		Stock: w, Expired: expired{item, {Location: "main", SKU: "NOTHING"}}, Now: func() time.Time { return now },
		Logger: slog.New(slog.DiscardHandler),
	}
	for range 2 { // a list that lags asks for it again
		if err := sweeper.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if state := load(t, store); state.Reserved != 100 || state.Expired(now) {
			t.Fatalf("%d are reserved, want 100; expired: %v", state.Reserved, state.Expired(now))
		}
	}
	released := 0
	for recorded, err := range store.ReadStream(t.Context(), "stock-main.MUG-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		event, err := recorded.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := event.(domainstock.StockReservationReleased); ok && e.Reason == domainstock.Expired {
			released++
		}
	}
	if released != 500 {
		t.Errorf("%d releases are recorded, want 500", released)
	}
	sweeper.Expired = unlisted{}
	if err := sweeper.Round(t.Context()); !errors.Is(err, errUnlisted) {
		t.Errorf("error = %v, want %v", err, errUnlisted)
	}
}

func TestASweeperSweepsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	w := newWriter(t, stock.Config{Store: store})
	receive(t, w, 1, "delivery")
	if _, err := w.Handle(t.Context(), meta("r"), item, reserve("r")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	swept := &stock.Sweeper{
		Stock: w, Expired: expired{item}, Now: func() time.Time { return noon.Add(time.Hour) },
		Logger: slog.New(slog.DiscardHandler), Interval: time.Millisecond,
	}
	done := make(chan error)
	go func() { done <- swept.Run(ctx) }()
	for load(t, store).Reserved > 0 {
		if t.Context().Err() != nil {
			t.Fatal("nothing was released")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
