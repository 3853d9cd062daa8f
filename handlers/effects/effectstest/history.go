// Package effectstest gives tests of side effects a shop's history on a real
// event store, and delivers it as badly as an event store may.
package effectstest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/vault"
)

// Noon is when everything happens.
func Noon() time.Time { return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC) }

// Shop is who sells in tests.
func Shop() shop.Config {
	return shop.Config{
		Name: "Mugs & Bowls", Address: []string{"Mugs & Bowls Ltd", "7 Kiln Lane", "Leeds LS1 1UR"}, TaxID: "GB 123 4567 89",
		Email: "help@mugs.example", URL: "https://mugs.example",
	}
}

// Town is an event store and a vault with a history.
type Town struct {
	tb    testing.TB
	Store *eventstore.Client
	Vault *vault.Vault
}

// NewTown returns one without a history.
func NewTown(tb testing.TB) *Town {
	tb.Helper()
	return &Town{tb: tb, Store: handlertest.Start(tb), Vault: NewVault(tb)}
}

// NewVault returns an empty vault.
func NewVault(tb testing.TB) *vault.Vault {
	tb.Helper()
	const key = 32
	keys, err := vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, key)))
	if err != nil {
		tb.Fatal(err)
	}
	v, err := vault.Open(context.WithoutCancel(tb.Context()), filepath.Join(tb.TempDir(), "vault.db"), keys)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = v.Close() })
	return v
}

// Record appends events to a stream, as their deciders would.
func (w *Town) Record(stream string, events ...domain.Event) {
	w.tb.Helper()
	for _, e := range events {
		revision := eventstore.NoStream
		for r, err := range w.Store.ReadStream(w.tb.Context(), stream, 0) {
			if err != nil {
				w.tb.Fatal(err)
			}
			revision = r.Revision
		}
		command := stream + strconv.FormatInt(int64(revision), 10)
		_, err := w.Store.Append(w.tb.Context(), stream, revision, eventstore.NewEvent{
			ID: eventstore.EventID(stream, command, 0), Event: e, Metadata: eventstore.Metadata{CommandID: command, CorrelationID: stream},
		})
		if err != nil {
			w.tb.Fatal(err)
		}
	}
}

// Keep puts personal data into a vault.
func Keep(tb testing.TB, v *vault.Vault, subject, ref string, data any) {
	tb.Helper()
	if err := v.Put(tb.Context(), subject, ref, data); err != nil {
		tb.Fatal(err)
	}
}

// Events returns the events of streams, in the order of the log.
func (w *Town) Events(streams ...string) []eventstore.Recorded {
	w.tb.Helper()
	var all []eventstore.Recorded
	for _, stream := range streams {
		for r, err := range w.Store.ReadStream(w.tb.Context(), stream, 0) {
			if err != nil {
				w.tb.Fatal(err)
			}
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b eventstore.Recorded) int { return cmp.Compare(a.Position, b.Position) })
	return all
}

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

// Placed is an order of 3 mugs at 10.00 and 2 bowls at 5.01 with 19 and 7 per
// cent of tax, shipping 4.00: 52.30.
func Placed(id, number, customer string) order.OrderPlaced {
	return order.OrderPlaced{
		OrderID: id, Number: number, CheckoutID: "c-" + id, CustomerID: customer, ContactRef: "contact-" + id, ShipToRef: "ship-" + id, ShipToCountry: "GB", Currency: "EUR",
		Lines: []order.Line{
			{LineID: "1", SKU: "MUG-1", Title: "Mug, blue", Quantity: 3, UnitPrice: eur(1000), Discount: eur(0), Tax: eur(570), Total: eur(3570), Location: "main", ReservationID: "r1"},
			{LineID: "2", SKU: "BOWL-1", Title: "Bowl", Quantity: 2, UnitPrice: eur(501), Discount: eur(2), Tax: eur(70), Total: eur(1070), Location: "main", ReservationID: "r2"},
		},
		Shipping:  order.Shipping{Method: "post", Price: eur(500), Tax: eur(95)},
		Discounts: []order.Discount{{Code: "MARCH", Amount: eur(2)}},
		Totals:    order.Totals{Subtotal: eur(4002), Discount: eur(2), Shipping: eur(500), Tax: eur(735), Grand: eur(5235)},
		PaymentID: "p-" + id, Authorised: eur(5235), PlacedAt: Noon(),
	}
}

// NewHistory returns a town where something of everything happened: an order
// that was shipped and refunded, one of a German that was cancelled, one that
// was held, edited and sent in two parcels, one that came from elsewhere, one of
// somebody who was erased, checkouts that failed, goods and stock.
func NewHistory(tb testing.TB) (*Town, []eventstore.Recorded) {
	tb.Helper()
	w := NewTown(tb)
	Residents(tb, w.Vault)
	units := func(first, second int) []order.Units {
		return []order.Units{{LineID: "1", Quantity: first}, {LineID: "2", Quantity: second}}
	}
	item := stock.Decider.Stream(stock.ID("main", "MUG-1"))
	w.Record("product-MUG-1", catalog.ProductRegistered{SKU: "MUG-1", Title: "Mug, blue", Prices: []catalog.Price{{Money: eur(1000)}}, RegisteredAt: Noon()},
		catalog.PriceChanged{SKU: "MUG-1", Price: catalog.Price{Money: eur(1100)}, ChangedAt: Noon()})
	w.Record(item, stock.StockItemRegistered{SKU: "MUG-1", Location: "main"}, stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 10, Ref: "d1"})
	w.Record("order-o1", Placed("o1", "100001", "ada"),
		order.OrderShipped{OrderID: "o1", ShipmentID: "s1", Lines: units(3, 2), Carrier: "Royal Mail", Tracking: "RM 1234", ShippedAt: Noon()},
		order.OrderRefundRequested{OrderID: "o1", RefundID: "f1", Amount: eur(1000), Reason: "broken", Lines: units(1, 0)},
		order.OrderRefunded{OrderID: "o1", RefundID: "f1", Amount: eur(1000)},
		order.OrderDelivered{OrderID: "o1", ShipmentID: "s1", At: Noon()}, order.OrderCompleted{OrderID: "o1", At: Noon()})
	german := Placed("o2", "100002", "guest")
	german.CustomerID, german.ShipToCountry = "", "DE"
	w.Record("order-o2", german, order.OrderAddressChanged{OrderID: "o2", ShipToRef: "ship-o2-2", ShipToCountry: "AT"},
		order.OrderCancelRequested{OrderID: "o2", RequestID: "x", Reason: "customer", By: "a"},
		order.OrderCancelled{OrderID: "o2", Reason: "customer", Refunded: eur(0), Voided: eur(5235), Lines: units(3, 2)})
	w.Record("order-o3", Placed("o3", "100003", "ada"),
		order.OrderHeld{OrderID: "o3", HoldID: "h1", Reason: order.HoldManual}, order.OrderHoldReleased{OrderID: "o3", By: "a"},
		order.OrderTagged{OrderID: "o3", Add: []string{"gift"}},
		order.OrderShipped{OrderID: "o3", ShipmentID: "s3a", Lines: units(2, 0), ShippedAt: Noon()},
		order.OrderShipped{OrderID: "o3", ShipmentID: "s3b", Lines: units(1, 2), Carrier: "DHL", Tracking: "D 5", ShippedAt: Noon()})
	elsewhere := Placed("o4", "100004", "bob")
	elsewhere.External = order.External{Source: "old-shop", Ref: "17", Time: Noon()}
	w.Record("order-o4", elsewhere)
	w.Record("order-o5", Placed("o5", "100005", "eve"), order.OrderShipped{OrderID: "o5", ShipmentID: "s5", Lines: units(3, 2), ShippedAt: Noon()})
	for _, id := range []string{"k1", "k2"} {
		started := checkout.CheckoutStarted{
			CheckoutID: id, OrderID: "o-" + id, CustomerID: "ada", StartedAt: Noon(),
			Request: checkout.Request{CustomerID: "ada", ContactRef: "contact-o1", Currency: "EUR", ShipToCountry: "GB"},
			Lines:   []checkout.Line{{LineID: "1", SKU: "MUG-1", Title: "Mug, blue", Quantity: 1, UnitPrice: eur(1000), Total: eur(1000)}}, Totals: checkout.Totals{Grand: eur(1000)},
		}
		w.Record("checkout-"+id, started, checkout.CheckoutPaymentRequested{CheckoutID: id, PaymentID: "p-" + id, Attempt: 1, Method: "sandbox:approved", At: Noon()})
	}
	w.Record("checkout-k1", checkout.CheckoutPaymentUnknown{CheckoutID: "k1", PaymentID: "p-k1", At: Noon()},
		checkout.CheckoutFailed{CheckoutID: "k1", Reason: "payment-unresolved", Message: "the payment's outcome was never known", At: Noon()})
	w.Record("checkout-k2", checkout.CheckoutPaymentDeclined{CheckoutID: "k2", PaymentID: "p-k2", Code: "declined", RetryUntil: Noon(), At: Noon()})
	return w, w.Events("product-MUG-1", item, "order-o1", "order-o2", "order-o3", "order-o4", "order-o5", "checkout-k1", "checkout-k2")
}

// Residents puts the personal data of a history into a vault.
func Residents(tb testing.TB, v *vault.Vault) {
	tb.Helper()
	ada := vault.Contact{Email: "ada@example.com", Name: "Ada Lovelace"}
	home := vault.Address{Line1: "1 High Street", City: "Leeds", PostalCode: "LS1 1UR", Country: "GB"}
	for _, id := range []string{"o1", "o3"} {
		Keep(tb, v, "ada", "contact-"+id, ada)
		Keep(tb, v, "ada", "ship-"+id, home)
	}
	const guest = "order:o2"
	Keep(tb, v, guest, "contact-o2", vault.Contact{Email: "jürgen@example.com", Name: "Jürgen Weiß"})
	Keep(tb, v, guest, "ship-o2", vault.Address{Line1: "Hauptstraße 1", City: "Köln", PostalCode: "50667", Country: "DE"})
	Keep(tb, v, guest, "ship-o2-2", vault.Address{Line1: "Ring 2", City: "Wien", PostalCode: "1010", Country: "AT"})
	Keep(tb, v, "bob", "contact-o4", vault.Contact{Email: "bob@example.com", Name: "Bob"})
	Keep(tb, v, "bob", "ship-o4", home)
	Keep(tb, v, "eve", "contact-o5", vault.Contact{Email: "eve@example.com", Name: "Eve Secret"})
	Keep(tb, v, "eve", "ship-o5", home)
	if err := v.Erase(tb.Context(), "eve"); err != nil {
		tb.Fatal(err)
	}
}
