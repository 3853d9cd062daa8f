package process_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	domainprocess "github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store and the to-do list made from it. Its clock is ahead of that
// of the store: what is opened is due.
type world struct {
	t      *testing.T
	store  *eventstore.Client
	runner *projections.Runner
	start  time.Time
	passed atomic.Int64
	frozen atomic.Bool // the list does not follow

	mu    sync.Mutex
	calls map[string]int // of handlers, by order and task
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: handlertest.Connect(t, nodetest.Start(t)), start: time.Now().Add(time.Hour), calls: map[string]int{}}
	w.runner = w.open()
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		w.follow(ctx)
	}()
	t.Cleanup(func() { cancel(); <-followed })
	return w
}

// follow brings the list forward until the end, or until it is frozen.
func (w *world) follow(ctx context.Context) {
	feed := w.store.Feed(eventstore.FeedConfig{Prefixes: w.runner.Prefixes()})
	defer feed.Close()
	for page, err := feed.Next(ctx); err == nil && !w.frozen.Load(); page, err = feed.Next(ctx) {
		if err := w.runner.Apply(ctx, page); err != nil && ctx.Err() == nil {
			w.t.Error(err)
		}
	}
}

// catchUp waits until the list has everything that was recorded before.
func (w *world) catchUp(ctx context.Context) error {
	last, err := w.store.Append(ctx, "order-mark", eventstore.Any, eventstore.NewEvent{ID: uuid.New(), Event: order.OrderTagged{}})
	if err != nil || w.frozen.Load() {
		return err
	}
	return w.runner.WaitFor(ctx, last.Position)
}

func (w *world) open() *projections.Runner {
	w.t.Helper()
	r, err := projections.Open(w.t.Context(), projections.Tasks{}, projections.Config{
		Dir: w.t.TempDir(), Store: w.store, Logger: slog.New(slog.DiscardHandler), Now: w.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = r.Close() })
	return r
}

func (w *world) now() time.Time          { return w.start.Add(time.Duration(w.passed.Load())) }
func (w *world) advance(d time.Duration) { w.passed.Add(int64(d)) }

// Due implements [process.Tasks] on the read model, brought up to date first.
func (w *world) Due(ctx context.Context, now time.Time, after process.Task, limit int) (tasks []process.Task, err error) {
	if err := w.catchUp(ctx); err != nil {
		return nil, err
	}
	rows, err := projections.TaskQueries{DB: w.runner.Read()}.Due(ctx, now, projections.TaskRow{
		OrderID: after.OrderID, NextAt: after.NextAt, Task: domainprocess.Task{Kind: after.Kind, Ref: after.Ref},
	}, limit)
	for _, r := range rows {
		tasks = append(tasks, process.Task{
			OrderID: r.OrderID, Kind: r.Task.Kind, Ref: r.Task.Ref, Cause: r.Task.OpenedBy,
			OpenedAt: r.OpenedAt, Position: r.Position, DueAt: r.DueAt, NextAt: r.NextAt, Failures: r.Failures,
		})
	}
	return tasks, err
}

func (w *world) processor(handlers map[process.Kind]process.Handler) *process.Processor {
	for kind, handle := range handlers {
		handlers[kind] = func(ctx context.Context, t process.Task) error {
			w.mu.Lock()
			w.calls[t.OrderID+" "+t.Key()]++
			w.mu.Unlock()
			return handle(ctx, t)
		}
	}
	return &process.Processor{
		Tasks: w, Handlers: handlers, Store: w.store, Now: w.now, Random: func() float64 { return 0.5 },
		Logger: slog.New(slog.DiscardHandler), Interval: 5 * time.Millisecond,
	}
}

func (w *world) called(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[what]
}

func (w *world) record(stream string, events ...domain.Event) {
	w.t.Helper()
	for _, e := range events {
		id := eventstore.EventID(stream, fmt.Sprintf("%#v", e), 0)
		if _, err := w.store.Append(w.t.Context(), stream, eventstore.Any, eventstore.NewEvent{ID: id, Event: e}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// refund asks for a refund, which is one task.
func (w *world) refund(orderID, id string) {
	w.record("order-"+orderID, order.OrderRefundRequested{OrderID: orderID, RefundID: id})
}

func (w *world) round(p *process.Processor) {
	w.t.Helper()
	if err := p.Round(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// history returns an order's process in words.
func (w *world) history(orderID string) (words []string) {
	w.t.Helper()
	for recorded, err := range w.store.ReadStream(w.t.Context(), "orderpm-"+orderID, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		event, err := recorded.Decode()
		if err != nil {
			w.t.Fatal(err)
		}
		switch e := event.(type) {
		case domainprocess.ProcessTaskFailed:
			words = append(words, fmt.Sprintf("%s failed %d, again in %s: %s", e.Ref, e.Attempt, e.RetryAt.Sub(w.now()), e.Cause))
		case domainprocess.ProcessAlarmRaised:
			words = append(words, fmt.Sprintf("%s alarm after %d", e.Ref, e.Failures))
		case domainprocess.ProcessTaskDone:
			words = append(words, fmt.Sprintf("%s done after %d", e.Ref, e.Failures))
		default:
			words = append(words, event.EventName())
		}
	}
	return words
}

func (w *world) expect(orderID string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.history(orderID)); diff != "" {
		w.t.Errorf("process of %s (-want +got):\n%s", orderID, diff)
	}
}

var errWanted = errors.New("no answer")

func fails(context.Context, process.Task) error    { return errWanted }
func succeeds(context.Context, process.Task) error { return nil }

func TestATaskThatFailsIsTriedForEverLessAndLessOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refund("o", "r")
	healthy := false
	handlers := map[process.Kind]process.Handler{process.Refund: func(context.Context, process.Task) error {
		if healthy {
			return nil
		}
		return errWanted
	}}
	p := w.processor(handlers)
	waits := []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, time.Hour}
	for i, wait := range waits {
		w.round(p)
		history := w.history("o")
		want := fmt.Sprintf("r failed %d, again in %s: no answer", i+1, wait)
		if i+1 == 5 {
			if history[len(history)-1] != "r alarm after 5" {
				t.Errorf("no alarm: %q", history)
			}
			history = history[:len(history)-1]
		}
		if got := history[len(history)-1]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		w.advance(wait - time.Millisecond)
		w.round(p)
		if n := w.called("o refund:r"); n != i+1 {
			t.Fatalf("%d calls before the time has come, want %d", n, i+1)
		}
		w.advance(time.Millisecond)
		if i == 3 { // another process goes on where this one was
			p = w.processor(nil)
			p.Handlers = handlers
		}
	}
	healthy = true
	w.round(p)
	history := w.history("o")
	if got := history[len(history)-1]; got != "r done after 8" || len(history) != 10 {
		t.Errorf("%q", history)
	}
	w.advance(time.Hour)
	w.round(p)
	if n := w.called("o refund:r"); n != 9 {
		t.Errorf("%d calls, want 9", n)
	}
}

func TestOneTaskHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record("order-a", order.OrderShipped{OrderID: "a", ShipmentID: "s"}, order.OrderReturnReceived{OrderID: "a", ReturnID: "back"}, order.OrderEdited{OrderID: "a", EditID: "e"}, order.OrderHeld{OrderID: "a", HoldID: "h", Until: w.now()})
	w.refund("a", "r")
	w.refund("b", "r")
	p := w.processor(map[process.Kind]process.Handler{
		process.Return:    fails,
		process.ShipStock: func(context.Context, process.Task) error { panic("out of bounds") },
		process.Refund:    succeeds,
		process.Edit: func(context.Context, process.Task) error {
			return &process.NotYetError{After: time.Minute, For: "the capture"}
		},
		process.ReleaseHold: func(context.Context, process.Task) error {
			return fmt.Errorf("stock: %w", eventstore.ErrUnavailable)
		},
	})
	w.round(p)
	w.expect("b", "r done after 0")
	w.expect("a", "s failed 1, again in 1s: the handler panicked: out of bounds", "back failed 1, again in 1s: no answer", "r done after 0")
	w.advance(59 * time.Second)
	w.round(p)
	if n := w.called("a edit:e"); n != 1 {
		t.Errorf("%d calls before there was something to see, want 1", n)
	}
	w.advance(time.Second)
	w.round(p)
	if edits, releases := w.called("a edit:e"), w.called("a release-hold:h"); edits != 2 || releases != 3 {
		t.Errorf("%d and %d calls, want 2 and 3", edits, releases)
	}
}

func TestTasksOfAnOrderAreDoneInTheOrderTheyWereOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var refs []string
	for i := range 20 {
		w.refund("o", fmt.Sprint("r", i))
	}
	under := atomic.Int32{}
	w.round(w.processor(map[process.Kind]process.Handler{process.Refund: func(_ context.Context, task process.Task) error {
		if under.Add(1) != 1 {
			t.Error("two tasks of an order at once")
		}
		defer under.Add(-1)
		mu.Lock()
		defer mu.Unlock()
		refs = append(refs, task.Ref)
		return nil
	}}))
	if len(refs) != 20 || refs[0] != "r0" || refs[9] != "r9" || refs[19] != "r19" {
		t.Errorf("done: %v", refs)
	}
}

// What a hold keeps waiting is not even looked at, and done when it is over.
func TestWhatAHoldKeepsWaitingIsNotLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record("order-o", order.OrderShipped{OrderID: "o", ShipmentID: "s"}, order.OrderFulfilmentRequested{OrderID: "o", RequestID: "f"})
	w.record("order-o", order.OrderHeld{OrderID: "o", HoldID: "h"})
	p := w.processor(map[process.Kind]process.Handler{process.Capture: succeeds, process.Fulfil: succeeds, process.ShipStock: succeeds})
	for range 3 {
		w.round(p)
		w.advance(time.Minute)
	}
	w.expect("o", "s done after 0")
	if listed := w.rows(w.runner); len(listed) != 0 {
		t.Errorf("still listed: %+v", listed)
	}
	w.record("order-o", order.OrderHoldReleased{OrderID: "o"})
	w.round(p)
	w.expect("o", "s done after 0", "s done after 0", "f done after 0")
}

// errKilled is the end of a process.
var errKilled = errors.New("killed")

func TestWorkIsFinishedAfterTheEndOfAProcess(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"handled refund:r", "recorded refund:r"} {
		w := newWorld(t)
		w.refund("o", "r")
		p := w.processor(map[process.Kind]process.Handler{process.Refund: succeeds})
		p.Fault = func(step string) error {
			if step == at {
				return errKilled
			}
			return nil
		}
		w.round(p)
		w.round(w.processor(map[process.Kind]process.Handler{process.Refund: succeeds}))
		w.expect("o", "r done after 0")
	}
}

func TestAListThatLagsCausesNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refund("o", "done")
	w.refund("o", "failed")
	handlers := map[process.Kind]process.Handler{process.Refund: func(_ context.Context, task process.Task) error {
		if task.Ref == "failed" {
			return errWanted
		}
		return nil
	}}
	p := w.processor(handlers)
	if err := w.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.frozen.Store(true)
	w.round(p)
	w.advance(900 * time.Millisecond)
	for range 3 {
		another := w.processor(nil)
		another.Handlers = p.Handlers
		w.round(another)
	}
	if done, failed := w.called("o refund:done"), w.called("o refund:failed"); done != 1 || failed != 1 {
		t.Errorf("%d and %d calls, want 1 each", done, failed)
	}
}

func TestWhatWasOpenedAgainMeanwhileIsDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record("order-o", order.OrderReopened{OrderID: "o", Reason: "one"})
	w.advance(30 * 24 * time.Hour)
	p := w.processor(map[process.Kind]process.Handler{process.Complete: func(context.Context, process.Task) error {
		if w.called("o complete:order") == 1 {
			w.record("order-o", order.OrderReopened{OrderID: "o", Reason: "two"})
		}
		return nil
	}})
	w.round(p)
	w.round(p)
	w.expect("o", "order done after 0", "order done after 0")
}

func TestAnOperatorRetriesAndGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refund("o", "r")
	p := w.processor(map[process.Kind]process.Handler{process.Refund: fails})
	for range 4 {
		w.round(p)
		w.advance(10 * time.Minute)
	}
	w.round(p) // in ten minutes again
	task := domainprocess.Task{Kind: process.Refund, Ref: "r"}
	for recorded, err := range w.store.ReadStream(t.Context(), "order-o", 0) {
		if err != nil {
			t.Fatal(err)
		}
		task.OpenedBy = recorded.ID.String()
	}
	w.record("orderpm-o", domainprocess.ProcessTaskRetried{OrderID: "o", Task: task})
	w.advance(2 * time.Second)
	w.round(p)
	if n := w.called("o refund:r"); n != 6 {
		t.Errorf("%d calls, want 6", n)
	}
	w.record("orderpm-o", domainprocess.ProcessTaskAbandoned{OrderID: "o", Task: task, Reason: "by hand"})
	w.advance(time.Hour)
	w.round(p)
	if n := w.called("o refund:r"); n != 6 {
		t.Errorf("%d calls after it was given up, want 6", n)
	}
}

// Whoever waits for the next attempt does not wait any longer once there is
// news: a callback of the gateway brought the money.
func TestNewsMakeATaskDueThatWaitsForItsNextAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o", Amount: domain.Money{Amount: 100, Currency: "EUR"}, ByHand: true, RequestedAt: w.now()}
	w.record("order-o", order.OrderPlaced{OrderID: "o"})
	w.record("payment-p", asked)
	p := w.processor(map[process.Kind]process.Handler{process.Pay: fails})
	for range 6 {
		w.advance(20 * time.Minute)
		w.round(p)
	}
	before := w.called("o pay:p")
	w.advance(time.Minute)
	w.round(p)
	if n := w.called("o pay:p"); n != before || n < 5 {
		t.Fatalf("%d calls, and %d before the next was due; want at least 5 and as many", n, before)
	}
	w.record("payment-p", payment.PaymentAuthorised{PaymentID: "p", Amount: asked.Amount})
	w.advance(time.Minute)
	w.round(p)
	if n := w.called("o pay:p"); n != before+1 {
		t.Errorf("%d calls after the money came, want %d", n, before+1)
	}
}

// away is a store that cannot be reached for a while.
type away struct {
	eventstore.Store
	appends atomic.Int32
	healthy atomic.Bool
}

func (s *away) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	s.appends.Add(1)
	if !s.healthy.Load() {
		return eventstore.Appended{}, fmt.Errorf("append to %s: %w", stream, eventstore.ErrUnavailable)
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func TestAnOutageOfTheStoreIsNoFailureOfTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 40 {
		w.refund(fmt.Sprint("o", i), "r")
	}
	store := &away{Store: w.store}
	p := w.processor(map[process.Kind]process.Handler{process.Refund: fails})
	p.Store, p.Workers = store, 4
	w.round(p)
	w.round(p)
	if n := store.appends.Load(); n > 4 {
		t.Errorf("%d appends were tried while the store was away, want one of each worker", n)
	}
	store.healthy.Store(true)
	w.advance(time.Second)
	w.round(p)
	for i := range 40 {
		if got := w.history(fmt.Sprint("o", i)); len(got) != 1 {
			t.Errorf("order %d: %q, want one failure", i, got)
		}
	}
}

func TestTwoProcessesDoEverythingOnceAndARebuildSeesTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const orders = 60
	for i := range orders {
		w.record(fmt.Sprint("order-o", i), order.OrderShipped{OrderID: fmt.Sprint("o", i), ShipmentID: "s"}, order.OrderReopened{OrderID: fmt.Sprint("o", i)})
		w.refund(fmt.Sprint("o", i), "r")
	}
	var working sync.WaitGroup
	for range 2 {
		p := w.processor(map[process.Kind]process.Handler{
			process.Refund: succeeds, process.ShipStock: succeeds, process.Capture: func(_ context.Context, task process.Task) error {
				if task.Failures == 0 {
					return errWanted
				}
				return nil
			},
		})
		working.Go(func() {
			for range 3 {
				if err := p.Round(t.Context()); err != nil {
					t.Error(err)
				}
				w.advance(2 * time.Second)
			}
		})
	}
	working.Wait()
	for i := range orders {
		done := map[string]int{}
		for recorded, err := range w.store.ReadStream(t.Context(), fmt.Sprint("orderpm-o", i), 0) {
			if err != nil {
				t.Fatal(err)
			}
			event, err := recorded.Decode()
			if err != nil {
				t.Fatal(err)
			}
			switch e := event.(type) {
			case domainprocess.ProcessTaskDone:
				done[string(e.Kind)]++
			case domainprocess.ProcessTaskFailed:
				done["failed"]++
			}
		}
		if diff := cmp.Diff(map[string]int{"capture": 1, "ship-stock": 1, "refund": 1, "failed": 1}, done); diff != "" {
			t.Errorf("order %d (-want +got):\n%s", i, diff)
		}
	}
	if err := w.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	live := w.rows(w.runner)
	rebuilt := w.open()
	feed := w.store.Feed(eventstore.FeedConfig{Prefixes: rebuilt.Prefixes(), PageSize: 7})
	defer feed.Close()
	for rebuilt.Position() < w.runner.Position() {
		page, err := feed.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := rebuilt.Apply(t.Context(), page); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(live, w.rows(rebuilt)); diff != "" || len(live) != orders {
		t.Errorf("%d rows; rebuilt (-live +rebuilt):\n%s", len(live), diff)
	}
}

// rows returns everything that is on a list, however late it is due.
func (w *world) rows(r *projections.Runner) []projections.TaskRow {
	w.t.Helper()
	rows, err := projections.TaskQueries{DB: r.Read()}.Due(w.t.Context(), w.now().AddDate(1, 0, 0), projections.TaskRow{}, 1_000_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// What is on a list that is being made anew may have been done long ago.
func TestNothingIsDoneBeforeTheListIsComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refund("o", "r")
	done := make(chan struct{})
	p := w.processor(map[process.Kind]process.Handler{process.Refund: func(context.Context, process.Task) error {
		close(done)
		return nil
	}})
	asked := 0
	p.Ready = func(context.Context) (bool, error) {
		if asked++; asked < 5 && w.called("o refund:r") > 0 {
			t.Error("it is done too early")
		}
		if asked == 2 {
			return false, errWanted
		}
		return asked == 5, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- p.Run(ctx) }()
	<-done
	cancel()
	if err := <-stopped; err != nil || asked != 5 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

func TestARunningProcessorSeesWhatComesAndStopsWithItsWorkDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	p := w.processor(map[process.Kind]process.Handler{process.Refund: func(ctx context.Context, _ process.Task) error {
		close(begun)
		<-finish
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- p.Run(ctx) }()
	w.refund("o", "r")
	<-begun
	w.refund("o2", "r") // too late
	cancel()
	close(finish)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	w.expect("o", "r done after 0")
}
