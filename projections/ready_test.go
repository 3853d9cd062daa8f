package projections_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// held is a later version of the list of orders, whose events wait at a gate.
type held struct {
	projections.Orders
	oneByOne //nolint:unused // see there

	gate *gate
}

func (held) Version() int { return projections.Orders{}.Version() + 1 }

func (p held) Apply(ctx context.Context, tx *projections.Tx, r eventstore.Recorded) error {
	if err := p.gate.pass(ctx); err != nil {
		return err
	}
	return p.Orders.Apply(ctx, tx, r)
}

// gate is open or shut.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
}

func shut() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) shutAgain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

// A program with a new version is not ready until that shows what had happened
// before, however little; afterwards it is, however far it is behind. The old
// program is ready all the time.
func TestANewVersionIsNotReadyUntilItIsFilled(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 3 {
			placeOrder(t, c, n)
		}
		before := start(t, e, c, "before", projections.Orders{})
		before.level("orders")
		g := shut()
		after := start(t, e, c, "after", projections.Products{}, held{gate: g})
		for range 3 {
			filling := &projections.FillingError{}
			if err := after.set.Ready(t.Context()); !errors.As(err, &filling) || filling.Model != "orders" {
				t.Fatalf("ready although nothing was applied: %v", err)
			}
		}
		eventually(t, "the old version was filled", func() bool { return before.set.Ready(t.Context()) == nil })
		close(g.open)
		eventually(t, "the new version is filled", func() bool { return after.set.Ready(t.Context()) == nil })
		orders := projections.OrderQueries{DB: after.model("orders").Read()}
		if list, err := orders.List(t.Context(), projections.OrderFilter{}, nil, 10); err != nil || len(list) != 3 {
			t.Errorf("ready with %d of 3 orders, %v", len(list), err)
		}
		g.shutAgain()
		placeOrder(t, c, 3)
		eventually(t, "it is behind", func() bool {
			lag, err := after.model("orders").Lag(t.Context())
			return err == nil && lag.Events == 1
		})
		if err := after.set.Ready(t.Context()); err != nil {
			t.Errorf("behind, after it was filled: %v", err)
		}
	})
}

// What happens after read models were opened is news: with nothing before it,
// they are ready at once, however slowly they follow.
func TestWithNothingBeforeReadModelsAreReady(t *testing.T) {
	t.Parallel()
	c := client(t, nodetest.Start(t))
	g := shut()
	defer close(g.open)
	p := start(t, databasetest.SQLite(t), c, "only", held{gate: g})
	placeOrder(t, c, 0)
	if err := p.set.Ready(t.Context()); err != nil {
		t.Errorf("%v", err)
	}
}
