package app

import (
	"context"

	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	tasks "github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/tracing"
)

// startFulfilment makes what does the tasks of orders.
func (a *App) startFulfilment() {
	c := a.commands
	c.fulfilment = &fulfilment.Service{
		Store:        a.store,
		Stock:        tracing.Stock(c.stock),
		Gateways:     c.gateways,
		Warehouse:    tracing.Warehouse(a.warehouse()),
		People:       a.vault,
		Replacements: fulfilment.Exchanges{Checkout: c.checkout},
		Now:          a.now,
		Config:       fulfilment.Config{GatewayTimeout: a.cfg.Checkout.GatewayTimeout, AskWarehouse: a.cfg.Tasks.AskWarehouse},
	}
	// Who captures by hand waits for it; what does not come about the task does.
	finish := c.fulfilment.Handlers()[process.Movement]
	c.changes.Collect = func(ctx context.Context, orderID, paymentID, captureID string) error {
		return finish(ctx, tasks.Task{
			OrderID: orderID, Kind: process.Movement, Ref: paymentID + "/" + captureID, Cause: captureID, OpenedAt: a.now(),
		})
	}
}

// warehouse is who picks and packs.
func (a *App) warehouse() warehouse.Warehouse {
	if a.cfg.Warehouse == "" {
		return warehouse.Manual{}
	}
	client := warehouse.Connect(warehouse.Config{URL: a.cfg.Warehouse})
	a.life.onStop("warehouse's client", func(context.Context) error { client.Close(); return nil })
	return client
}
