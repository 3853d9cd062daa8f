package process

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/eventstore"
)

// Tasks is the to-do list. It may lag: what it says is checked against the log.
type Tasks interface {
	// Due returns up to limit tasks whose time has come, the longest due first,
	// after one of them; the zero Task is the beginning.
	Due(ctx context.Context, now time.Time, after Task, limit int) ([]Task, error)
}

// Processor does due tasks, those of several orders at once, those of one order
// one after another. The fields above the line are required. Any number of
// processes may run one.
type Processor struct {
	Tasks    Tasks
	Handlers map[Kind]Handler // tasks without a handler are left alone
	Store    eventstore.Store
	Now      func() time.Time
	Random   func() float64 // in [0, 1): spreads what failed together
	Logger   *slog.Logger

	// Ready, if set, reports whether the list has come to where the log was when
	// the processor began. Nothing is done before: a list that is being made
	// anew shows what was done long ago, as if nobody had.
	Ready func(context.Context) (bool, error)

	Interval time.Duration // between two looks at the list; 0 means 250 ms
	Timeout  time.Duration // of one attempt; 0 means 1 min
	Workers  int           // orders that are worked on at once; 0 means 16
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error

	mu     sync.Mutex
	busy   map[string]bool    // orders that are worked on
	held   map[held]time.Time // until when a task is not looked at
	paused time.Time          // until when nothing is: the store is away
	purged time.Time          // when held was last gone through
	warned map[Kind]bool      // kinds without a handler
}

// held names a task as one event opened it.
type held struct{ orderID, key, cause string }

const (
	// listed is how many tasks are read at once, and batch how many orders are
	// given to the workers before the list is read again.
	listed = 500
	batch  = 500
	// settle is how long a task that something became of is not looked at, so
	// that the list can catch up.
	settle = 2 * time.Second
	// away is how long nothing is begun after the store could not be reached.
	away = time.Second
)

// Run does tasks until the context ends. Then it begins no more, and returns
// when those under way are over.
func (p *Processor) Run(ctx context.Context) error {
	ticker := time.NewTicker(cmp.Or(p.Interval, 250*time.Millisecond))
	defer ticker.Stop()
	if !p.ready(ctx, ticker.C) {
		return nil
	}
	work := p.workers()
	defer func() { _ = work.Wait() }() // failures are recorded or logged
	for {
		begun, err := p.dispatch(ctx, work)
		if err != nil && ctx.Err() == nil {
			p.Logger.WarnContext(ctx, "tasks of orders cannot be listed", "error", err)
		}
		if begun == batch && ctx.Err() == nil {
			continue // there may be more
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// ready waits until the list can be relied on, or the context ends.
func (p *Processor) ready(ctx context.Context, ticks <-chan time.Time) bool {
	for said := false; p.Ready != nil; {
		ready, err := p.Ready(ctx)
		if ready {
			break
		}
		if !said && ctx.Err() == nil {
			said = true
			p.Logger.InfoContext(ctx, "tasks of orders wait for their list", waitingFor(err)...)
		}
		select {
		case <-ticks:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// waitingFor is what a line of the log says of a list that is not there yet, and
// may just be filled.
func waitingFor(err error) []any {
	if err == nil {
		return nil
	}
	return []any{"error", err}
}

// Round does what is due now, and returns when all of it was tried once.
func (p *Processor) Round(ctx context.Context) error {
	for {
		work := p.workers()
		begun, err := p.dispatch(ctx, work)
		_ = work.Wait() // see Run
		if err != nil || begun == 0 || ctx.Err() != nil {
			return err
		}
	}
}

func (p *Processor) workers() *errgroup.Group {
	var group errgroup.Group
	group.SetLimit(cmp.Or(p.Workers, 16))
	return &group
}

// dispatch gives the tasks that are due to workers, and waits where all have
// something to do. It returns how many orders it found.
func (p *Processor) dispatch(ctx context.Context, work *errgroup.Group) (begun int, err error) {
	orders, err := p.due(ctx, p.Now())
	for _, tasks := range orders {
		p.occupy(tasks[0].OrderID)
		work.Go(func() error {
			defer p.leave(tasks[0].OrderID)
			p.work(ctx, tasks)
			return nil
		})
	}
	return len(orders), err
}

// due returns what is to be done, by order, the longest due first.
func (p *Processor) due(ctx context.Context, now time.Time) (orders [][]Task, err error) {
	if p.pausing(now) {
		return nil, nil
	}
	at := map[string]int{}
	for after := (Task{}); ; {
		page, err := p.Tasks.Due(ctx, now, after, listed)
		if err != nil {
			return nil, fmt.Errorf("list due tasks: %w", err)
		}
		for _, t := range page {
			if !p.wanted(ctx, t, now) {
				continue
			}
			i, there := at[t.OrderID]
			if !there && len(orders) == batch {
				return orders, nil
			}
			if !there {
				i, at[t.OrderID], orders = len(orders), len(orders), append(orders, nil)
			}
			orders[i] = append(orders[i], t)
		}
		if len(page) < listed {
			break
		}
		after = page[len(page)-1]
	}
	for _, tasks := range orders {
		slices.SortFunc(tasks, func(a, b Task) int {
			return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Key(), b.Key()))
		})
	}
	return orders, nil
}
