package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/tracing"
)

// readModels are the runners of all projections, and what reads them.
type readModels struct {
	runners   []*projections.Runner
	orders    projections.OrderQueries
	timeline  projections.TimelineQueries
	stock     projections.StockQueries
	products  projections.ProductQueries
	checkouts projections.CheckoutQueries
	jobs      projections.JobQueries
	tasks     projections.TaskQueries
	customers projections.CustomerQueries
	drafts    projections.DraftQueries
	sales     projections.SalesQueries
	callbacks projections.GatewayCallbackQueries
}

// startReadModels opens every read model, for its queries, and brings them
// forward if this process has the role.
func (a *App) startReadModels(ctx context.Context) error {
	a.models = &readModels{}
	queries := map[string]func(*projections.Runner){
		projections.Orders{}.Name():    func(r *projections.Runner) { a.models.orders.DB = r.Read() },
		projections.Timeline{}.Name():  func(r *projections.Runner) { a.models.timeline.DB = r.Read() },
		projections.Stock{}.Name():     func(r *projections.Runner) { a.models.stock.DB = r.Read() },
		projections.Products{}.Name():  func(r *projections.Runner) { a.models.products.DB = r.Read() },
		projections.Checkouts{}.Name(): func(r *projections.Runner) { a.models.checkouts.DB = r.Read() },
		projections.Jobs{}.Name():      func(r *projections.Runner) { a.models.jobs.DB = r.Read() },
		projections.Tasks{}.Name():     func(r *projections.Runner) { a.models.tasks.DB = r.Read() },
		projections.Customers{}.Name(): func(r *projections.Runner) { a.models.customers.DB = r.Read() },
		projections.Drafts{}.Name():    func(r *projections.Runner) { a.models.drafts.DB = r.Read() },

		projections.Sales{}.Name():            func(r *projections.Runner) { a.models.sales.DB = r.Read() },
		projections.GatewayCallbacks{}.Name(): func(r *projections.Runner) { a.models.callbacks.DB = r.Read() },
	}
	for _, p := range []projections.Projection{
		projections.Orders{},
		projections.Timeline{},
		projections.Stock{},
		projections.Products{},
		projections.Checkouts{},
		projections.Jobs{},
		projections.Customers{},
		projections.Drafts{},
		projections.Tasks{CompleteAfter: a.cfg.Tasks.CompleteAfter},
		projections.GatewayCallbacks{},
		projections.Sales{},
	} {
		r, err := projections.Open(ctx, p, projections.Config{
			Dir: filepath.Join(a.cfg.DataDir, "projections"), Store: a.client, Logger: a.logger, Now: a.now,
			Server: a.server(), Owner: a.owner,
		})
		if err != nil {
			return err
		}
		a.life.onStop("read model "+p.Name(), func(context.Context) error { return r.Close() })
		a.models.runners = append(a.models.runners, r)
		queries[p.Name()](r)
	}
	if !a.has(RoleProjections) {
		a.watchReadModels()
		return nil
	}
	return a.startRouter()
}

// watchReadModels follows how far other processes bring the read models. Files
// have no other process.
func (a *App) watchReadModels() {
	if !a.shared() {
		return
	}
	for _, r := range a.models.runners {
		a.life.run("position of "+r.Name(), r.Watch)
	}
}

// startRouter subscribes each projection by itself: one that is slow or fails
// holds up no other.
func (a *App) startRouter() error {
	// What the router does every time is of interest to nobody.
	logger := watermill.NewSlogLoggerWithLevelMapping(a.logger, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: a.cfg.ShutdownTimeout}, logger)
	if err != nil {
		return fmt.Errorf("make the router: %w", err)
	}
	// The first is the outermost, so a panic is retried like an error. The
	// subscriber hands a refused page over again.
	router.AddMiddleware(paced(a.now), retry(logger), middleware.Recoverer)
	for _, r := range a.models.runners {
		subscriber := eventstore.NewSubscriber(eventstore.SubscriberConfig{
			Client: a.client, Logger: a.logger, Prefixes: r.Prefixes(), Checkpoint: r.Checkpoint, PageSize: pageSize, Shared: true,
		})
		handler := router.AddConsumerHandler(r.Name(), r.Name(), subscriber, r.Handle)
		handler.AddMiddleware(tracing.Consume(r.Name(), a.now))
		a.life.run("retries of "+r.Name(), r.Run)
	}
	a.life.run("router", router.Run)
	a.life.onStop("router's handlers", func(context.Context) error { return router.Close() })
	return nil
}

func retry(logger watermill.LoggerAdapter) message.HandlerMiddleware {
	return middleware.Retry{
		MaxRetries: 5, InitialInterval: 50 * time.Millisecond, MaxInterval: 2 * time.Second, Multiplier: 2,
		ResetContextOnRetry: true, Logger: logger,
	}.Middleware
}
