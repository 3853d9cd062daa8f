package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/inbox"
	"github.com/waybill-dev/waybill/handlers/effects/router"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/tracing/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Noted is the only event of these tests.
type Noted struct {
	Text string `json:"text"`
}

// EventName implements [domain.Event].
func (Noted) EventName() string { return "Noted" }

// bench is a store with a router over it.
type bench struct {
	client *eventstore.Client
	log    *logtest.Journal
	desk   *deadletters.Desk // nil lets nobody decide
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{log: &logtest.Journal{}}
	codec, err := eventstore.NewCodec(append(domain.EventTypes(Noted{}), deadletter.EventTypes()...)...)
	if err != nil {
		t.Fatal(err)
	}
	b.client, err = eventstore.NewClient(eventstore.Config{ConnectionString: nodetest.Start(t), Codec: codec, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.client.Close() })
	return b
}

// note appends events with these texts, each to a stream of its own.
func (b *bench) note(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := b.client.Append(t.Context(), "note-"+text, eventstore.NoStream,
			eventstore.NewEvent{ID: eventstore.EventID("note-"+text, "c", 0), Event: Noted{text}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// quick are times in which a test can wait.
var quick = router.Config{
	FirstRetry: time.Millisecond, LastRetry: 4 * time.Millisecond, OpenFor: 20 * time.Millisecond, Attempts: 5, Failures: 3,
}

// run runs effects until the test ends, or what it returns is called.
func (b *bench) run(t *testing.T, all ...router.Effect) (stop func()) {
	t.Helper()
	for i := range all {
		all[i].Types = []string{"Noted"}
	}
	r, err := router.New(router.Options{
		Client: b.client, DeadLetters: b.desk, Effects: all, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
		Now: time.Now, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// outside is a system outside, which counts what it was asked for.
type outside struct {
	mu    sync.Mutex
	asked map[string]int
	did   map[string]int
	fails func(text string, asked int) error
}

func newOutside(fails func(text string, asked int) error) *outside {
	return &outside{asked: map[string]int{}, did: map[string]int{}, fails: fails}
}

func (o *outside) handle(_ context.Context, r eventstore.Recorded) error {
	event, err := effects.Decode(r)
	if err != nil {
		return err
	}
	text := event.(Noted).Text
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked[text]++
	if o.fails != nil {
		if err := o.fails(text, o.asked[text]); err != nil {
			return err
		}
	}
	o.did[text]++
	return nil
}

func (o *outside) times(of func(*outside) map[string]int) map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(of(o))
}

func asked(o *outside) map[string]int { return o.asked }

func did(o *outside) map[string]int { return o.did }

func (o *outside) set(fails func(text string, asked int) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails = fails
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const longEnough = 30 * time.Second
	for end := time.Now().Add(longEnough); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after %s: %s", longEnough, what)
		}
	}
}

func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

var errDown = errors.New("connection refused")

func TestAFailureThatPassesIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := newOutside(func(_ string, asked int) error {
		if asked < 4 {
			return errDown
		}
		return nil
	})
	b.note(t, "a")
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
	waitFor(t, "the effect happened", func() bool { return o.times(did)["a"] == 1 })
	if got := o.times(asked)["a"]; got != 4 {
		t.Errorf("asked %d times, want 4", got)
	}
}

func TestWhatCannotBeHandledIsPutAside(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handle   func(text string) error
		attempts int
		told     string
	}{
		"a permanent error":        {func(string) error { return effects.Permanent(errors.New("no such address")) }, 1, "no such address"},
		"an error again and again": {func(string) error { return errDown }, quick.Attempts, "connection refused"},
		"a panic":                  {func(string) error { panic("index out of range") }, quick.Attempts, "index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			o := newOutside(func(text string, _ int) error {
				if text == "bad" {
					return tc.handle(text)
				}
				return nil
			})
			b.note(t, "bad", "good")
			b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
			waitFor(t, "the other event is handled", func() bool { return o.times(did)["good"] == 1 })
			var reasons []string
			waitFor(t, "the event is put aside", func() bool { reasons = b.parked(t, "mail"); return len(reasons) > 0 })
			var history struct {
				Attempts int
				Errors   []struct{ Error string }
			}
			if err := json.Unmarshal([]byte(reasons[0]), &history); err != nil {
				t.Fatalf("%s: %v", reasons[0], err)
			}
			if history.Attempts != tc.attempts || len(history.Errors) != tc.attempts || !strings.Contains(history.Errors[0].Error, tc.told) {
				t.Errorf("the reason is %+v", history)
			}
			if got := o.times(asked)["bad"]; got != tc.attempts {
				t.Errorf("asked %d times, want %d", got, tc.attempts)
			}
		})
	}
}

// parked are the reasons of what is put aside.
func (b *bench) parked(t *testing.T, handler string) (reasons []string) {
	t.Helper()
	for p, err := range b.client.Parked(t.Context(), handler, 0) {
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, p.Reason)
	}
	return reasons
}

// TestAnOutageKeepsTheBacklogInTheLog has an outside system that is down for a
// while, and one beside it that is not.
func TestAnOutageKeepsTheBacklogInTheLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	patient := quick
	patient.Attempts = 1000 // else the first two are given up where no others come in time to open the circuit
	down, up := newOutside(func(string, int) error { return errDown }), newOutside(nil)
	b.run(t, router.Effect{Name: "mail", Config: patient, Handle: down.handle},
		router.Effect{Name: "receipt", Config: quick, Handle: up.handle})
	all := names(40)
	b.note(t, all...)
	waitFor(t, "the other handler has all", func() bool { return len(up.times(did)) == len(all) })
	waitFor(t, "the circuit opened", func() bool { return strings.Count(b.log.String(), "state=open") > 3 })
	if got := b.parked(t, "mail"); len(got) > 0 {
		t.Errorf("put aside: %v", got)
	}
	if got := down.times(asked); len(got) == len(all) {
		t.Errorf("a system that is down was asked for all: %v", got)
	}
	down.set(nil)
	waitFor(t, "all is done when it is back", func() bool { return len(down.times(did)) == len(all) })
	if got := b.parked(t, "mail"); len(got) > 0 {
		t.Errorf("put aside: %v", got)
	}
}

func TestOneBadEventDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	patient := quick
	patient.Attempts, patient.Failures = 1000, 2
	o := newOutside(func(text string, _ int) error {
		if text == "0" {
			return errDown
		}
		return nil
	})
	b.run(t, router.Effect{Name: "mail", Config: patient, Handle: o.handle})
	all := names(20)
	b.note(t, all...)
	waitFor(t, "the others are done", func() bool { return len(o.times(did)) == len(all)-1 })
	waitFor(t, "the bad one is tried again", func() bool { return o.times(asked)["0"] > patient.Failures+2 })
	if text := b.log.String(); strings.Contains(text, "state=open") {
		t.Errorf("the circuit opened:\n%s", text)
	}
}

// TestOneEventThatWaitsForAnOutageIsNotPutAside has less to do than the circuit
// counts: the mail of the only order of the night.
func TestOneEventThatWaitsForAnOutageIsNotPutAside(t *testing.T) {
	t.Parallel()
	for name, mark := range marks() {
		t.Run(name, func(t *testing.T) { t.Parallel(); waitsForAnOutage(t, mark) })
	}
}

func marks() map[string]func(error) error {
	return map[string]func(error) error{"away": effects.Away, "doubtful": effects.Doubtful}
}

func waitsForAnOutage(t *testing.T, mark func(error) error) {
	t.Helper()
	b := newBench(t)
	o := newOutside(func(string, int) error { return mark(errDown) })
	config := quick
	config.Failures = 100
	b.run(t, router.Effect{Name: "mail", Config: config, Handle: o.handle})
	b.note(t, "only")
	waitFor(t, "it was tried long enough", func() bool { return o.times(asked)["only"] > 4*config.Attempts })
	if got := b.parked(t, "mail"); len(got) > 0 {
		t.Errorf("put aside: %v", got)
	}
	o.set(nil)
	waitFor(t, "it is handled", func() bool { return o.times(did)["only"] == 1 })
}

// TestAnEventThatAloneGetsNoAnswerIsPutAside has others succeed meanwhile.
func TestAnEventThatAloneGetsNoAnswerIsPutAside(t *testing.T) {
	t.Parallel()
	for name, mark := range marks() {
		t.Run(name, func(t *testing.T) { t.Parallel(); aloneGetsNoAnswer(t, mark) })
	}
}

func aloneGetsNoAnswer(t *testing.T, mark func(error) error) {
	t.Helper()
	b := newBench(t)
	o := newOutside(func(text string, _ int) error {
		if text == "bad" {
			return mark(errDown)
		}
		return nil
	})
	config := quick
	config.Failures = 100
	b.run(t, router.Effect{Name: "mail", Config: config, Handle: o.handle})
	b.note(t, "bad")
	for n := 0; len(b.parked(t, "mail")) == 0; n++ {
		b.note(t, fmt.Sprintf("good-%d", n))
		waitFor(t, "it is handled", func() bool { return o.times(did)[fmt.Sprintf("good-%d", n)] == 1 })
	}
	if got := o.times(did)["bad"]; got != 0 {
		t.Errorf("done %d times", got)
	}
}

func newInbox(t *testing.T, handler string) *inbox.Inbox {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{Path: filepath.Join(t.TempDir(), "effects.db"), Migrations: inbox.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &inbox.Inbox{DB: db, Handler: handler, Now: time.Now}
}

// TestOnceIsOnce has several processes that come and go, and an effect that fails
// now and then.
func TestOnceIsOnce(t *testing.T) {
	t.Parallel()
	b, box := newBench(t), newInbox(t, "mail")
	o := newOutside(func(text string, asked int) error {
		if (len(text)+asked)%2 == 0 {
			return errDown
		}
		return nil
	})
	config := quick
	config.Semantics, config.Failures = router.Once, 1000
	effect := router.Effect{Name: "mail", Config: config, Handle: o.handle, Inbox: box}
	all := names(60)
	b.note(t, all...)
	for range 5 {
		stop := b.run(t, effect)
		b.run(t, effect)
		stop()
	}
	waitFor(t, "all is done", func() bool { return len(o.times(did)) == len(all) })
	want := map[string]int{}
	for _, name := range all {
		want[name] = 1
	}
	if diff := cmp.Diff(want, o.times(did)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhatTheInboxHasIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	b, box := newBench(t), newInbox(t, "mail")
	o := newOutside(nil)
	b.note(t, "a", "b")
	if err := box.Do(t.Context(), eventstore.EventID("note-a", "c", 0).String(), func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	config := quick
	config.Semantics = router.Once
	b.run(t, router.Effect{Name: "mail", Config: config, Handle: o.handle, Inbox: box})
	waitFor(t, "the other is done", func() bool { return o.times(did)["b"] == 1 })
	if got := o.times(asked)["a"]; got != 0 {
		t.Errorf("asked %d times", got)
	}
}

func TestAtMostOnceIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := newOutside(func(string, int) error { return errDown })
	config := quick
	config.Semantics = router.AtMostOnce
	stop := b.run(t, router.Effect{Name: "count", Config: config, Handle: o.handle})
	all := names(20)
	b.note(t, all...)
	waitFor(t, "all were tried", func() bool { return len(o.times(asked)) == len(all) })
	stop()
	for text, n := range o.times(asked) {
		if n != 1 {
			t.Errorf("%s was tried %d times", text, n)
		}
	}
}

func TestAttemptsEndInTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config := quick
	config.Timeout, config.Attempts = time.Millisecond, 2
	b.note(t, "a")
	b.run(t, router.Effect{Name: "mail", Config: config, Handle: func(ctx context.Context, _ eventstore.Recorded) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	waitFor(t, "the event is put aside", func() bool { return len(b.parked(t, "mail")) == 1 })
}

func TestBadEffectsAreRefused(t *testing.T) {
	t.Parallel()
	ok := func(context.Context, eventstore.Recorded) error { return nil }
	for want, e := range map[string]router.Effect{
		"a name":          {Handle: ok, Types: []string{"Noted"}},
		"a function":      {Name: "mail", Types: []string{"Noted"}},
		"needs an inbox":  {Name: "mail", Types: []string{"Noted"}, Handle: ok, Config: router.Config{Semantics: router.Once}},
		"is none of":      {Name: "mail", Types: []string{"Noted"}, Handle: ok, Config: router.Config{Semantics: "twice"}},
		"below zero":      {Name: "mail", Types: []string{"Noted"}, Handle: ok, Config: router.Config{Attempts: -1}},
		"effect mail: se": {Name: "mail", Types: []string{"Noted"}, Handle: ok, Config: router.Config{Semantics: "twice"}},
	} {
		_, err := router.New(router.Options{Effects: []router.Effect{e}, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestWhatWaitsIsCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	goOn := make(chan struct{})
	o := newOutside(nil)
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: func(ctx context.Context, e eventstore.Recorded) error {
		select {
		case <-goOn:
			return o.handle(ctx, e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&router.Backlog{Client: b.client, Handlers: map[string][]string{"mail": {"Noted"}}, Now: time.Now})
	lag := func() (value float64) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "waybill_effect_lag_events" && len(family.GetMetric()) == 1 {
				value = family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return value
	}
	all := names(7)
	b.note(t, all...)
	waitFor(t, "seven wait", func() bool { return lag() == 7 })
	close(goOn)
	waitFor(t, "none waits", func() bool { return lag() == 0 && len(o.times(did)) == len(all) })
}

func TestBacklogIsMeasured(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.note(t, "bad", "good")
	o := newOutside(func(text string, _ int) error {
		if text == "bad" {
			return effects.Permanent(errDown)
		}
		return nil
	})
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&router.Backlog{Client: b.client, Handlers: map[string][]string{"mail": {"Noted"}, "nobody": {"Noted"}}, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	got := map[string]float64{}
	waitFor(t, "an event is put aside", func() bool {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, m := range family.GetMetric() {
				got[family.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
		return got["waybill_effect_parked mail"] == 1
	})
	if age := got["waybill_effect_parked_oldest_seconds mail"]; age < 3500 {
		t.Errorf("the oldest is put aside for %f s", age)
	}
	if got["waybill_effect_subscribers mail"] != 1 || got["waybill_effect_parked nobody"] != 0 {
		t.Errorf("got %v", got)
	}
}
