package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
	"github.com/waybill-dev/waybill/handlers/exports"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/vault"
)

// startExports makes what writes orders into files and keeps those, and, with
// the role, what removes them when their time is over.
func (a *App) startExports(ctx context.Context) error {
	db, err := database.Open(ctx, database.Config{Path: filepath.Join(a.cfg.DataDir, "exports.db"), Server: a.server(), Migrations: exports.Migrations()})
	if err != nil {
		return fmt.Errorf("open the exports: %w", err)
	}
	a.life.onStop("exports", func(context.Context) error { return db.Close() })
	a.commands.exports = &exports.Service{
		DB: db, Orders: exportedOrders{a}, People: buyers{a}, Sealer: vault.Envelope{Keyring: a.keys}, Now: a.now,
	}
	if a.runs(tasksPart) {
		const every = 10 * time.Minute
		a.runAlone("sweeper of exports", func(ctx context.Context) error {
			return handlers.Rounds(ctx, every, a.logger, "exports", a.commands.exports.Sweep)
		})
	}
	return nil
}

// exportedOrders lets an export read the list of orders.
type exportedOrders struct{ app *App }

// Page implements [exports.Orders].
func (l exportedOrders) Page(ctx context.Context, filter exports.Filter, after exports.Key, limit int) ([]exports.Order, error) {
	var key *projections.OrderKey
	if after.OrderID != "" {
		key = &projections.OrderKey{PlacedAt: after.PlacedAt, OrderID: after.OrderID}
	}
	rows, err := l.app.models.orders.List(ctx, projections.OrderFilter{
		Status: filter.Status, PaymentStatus: filter.PaymentStatus, CustomerID: filter.CustomerID, SKU: filter.SKU, Tag: filter.Tag,
		ExternalSource: filter.ExternalSource, PlacedFrom: filter.PlacedFrom, PlacedTo: filter.PlacedTo, OldestFirst: true,
	}, key, limit)
	all := make([]exports.Order, len(rows))
	for i, row := range rows {
		all[i] = exportedOrder(row)
	}
	return all, err
}

func exportedOrder(row projections.OrderRow) exports.Order {
	return exports.Order{
		OrderID: row.OrderID, Number: row.Number, Status: row.Status, PaymentStatus: row.PaymentStatus, FulfilmentStatus: row.FulfilmentStatus,
		CustomerID: row.CustomerID, Currency: row.Totals.Grand.Currency, Subtotal: row.Totals.Subtotal.Amount, Discount: row.Totals.Discount.Amount,
		Shipping: row.Totals.Shipping.Amount, Tax: row.Totals.Tax.Amount, Total: row.Totals.Grand.Amount, Captured: row.Captured.Amount, Refunded: row.Refunded.Amount,
		LineCount: int64(row.LineCount), ShipToCountry: row.ShipToCountry, Tags: strings.Join(row.Tags, " "), ExternalSource: row.External.Source, ExternalRef: row.External.Ref,
		PlacedAt: row.PlacedAt, UpdatedAt: row.UpdatedAt,
	}
}

// buyers looks up who ordered, in the log and the vault.
type buyers struct{ app *App }

// Person implements [exports.People].
func (b buyers) Person(ctx context.Context, o *exports.Order) error {
	state, _, err := eventstore.Load(ctx, b.app.store, order.Decider, o.OrderID)
	if err != nil {
		return err
	}
	buyer, err := b.app.shop().Buyer(ctx, b.app.vault, state)
	if err != nil {
		return err
	}
	o.Person = &exports.Person{Email: buyer.Email, Name: buyer.Name, Phone: buyer.Phone, Address: strings.Join(shop.Lines(buyer.ShipTo, buyer.Name), ", ")}
	return nil
}
