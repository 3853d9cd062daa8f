// Package jobs does work that takes longer than a request. A job is started by
// an event, so that it outlives the process that took the request; it is run
// from the to-do list of the log, tried again until it is done or a rule
// refuses it, and its end is told to whoever wanted to be called. It promises
// that a job is never dropped and ends once. What a kind does must be harmless
// to repeat: a job is run again after an interruption, maybe by two processes
// at once. It must not know what any kind does.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// Kind is a sort of job.
type Kind struct {
	Name string
	// Cancellable says that the work may be given up half-way.
	Cancellable bool
	// Run does the work. What it returns becomes the job's result: references
	// and counts, no personal data. A [domain.RuleError] fails the job for
	// good; after any other error it is run again.
	Run func(ctx context.Context, run *Run) (result map[string]any, err error)
}

// Service starts jobs and shows them.
type Service struct {
	Store eventstore.Store
	Now   func() time.Time

	kinds   map[string]Kind
	started chan string // ids, for a runner in the same process

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by id, in this process
}

// New returns a service that knows these kinds of jobs.
func New(store eventstore.Store, now func() time.Time, kinds ...Kind) *Service {
	s := &Service{
		Store: store, Now: now, kinds: map[string]Kind{}, started: make(chan string, 64), running: map[string]context.CancelCauseFunc{},
	}
	for _, kind := range kinds {
		s.kinds[kind.Name] = kind
	}
	return s
}

// Request is a wish for a job.
type Request struct {
	JobID    string // the same id is the same job
	Kind     string
	Params   map[string]string
	Owner    string // who may see it
	Callback *job.Callback
}

// Result is a job after a command.
type Result = handlers.Result[job.State]

// Start begins a job, or returns the one that was begun under the same id. Where
// another request began that, it is refused with [domain.ErrKeyReused].
func (s *Service) Start(ctx context.Context, meta eventstore.Metadata, request Request) (Result, error) {
	kind, known := s.kinds[request.Kind]
	if !known {
		return Result{}, errors.New("no kind of job is called " + request.Kind)
	}
	meta.CorrelationID = request.JobID
	result, err := s.handler().Handle(ctx, request.JobID, meta, job.Start{
		JobID: request.JobID, Kind: kind.Name, Params: request.Params, Owner: request.Owner, Cancellable: kind.Cancellable,
		Callback: request.Callback, At: s.Now().UTC(),
	})
	if err == nil && len(result.Events) == 0 {
		err = s.sameRequest(ctx, meta, request.JobID)
	}
	if err == nil {
		s.nudge(request.JobID)
	}
	return result, err
}

// sameRequest refuses another request than the one that began a job: the job
// itself does not tell that it has another secret, which is sealed anew each
// time.
func (s *Service) sameRequest(ctx context.Context, meta eventstore.Metadata, id string) error {
	for began, err := range s.Store.ReadStream(ctx, job.Decider.Stream(id), 0) {
		if err != nil {
			return fmt.Errorf("read job %s: %w", id, err)
		}
		of, err := began.Metadata()
		if err == nil && of.Fingerprint != "" && of.Fingerprint != meta.Fingerprint { // none was kept once
			err = domain.ErrKeyReused
		}
		return err
	}
	return nil
}

// nudge lets a runner in this process look at a job at once. Others find it on
// the to-do list.
func (s *Service) nudge(id string) {
	select {
	case s.started <- id:
	default:
	}
}

// Cancel asks for a job to be given up.
func (s *Service) Cancel(ctx context.Context, meta eventstore.Metadata, id string) (Result, error) {
	meta.CorrelationID = id
	result, err := s.handler().Handle(ctx, id, meta, job.RequestCancel{At: s.Now().UTC()})
	if err != nil {
		return result, err
	}
	s.mu.Lock()
	stop := s.running[id]
	s.mu.Unlock()
	if stop != nil {
		stop(job.ErrCancelled)
	}
	s.nudge(id)
	return result, nil
}

// Get returns a job, from the log; the error is [job.ErrNotFound] if there is
// none.
func (s *Service) Get(ctx context.Context, id string) (Result, error) {
	state, revision, err := eventstore.Load(ctx, s.Store, job.Decider, id)
	if err == nil && !state.Known() {
		err = job.ErrNotFound
	}
	return Result{State: state, Revision: revision}, err
}

func (s *Service) handler() handlers.CommandHandler[job.State, job.Command, job.Event] {
	return handlers.CommandHandler[job.State, job.Command, job.Event]{Store: s.Store, Decider: job.Decider}
}
