package projections_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// What a read model has not applied is counted in its own events, and no others.
func TestTheLagOfAReadModelIsToldInEventsAndSinceWhen(t *testing.T) {
	t.Parallel()
	c := client(t, nodetest.Start(t))
	e := databasetest.SQLite(t)
	set, err := projections.OpenSet(t.Context(), projections.Config{
		Dir: e.Dir, Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "test",
	}, c, projections.Orders{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = set.Close() }()
	m := set.Models()[0]
	lag := func() projections.Lag {
		t.Helper()
		lags, err := set.Lags(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return lags["orders"]
	}
	if got := lag(); got != (projections.Lag{}) {
		t.Errorf("of an empty log: %+v", got)
	}
	before := time.Now().Add(-time.Minute)
	for n := range 3 {
		placeOrder(t, c, n) // with events of its checkout and payment
	}
	add(t, c, "order-o0", "tag", order.OrderTagged{OrderID: "o0", Add: []string{"gift"}})
	if got := lag(); got.Events != 4 || got.More || got.Since.Before(before) {
		t.Errorf("of four events: %+v", got)
	}
	feed := c.Feed(eventstore.FeedConfig{Prefixes: m.Live().Prefixes()})
	defer feed.Close()
	for applied := 0; applied < 4; {
		page, err := feed.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Live().Apply(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		applied += len(page.Events)
	}
	add(t, c, "stock-main.A", "receipt", stock.StockReceived{SKU: "A", Location: "main", Quantity: 1})
	if got := lag(); got != (projections.Lag{}) {
		t.Errorf("of a read model that is level: %+v", got)
	}
	if head, err := set.Head(t.Context()); err != nil || fmt.Sprint(head) == "0" {
		t.Errorf("head %d, %v", head, err)
	}
}
