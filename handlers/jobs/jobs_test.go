package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/jobs"
)

var (
	noon     = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	errAway  = errors.New("away")
	errCrash = errors.New("the process ended")
	errRule  = domain.Rule("of-the-tests", "a rule said no")
)

// clock is moved by hand.
type clock struct{ nanos atomic.Int64 }

func (c *clock) Now() time.Time          { return noon.Add(time.Duration(c.nanos.Load())) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// everything lists all jobs of a test: what the log says of them decides.
type everything []string

func (e everything) Due(context.Context, time.Time) ([]string, error) { return e, nil }

// phone takes callbacks and answers them in turn.
type phone struct {
	mu      sync.Mutex
	answers []jobs.Answer
	calls   []jobs.Callback
}

func (p *phone) Post(_ context.Context, c jobs.Callback) jobs.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
	if len(p.answers) == 0 {
		return jobs.Answer{Delivered: true, HTTPStatus: 204}
	}
	answer := p.answers[0]
	p.answers = p.answers[1:]
	return answer
}

// bench is a store with jobs in it.
type bench struct {
	t     *testing.T
	store *eventstore.Client
	clock *clock
	phone *phone
	log   bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{t: t, store: handlertest.Start(t), clock: &clock{}, phone: &phone{}}
}

// process is another process that knows a kind of job.
func (b *bench) process(cancellable bool, run func(context.Context, *jobs.Run) (map[string]any, error)) *jobs.Runner {
	return &jobs.Runner{
		Service:   jobs.New(b.store, b.clock.Now, jobs.Kind{Name: "count", Cancellable: cancellable, Run: run}),
		Todo:      everything{"j1"},
		Callbacks: b.phone, Document: func(s job.State) ([]byte, error) { return []byte(s.Status), nil },
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)), CallbackWaits: []time.Duration{time.Minute, time.Hour},
	}
}

func (b *bench) start(r *jobs.Runner, callback bool) {
	b.t.Helper()
	request := jobs.Request{JobID: "j1", Kind: "count", Params: map[string]string{"to": "3"}, Owner: "k1"}
	if callback {
		request.Callback = &job.Callback{URL: "https://shop.example/jobs"}
	}
	if _, err := r.Service.Start(b.t.Context(), eventstore.Metadata{CommandID: "start"}, request); err != nil {
		b.t.Fatal(err)
	}
}

// round lets a process work through what is due.
func (b *bench) round(r *jobs.Runner) job.State {
	b.t.Helper()
	if err := r.Round(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	r.Wait()
	return b.state()
}

func (b *bench) state() job.State {
	b.t.Helper()
	state, _, err := eventstore.Load(b.t.Context(), b.store, job.Decider, "j1")
	if err != nil {
		b.t.Fatal(err)
	}
	return state
}

// events are the names of what was recorded of the job.
func (b *bench) events() (names []string) {
	b.t.Helper()
	for r, err := range b.store.ReadStream(b.t.Context(), "job-j1", 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		names = append(names, r.Type)
	}
	return names
}

func counted(context.Context, *jobs.Run) (map[string]any, error) {
	return map[string]any{"n": float64(3)}, nil
}

func TestAJobIsRunOnceAndItsEndIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.process(false, counted)
	b.start(r, true)
	b.start(r, true)
	state := b.round(r)
	if state.Status != job.Succeeded || state.Result["n"] != float64(3) || state.CallbackStatus != job.CallbackDelivered {
		t.Errorf("the job is %+v", state)
	}
	b.round(r)
	if want := []string{"JobStarted", "JobSucceeded", "JobCallbackDelivered"}; !slices.Equal(b.events(), want) {
		t.Errorf("recorded %v, want %v", b.events(), want)
	}
	if len(b.phone.calls) != 1 || string(b.phone.calls[0].Body) != "succeeded" || b.phone.calls[0].ID != jobs.CallbackID("j1") {
		t.Errorf("called %v", b.phone.calls)
	}
}

func TestAJobIsFinishedAfterACrashAnywhere(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"taken", "ended", "told"} {
		b := newBench(t)
		first := b.process(false, counted)
		first.Fault = func(at string) error {
			if at == step {
				return errCrash
			}
			return nil
		}
		b.start(first, true)
		b.round(first)
		state := b.round(b.process(false, counted))
		if state.Status != job.Succeeded || state.CallbackStatus != job.CallbackDelivered {
			t.Errorf("after a crash at %s the job is %s, told %s", step, state.Status, state.CallbackStatus)
		}
		if want := []string{"JobStarted", "JobSucceeded", "JobCallbackDelivered"}; !slices.Equal(b.events(), want) {
			t.Errorf("after a crash at %s: recorded %v, want %v", step, b.events(), want)
		}
	}
}

func TestAnInterruptedJobGoesOnAtItsMark(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, stop := context.WithCancel(t.Context())
	first := b.process(false, func(ctx context.Context, run *jobs.Run) (map[string]any, error) {
		if err := run.Progress(ctx, 2, 3, "two"); err != nil {
			t.Error(err)
		}
		stop() // the process is stopped
		<-ctx.Done()
		return nil, ctx.Err()
	})
	b.start(first, false)
	if err := first.Round(ctx); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	var mark string
	state := b.round(b.process(false, func(_ context.Context, run *jobs.Run) (map[string]any, error) {
		mark = run.Job.Mark
		return nil, nil
	}))
	if mark != "two" || state.Status != job.Succeeded || state.Attempts != 0 {
		t.Errorf("went on at %q and came to %+v", mark, state)
	}
}

func TestAJobThatFailsIsTriedAgainForEver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	away := true
	r := b.process(false, func(context.Context, *jobs.Run) (map[string]any, error) {
		if away {
			return nil, errAway
		}
		return nil, nil
	})
	b.start(r, false)
	for attempt, wait := range []time.Duration{
		time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, time.Hour, time.Hour,
	} {
		state := b.round(r)
		if state.Attempts != attempt+1 || !state.DueAt.Equal(b.clock.Now().Add(wait)) {
			t.Fatalf("after %d failures: %d attempts, due %s, want %s later", attempt+1, state.Attempts, state.DueAt, wait)
		}
		if alarmed := strings.Contains(b.log.String(), "level=ERROR"); alarmed != (attempt+1 >= 5) {
			t.Errorf("after %d failures people are told: %v", attempt+1, alarmed)
		}
		b.clock.advance(wait - 1)
		if b.round(r).Attempts != attempt+1 {
			t.Fatal("it was tried too early")
		}
		b.clock.advance(1)
	}
	away = false
	if state := b.round(r); state.Status != job.Succeeded {
		t.Errorf("the job is %s", state.Status)
	}
}

func TestHowAttemptsEnd(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		run    func(context.Context, *jobs.Run) (map[string]any, error)
		status job.Status
		code   string
		cause  string
	}{
		"a rule refuses it":   {func(context.Context, *jobs.Run) (map[string]any, error) { return nil, fmt.Errorf("try: %w", errRule) }, job.Failed, "of-the-tests", ""},
		"it panics":           {func(context.Context, *jobs.Run) (map[string]any, error) { panic("oh") }, job.Running, "", "the job panicked: oh"},
		"it succeeds":         {counted, job.Succeeded, "", ""},
		"it fails for a time": {func(context.Context, *jobs.Run) (map[string]any, error) { return nil, errAway }, job.Running, "", "away"},
	} {
		b := newBench(t)
		r := b.process(false, row.run)
		b.start(r, false)
		state := b.round(r)
		if state.Status != row.status || state.Code != row.code || !strings.Contains(b.log.String(), row.cause) {
			t.Errorf("%s: %s %q, log %s", name, state.Status, state.Code, &b.log)
		}
	}
}

func TestAJobIsCancelledFromHereAndFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		b := newBench(t)
		running := make(chan struct{})
		r := b.process(true, func(ctx context.Context, run *jobs.Run) (map[string]any, error) {
			close(running)
			if !elsewhere {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			for n := 0; ; n++ {
				b.clock.advance(time.Second)
				if err := run.Progress(ctx, n, 0, ""); err != nil {
					return nil, fmt.Errorf("count: %w", err)
				}
			}
		})
		b.start(r, false)
		if err := r.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-running
		service := r.Service
		if elsewhere {
			service = b.process(true, counted).Service
		}
		var err error
		for err = eventstore.ErrConflict; errors.Is(err, eventstore.ErrConflict); { // the job keeps winning
			_, err = service.Cancel(t.Context(), eventstore.Metadata{CommandID: "cancel"}, "j1")
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Wait()
		if state := b.round(r); state.Status != job.Cancelled {
			t.Errorf("the job is %s", state.Status)
		}
	}
}

func TestACallbackIsTriedUntilItIsTakenOrGivenUp(t *testing.T) {
	t.Parallel()
	busy := jobs.Answer{HTTPStatus: 503, Cause: "http_5xx"}
	for name, row := range map[string]struct {
		answers []jobs.Answer
		want    job.CallbackStatus
		calls   int
	}{
		"taken at last":             {[]jobs.Answer{busy, busy}, job.CallbackDelivered, 3},
		"given up":                  {[]jobs.Answer{busy, busy, busy, busy}, job.CallbackGivenUp, 3},
		"nobody wants it":           {[]jobs.Answer{{HTTPStatus: 410, Cause: "gone", GiveUp: true}}, job.CallbackGivenUp, 1},
		"the receiver asks to wait": {[]jobs.Answer{{HTTPStatus: 503, RetryAfter: 2 * time.Hour}}, job.CallbackDelivered, 2},
	} {
		b := newBench(t)
		b.phone.answers = row.answers
		r := b.process(false, counted)
		b.start(r, true)
		state := b.round(r)
		for range 10 {
			if state.CallbackStatus != job.CallbackPending {
				break
			}
			calls := len(b.phone.calls)
			b.clock.advance(state.CallbackDueAt.Sub(b.clock.Now()) - 1)
			if b.round(r); len(b.phone.calls) != calls {
				t.Errorf("%s: called too early", name)
			}
			b.clock.advance(1)
			state = b.round(b.process(false, counted)) // another process, for what waits is in the log
		}
		if state.CallbackStatus != row.want || len(b.phone.calls) != row.calls {
			t.Errorf("%s: %s after %d calls, want %s after %d", name, state.CallbackStatus, len(b.phone.calls), row.want, row.calls)
		}
	}
}

func TestAJobStartsAtOnceInItsOwnProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	done := make(chan struct{})
	r := b.process(false, func(context.Context, *jobs.Run) (map[string]any, error) { close(done); return nil, nil })
	r.Todo, r.Interval = everything{}, time.Hour
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	b.start(r, false)
	<-done
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
