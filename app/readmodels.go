package app

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/tracing"
)

// readModels are all read models, and what reads them.
type readModels struct {
	set       *projections.Set
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
	payments  projections.PaymentQueries
	search    projections.SearchQueries
	callbacks projections.GatewayCallbackQueries
}

// ReadModelsDir is where read models in SQLite files are.
func ReadModelsDir(cfg configs.Config) string { return filepath.Join(cfg.DataDir, "projections") }

// ReadModels are all read models of this process.
func (a *App) ReadModels() *projections.Set { return a.models.set }

// projections lists the code of every read model.
func (a *App) projections() []projections.Projection { return Projections(a.cfg) }

// Projections lists the code of every read model.
func Projections(cfg configs.Config) []projections.Projection {
	return []projections.Projection{
		projections.Orders{},
		projections.Timeline{},
		projections.Stock{},
		projections.Products{},
		projections.Checkouts{},
		projections.Jobs{},
		projections.Customers{},
		projections.Drafts{},
		projections.Tasks{CompleteAfter: cfg.Tasks.CompleteAfter, AskWarehouseAfter: cfg.Tasks.AskWarehouse},
		projections.GatewayCallbacks{},
		projections.Sales{},
		projections.Payments{},
		projections.Search{},
	}
}

// startReadModels opens every read model, for its queries, and brings them
// forward if this process has the role.
func (a *App) startReadModels(ctx context.Context) (err error) {
	a.models = &readModels{}
	a.models.set, err = projections.OpenSet(ctx, projections.Config{
		Dir: ReadModelsDir(a.cfg), Store: a.client, Logger: a.logger, Now: a.now,
		Server: a.server(), Owner: a.owner, Partitions: a.cfg.ProjectionsPartitions,
	}, a.client, a.projections()...)
	if err != nil {
		return err
	}
	a.life.onStop("read models", func(context.Context) error { return a.models.set.Close() })
	queries := map[string]**sql.DB{
		projections.Orders{}.Name():    &a.models.orders.DB,
		projections.Timeline{}.Name():  &a.models.timeline.DB,
		projections.Stock{}.Name():     &a.models.stock.DB,
		projections.Products{}.Name():  &a.models.products.DB,
		projections.Checkouts{}.Name(): &a.models.checkouts.DB,
		projections.Jobs{}.Name():      &a.models.jobs.DB,
		projections.Tasks{}.Name():     &a.models.tasks.DB,
		projections.Customers{}.Name(): &a.models.customers.DB,
		projections.Drafts{}.Name():    &a.models.drafts.DB,

		projections.Search{}.Name():           &a.models.search.DB,
		projections.Payments{}.Name():         &a.models.payments.DB,
		projections.Sales{}.Name():            &a.models.sales.DB,
		projections.GatewayCallbacks{}.Name(): &a.models.callbacks.DB,
	}
	for _, m := range a.models.set.Models() {
		*queries[m.Name()] = m.Read()
	}
	if !a.has(RoleProjections) {
		a.watchReadModels()
		return nil
	}
	a.startRouters()
	return nil
}

// startRouters subscribes each read model by itself: one that is slow or fails
// holds up no other.
func (a *App) startRouters() {
	a.life.run("rebuilds of read models", a.models.set.Work)
	a.life.run("read models", func(ctx context.Context) error { return a.models.set.Run(ctx, a.bringForward) })
}

// bringForward handles a read model's events until the context ends. It has a
// router of its own: one that is shared closes when the last of its handlers
// stops, for good, and panics if another is added in that moment ("WaitGroup is
// reused"): a version that is swapped in while the process stops did that.
func (a *App) bringForward(ctx context.Context, r *projections.Runner) error {
	router, err := a.routerOf(r)
	if err != nil {
		return fmt.Errorf("make the router of %s: %w", r.Name(), err)
	}
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return r.Run(ctx) })
	running.Go(func() error {
		if err := router.Run(ctx); err != nil {
			return fmt.Errorf("run the router of %s: %w", r.Name(), err)
		}
		if ctx.Err() == nil {
			return fmt.Errorf("the subscription of %s ended", r.Name())
		}
		return nil
	})
	return running.Wait()
}

func (a *App) routerOf(r *projections.Runner) (*message.Router, error) {
	// What the router does every time is of interest to nobody.
	logger := watermill.NewSlogLoggerWithLevelMapping(a.logger, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: a.cfg.ShutdownTimeout}, logger)
	if err != nil {
		return nil, err
	}
	// The first is the outermost, so a panic is retried like an error. The
	// subscriber hands a refused page over again.
	router.AddMiddleware(paced(a.now), retry(logger), middleware.Recoverer, tracing.Consume(r.Name(), a.now))
	subscriber := eventstore.NewSubscriber(eventstore.SubscriberConfig{
		Client: a.client, Logger: a.logger, Prefixes: r.Prefixes(), Checkpoint: r.Checkpoint, PageSize: pageSize, Shared: true,
	})
	name := strings.TrimSpace(r.Name() + " " + r.Version().String() + " " + r.Part())
	router.AddConsumerHandler(name, r.Name(), subscriber, r.Handle)
	return router, nil
}

func retry(logger watermill.LoggerAdapter) message.HandlerMiddleware {
	return middleware.Retry{
		MaxRetries: 5, InitialInterval: 50 * time.Millisecond, MaxInterval: 2 * time.Second, Multiplier: 2,
		ResetContextOnRetry: true, Logger: logger,
	}.Middleware
}
