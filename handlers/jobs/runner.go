package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/handlers"
)

// Todo lists jobs that something is to be done about. It may lag: what it says
// is checked against the log.
type Todo interface {
	// Due returns ids of jobs, the longest waiting first, as many as are worth
	// one round.
	Due(ctx context.Context, now time.Time) ([]string, error)
}

// Runner runs jobs and tells their ends. Several processes may do so at once.
type Runner struct {
	Service   *Service
	Todo      Todo
	Callbacks Callbacks // nil calls nobody
	// Document is what is told of a finished job.
	Document func(job.State) ([]byte, error)
	Logger   *slog.Logger
	Random   func() float64 // in [0, 1): spreads what failed together; nil does not
	Interval time.Duration  // between two looks at the list; 0 means 1 s
	Workers  int            // jobs at once; 0 means 8
	// CallbackWaits stand between the attempts of a callback: one attempt more
	// than waits is made.
	CallbackWaits []time.Duration
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error

	once    sync.Once
	slots   chan struct{}
	working sync.Map // ids of jobs somebody is at
	group   sync.WaitGroup
}

// Run runs jobs until the context ends, and then waits for those under way to
// notice.
func (r *Runner) Run(ctx context.Context) error {
	var started sync.WaitGroup
	started.Go(func() { r.takeStarted(ctx) })
	defer r.group.Wait()
	defer started.Wait()
	return handlers.Rounds(ctx, r.Interval, r.Logger, "list of jobs", r.Round)
}

// takeStarted takes up jobs that were started in this process at once.
func (r *Runner) takeStarted(ctx context.Context) {
	for {
		select {
		case id := <-r.Service.started:
			r.take(ctx, id)
		case <-ctx.Done():
			return
		}
	}
}

// Round takes up every job that is due and does not wait for them.
func (r *Runner) Round(ctx context.Context) error {
	ids, err := r.Todo.Due(ctx, r.Service.Now())
	if err != nil {
		return fmt.Errorf("list due jobs: %w", err)
	}
	for _, id := range ids {
		r.take(ctx, id)
	}
	return nil
}

// Wait returns when no job is under way.
func (r *Runner) Wait() { r.group.Wait() }

func (r *Runner) makeSlots() {
	const workers = 8
	if r.Workers <= 0 {
		r.Workers = workers
	}
	r.slots = make(chan struct{}, r.Workers)
}

// take works on a job, unless this process is at it already.
func (r *Runner) take(ctx context.Context, id string) {
	r.once.Do(r.makeSlots)
	if _, taken := r.working.LoadOrStore(id, true); taken {
		return
	}
	r.group.Go(func() {
		defer r.working.Delete(id)
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
		case <-ctx.Done():
			return
		}
		if err := r.handle(ctx, id); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "job could not be worked on", "job", id, "error", err)
		}
	})
}

// handle does what is to be done about a job now, which may be two things: it
// ends, and that is told.
func (r *Runner) handle(ctx context.Context, id string) error {
	for {
		result, err := r.Service.Get(ctx, id)
		if err != nil {
			return err
		}
		state := result.State
		if !state.Due(r.Service.Now()) {
			return nil
		}
		if err := r.fault("taken"); err != nil {
			return err
		}
		if state.Status.Finished() {
			return r.tell(ctx, state)
		}
		if err := r.work(ctx, state); err != nil || ctx.Err() != nil {
			return err
		}
		if err := r.fault("ended"); err != nil {
			return err
		}
	}
}

func (r *Runner) fault(step string) error {
	if r.Fault == nil {
		return nil
	}
	return r.Fault(step)
}
