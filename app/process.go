package app

import (
	"context"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	tasks "github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/tracing"
)

// startProcess starts, with the role, what does the tasks of orders and what
// releases reservations whose time is over.
func (a *App) startProcess(context.Context) error {
	if !a.runs(tasksPart) {
		return nil
	}
	sweeper := &stock.Sweeper{
		Stock: a.commands.stock, Expired: expiredItems{a.models.stock}, Now: a.now, Logger: a.logger, Interval: a.cfg.Tasks.SweepEvery,
	}
	a.runAlone("sweeper of reservations", sweeper.Run)
	processor := &tasks.Processor{
		Tasks: dueTasks{a.models.tasks}, Handlers: a.taskHandlers(), Store: a.store, Now: a.now, Random: rand.Float64, Logger: a.logger,
		Ready:    a.tasksListed(),
		Interval: a.cfg.Tasks.Every, Timeout: a.cfg.Tasks.Timeout, Workers: a.cfg.Tasks.Workers,
	}
	a.runAlone("tasks of orders", processor.Run)
	return nil
}

// tasksListed reports whether the to-do list has everything that was recorded
// before it is asked for the first time.
func (a *App) tasksListed() func(context.Context) (bool, error) {
	var end *eventstore.Position
	return func(ctx context.Context) (bool, error) {
		if end == nil {
			last, err := a.client.End(ctx)
			if err != nil {
				return false, err
			}
			end = &last
		}
		at, err := projections.ReadPosition(ctx, a.models.tasks.DB)
		return err == nil && at >= *end, err
	}
}

// taskHandlers lists everything that does tasks.
func (a *App) taskHandlers() map[process.Kind]tasks.Handler {
	all := map[process.Kind]tasks.Handler{}
	for _, some := range []map[process.Kind]tasks.Handler{
		a.fulfilment().Handlers(),
		{process.EditStock: a.commands.changes.GiveBack},
	} {
		maps.Copy(all, some)
	}
	return tracing.Tasks(all)
}

func (a *App) fulfilment() *fulfilment.Service { return a.commands.fulfilment }

// dueTasks lets the processor read the to-do list.
type dueTasks struct{ queries projections.TaskQueries }

// Due implements [tasks.Tasks].
func (d dueTasks) Due(ctx context.Context, now time.Time, after tasks.Task, limit int) ([]tasks.Task, error) {
	rows, err := d.queries.Due(ctx, now, projections.TaskRow{
		OrderID: after.OrderID, NextAt: after.NextAt, Task: process.Task{Kind: after.Kind, Ref: after.Ref},
	}, limit)
	due := make([]tasks.Task, len(rows))
	for i, row := range rows {
		due[i] = tasks.Task{
			OrderID: row.OrderID, Kind: row.Task.Kind, Ref: row.Task.Ref, Cause: row.Task.OpenedBy,
			OpenedAt: row.OpenedAt, Position: row.Position, DueAt: row.DueAt, NextAt: row.NextAt, Failures: row.Failures,
			TraceParent: row.TraceParent,
		}
	}
	return due, err
}

// expiredItems lets the sweeper read the open reservations.
type expiredItems struct{ queries projections.StockQueries }

// sweepRound is how many reservations one round looks at.
const sweepRound = 10_000

// Expired implements [stock.ExpiredItems].
func (e expiredItems) Expired(ctx context.Context, now time.Time) ([]stock.Item, error) {
	rows, err := e.queries.Expired(ctx, now, sweepRound)
	items := make([]stock.Item, len(rows))
	for i, row := range rows {
		items[i] = stock.Item{Location: row.Location, SKU: row.SKU}
	}
	return items, err
}
