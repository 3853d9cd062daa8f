package app

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

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
	return a.startRouter()
}

// startRouter subscribes each read model by itself: one that is slow or fails
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
	var adding sync.Mutex // the router starts whatever was added, with one context
	subscribe := func(ctx context.Context, r *projections.Runner) (stopped <-chan struct{}, err error) {
		adding.Lock()
		defer adding.Unlock()
		subscriber := eventstore.NewSubscriber(eventstore.SubscriberConfig{
			Client: a.client, Logger: a.logger, Prefixes: r.Prefixes(), Checkpoint: r.Checkpoint, PageSize: pageSize, Shared: true,
		})
		handler := router.AddConsumerHandler(strings.TrimSpace(r.Name()+" "+r.Version().String()+" "+r.Part()), r.Name(), subscriber, r.Handle)
		handler.AddMiddleware(tracing.Consume(r.Name(), a.now))
		if err := router.RunHandlers(ctx); err != nil {
			return nil, err
		}
		return handler.Stopped(), nil
	}
	a.life.run("rebuilds of read models", a.models.set.Work)
	a.life.run("read models", func(ctx context.Context) error {
		select {
		case <-router.Running():
		case <-ctx.Done():
			return nil
		}
		return a.models.set.Run(ctx, func(ctx context.Context, r *projections.Runner) error {
			stopped, err := subscribe(ctx, r)
			if err != nil {
				return fmt.Errorf("subscribe: %w", err)
			}
			err = r.Run(ctx)
			<-stopped
			return err
		})
	})
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
