package projections

import (
	"context"
	"io/fs"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Orders is the list of orders: a row per order and per line.
type Orders struct{}

// Name implements [Projection].
func (Orders) Name() string { return "orders" }

// Version implements [Projection].
func (Orders) Version() int { return 3 }

// Migrations implements [Projection].
func (Orders) Migrations() fs.FS { return schema("orders") }

// Prefixes implements [Projection].
func (Orders) Prefixes() []string { return []string{order.Decider.Category + "-"} }

// PerStream implements [PerStream].
func (Orders) PerStream() {}

// LateIndexes implements [LateIndexes].
func (Orders) LateIndexes() []string { return []string{"orders", "order_lines"} }

// Apply implements [Projection].
func (o Orders) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	return o.ApplyPage(ctx, tx, []eventstore.Recorded{r})
}
