// Package handlertest gives tests of handlers a real event store.
package handlertest

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/domain/numbers"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// Start returns a client of a fresh node in memory.
func Start(tb testing.TB) *eventstore.Client {
	tb.Helper()
	return Connect(tb, nodetest.Start(tb))
}

// Connect returns a client of the node at an address.
func Connect(tb testing.TB, address string) *eventstore.Client {
	tb.Helper()
	codec, err := eventstore.NewCodec(slices.Concat(
		catalog.EventTypes(), checkout.EventTypes(), checkoutfailure.EventTypes(), creditnote.EventTypes(), gatewaycallback.EventTypes(), idempotency.EventTypes(), numbers.EventTypes(),
		order.EventTypes(), payment.EventTypes(), process.EventTypes(), stock.EventTypes(),
		customer.EventTypes(), draft.EventTypes(), job.EventTypes(),
	)...)
	if err != nil {
		tb.Fatal(err)
	}
	client, err := eventstore.NewClient(eventstore.Config{
		ConnectionString: address, Codec: codec, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}
