// Package router runs the handlers of side effects: each consumes a persistent
// subscription of its own, shared with other processes, and none of them sees
// that another fails.
//
// It promises that an event which failed is tried again with a growing wait, and
// put aside with the reason when that does not help; that a handler whose outside
// system is down stops consuming, so that the backlog stays in the log and
// nothing of it is put aside; and that a panic is a failure like any other. It
// must not know what a handler does.
package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
)

// Effect is one handler.
type Effect struct {
	// Name is that of the handler's group in the store, and in the inbox. With
	// another name everything is handled anew.
	Name string
	// Types are the stored names of the events it wants. A handler that is to get
	// others needs another name: the store keeps the group as it was made.
	Types []string
	// FromEnd has a new handler begin with what is appended after its first start.
	FromEnd bool
	// Ordered handles the events of a stream one after the other, as long as none
	// of them is put aside.
	Ordered bool
	// Inbox keeps the effect of an event from being repeated. A handler that
	// promises [Once] has one, or sees to that itself.
	Inbox  Inbox
	Itself bool
	Config Config
	Handle effects.Handler
}

// An Inbox brings about an effect once for a key, which is the event's id. An
// [inbox.Inbox] is one.
type Inbox interface {
	Do(ctx context.Context, key string, effect func(context.Context) error) error
}

// Options says what to run. All but Metrics and DeadLetters are required.
type Options struct {
	Client *eventstore.Client
	// DeadLetters is where people decide about what was put aside; nil lets
	// nobody.
	DeadLetters *deadletters.Desk
	Effects     []Effect
	Metrics     *Metrics
	Logger      *slog.Logger
	Now         func() time.Time
	Random      func() float64 // in [0, 1): spreads what failed together
}

// Router runs handlers until its context ends.
type Router struct{ router *message.Router }

// New returns a router that does not run yet.
func New(o Options) (*Router, error) {
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	r, err := message.NewRouter(message.RouterConfig{}, watermill.NewSlogLogger(slog.New(slog.DiscardHandler))) // each handler tells itself
	if err != nil {
		return nil, fmt.Errorf("run effects: %w", err)
	}
	var errs []error
	for _, e := range o.Effects {
		if err := add(r, &o, e); err != nil {
			errs = append(errs, fmt.Errorf("effect %s: %w", e.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Router{r}, nil
}

func add(r *message.Router, o *Options, e Effect) error {
	if err := e.Config.Validate(); err != nil {
		return err
	}
	e.Config = e.Config.withDefaults()
	switch {
	case e.Name == "" || len(e.Types) == 0 || e.Handle == nil:
		return errors.New("a name, types of events, and a function are needed")
	case e.Config.Semantics == Once && e.Inbox == nil && !e.Itself:
		return errors.New("an effect that happens once needs an inbox, or a handler that sees to that itself")
	}
	group := eventstore.GroupConfig{
		Client: o.Client, Logger: o.Logger, Name: e.Name, Types: e.Types, FromEnd: e.FromEnd,
		Buffer: e.Config.Concurrency, MessageTimeout: e.Config.longest(), Pause: e.Config.FirstRetry,
	}
	if e.Ordered {
		group.Strategy, group.Buffer = eventstore.Pinned, 1
	}
	subscriber := eventstore.NewGroupSubscriber(group)
	w := &worker{Effect: e, options: o, pause: subscriber.Pause, slots: make(chan struct{}, e.Config.Concurrency)}
	w.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(uint(e.Config.Failures)). //nolint:gosec // not below zero
		WithDelay(e.Config.OpenFor).
		OnStateChanged(w.changed).Build()
	r.AddConsumerHandler(e.Name, e.Name, subscriber, w.handle)
	if o.DeadLetters != nil {
		addRetries(r, o, w)
	}
	return nil
}

// Run consumes until the context ends, and then waits for what is under way.
func (r *Router) Run(ctx context.Context) error {
	if err := r.router.Run(ctx); err != nil {
		return fmt.Errorf("run effects: %w", err)
	}
	return nil
}
