package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// Run is one attempt at a job. It belongs to one goroutine.
type Run struct {
	Job job.State // as it was when the attempt began; Mark is where to go on

	service *Service
	meta    eventstore.Metadata
	noted   time.Time
}

// noteEvery is the least time between two notes of progress.
const noteEvery = time.Second

// Progress notes how far the job is, now and then: of calls that follow each
// other closely most are not recorded. It returns [job.ErrCancelled] when
// somebody asked for the job to be given up: the kind then stops.
func (r *Run) Progress(ctx context.Context, done, total int, mark string) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	now := r.service.Now()
	if now.Sub(r.noted) < noteEvery {
		return nil
	}
	r.noted = now
	_, err := r.service.do(ctx, r.meta, r.Job.JobID, "progress "+strconv.Itoa(done)+" "+mark, job.Progress{
		Done: done, Total: total, Mark: mark, At: now.UTC(),
	})
	return err
}

// do lets a job decide a command whose id follows from what it says.
func (s *Service) do(ctx context.Context, meta eventstore.Metadata, id, what string, command job.Command) (Result, error) {
	meta.CommandID = eventstore.DeriveID("job-step", id, what)
	meta.CorrelationID = id
	return s.handler().Handle(ctx, id, meta, command)
}

func runner() eventstore.Metadata {
	return eventstore.Metadata{Actor: eventstore.Actor{Type: "process", ID: "jobs"}}
}

// work makes one attempt at a job. The error is a failure to find out or to
// record how it stands: the job stays due.
func (r *Runner) work(ctx context.Context, state job.State) error {
	s := r.Service
	if state.Status == job.Cancelling {
		_, err := s.do(ctx, runner(), state.JobID, "cancelled", job.Cancel{At: s.Now().UTC()})
		return settled(err)
	}
	result, err := r.attempt(ctx, state)
	now := s.Now().UTC()
	var rule *domain.RuleError
	switch {
	case ctx.Err() != nil:
		return nil // the process is stopping: the job goes on at the next start
	case err == nil:
		_, err = s.do(ctx, runner(), state.JobID, "succeeded", job.Succeed{Result: result, At: now})
	case errors.Is(err, job.ErrCancelled):
		_, err = s.do(ctx, runner(), state.JobID, "cancelled", job.Cancel{At: now})
	case errors.Is(err, job.ErrFinished):
		return nil // another process was faster
	case errors.As(err, &rule):
		_, err = s.do(ctx, runner(), state.JobID, "failed", job.Fail{Code: rule.Code, Message: rule.Message, At: now})
	default:
		return r.postpone(ctx, state, err)
	}
	return settled(err)
}

// settled takes a job that another process has ended for done.
func settled(err error) error {
	if errors.Is(err, job.ErrFinished) {
		return nil
	}
	return err
}

// attempt runs the kind. A panic is a failure like any other.
func (r *Runner) attempt(ctx context.Context, state job.State) (result map[string]any, err error) {
	kind, known := r.Service.kinds[state.Kind]
	if !known {
		return nil, fmt.Errorf("this program knows no job of kind %s", state.Kind)
	}
	ctx, stop := r.Service.begin(ctx, state.JobID)
	defer stop()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the job panicked: %v", cause)
		}
	}()
	result, err = kind.Run(ctx, &Run{Job: state, service: r.Service, meta: runner()})
	if err != nil && errors.Is(context.Cause(ctx), job.ErrCancelled) {
		return nil, job.ErrCancelled
	}
	return result, err
}

// begin lets Cancel stop the run of one job.
func (s *Service) begin(ctx context.Context, id string) (context.Context, func()) {
	ctx, stop := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.running[id] = stop
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		delete(s.running, id)
		s.mu.Unlock()
		stop(nil)
	}
}

func (r *Runner) postpone(ctx context.Context, state job.State, cause error) error {
	attempt, now := state.Attempts+1, r.Service.Now().UTC()
	retryAt := now.Add(handlers.BackOff(attempt, r.random()))
	log := r.Logger.WarnContext
	if attempt >= handlers.AlarmAt {
		log = r.Logger.ErrorContext
	}
	log(ctx, "job failed and is tried again", "job", state.JobID, "kind", state.Kind, "attempt", attempt, "retry_at", retryAt, "error", cause)
	_, err := r.Service.do(ctx, runner(), state.JobID, "attempt "+strconv.Itoa(attempt), job.Postpone{
		Attempt: attempt, Cause: cause.Error(), RetryAt: retryAt, At: now,
	})
	return settled(err)
}

func (r *Runner) random() float64 {
	if r.Random == nil {
		return 0.5
	}
	return r.Random()
}
