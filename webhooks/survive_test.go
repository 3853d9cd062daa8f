package webhooks_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// gap is a log in which somebody who appends an event of a type gets stuck,
// before or after it is recorded, so that he can be killed there.
type gap struct {
	eventLog
	mu      sync.Mutex
	at      string // stored name
	after   bool
	reached chan struct{}
}

func (g *gap) arm(at string, after bool) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.after, g.reached = at, after, make(chan struct{})
	return g.reached
}

// Append implements eventstore.Store.
func (g *gap) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	g.mu.Lock()
	stuck := g.at != "" && events[0].Event.EventName() == g.at
	after := g.after
	if stuck {
		g.at = ""
	}
	g.mu.Unlock()
	if !stuck {
		return g.eventLog.Append(ctx, stream, expected, events...)
	}
	if after {
		if _, err := g.eventLog.Append(ctx, stream, expected, events...); err != nil {
			return eventstore.Appended{}, err
		}
	}
	close(g.reached)
	<-ctx.Done()
	return eventstore.Appended{}, eventstore.ErrUnavailable
}

// chosenEvent is an event of the log as an owner names it.
func chosenEvent(t *testing.T, p *platform, stream string, revision eventstore.Revision) endpoint.Chosen {
	t.Helper()
	for r, err := range p.log.ReadStream(t.Context(), stream, revision) {
		if err != nil {
			t.Fatal(err)
		}
		return endpoint.Chosen{EventID: r.ID.String(), Stream: stream, Revision: uint64(revision), Position: uint64(r.Position)}
	}
	t.Fatalf("%s has no event %d", stream, revision)
	return endpoint.Chosen{}
}

// TestAResendSurvivesARestart: whether it was asked for while nobody delivered,
// or was known and not made yet.
func TestAResendSurvivesARestart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		known, kill bool
	}{{"asked for while nobody delivers", false, false}, {"known, then stopped", true, false}, {"known, then killed", true, true}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var busy atomic.Bool
				p, receiver, id, d := longer(t, func(time.Duration, string) reply {
					if busy.Load() {
						return reply{status: 503, header: http.Header{"Retry-After": {"600"}}}
					}
					return reply{status: 200}
				})
				p.append("o1", eventstore.NoStream, placed{}, noted{1})
				time.Sleep(time.Minute)
				again := chosenEvent(t, p, "order-o1", 0)
				resend := func() {
					if _, err := p.endpoints(nil).Resend(t.Context(), webhooks.Request{ID: id, Meta: meta()}, again); err != nil {
						t.Fatal(err)
					}
				}
				if row.known {
					busy.Store(true)
					p.append("o2", eventstore.NoStream, placed{}) // holds the endpoint
					time.Sleep(time.Minute)
					resend()
					time.Sleep(time.Minute)
				}
				if row.kill {
					d.crash()
				} else {
					d.stop()
				}
				if !row.known {
					resend()
				}
				busy.Store(false)
				for range 2 { // the second finds nothing to do
					d = p.start()
					time.Sleep(hours(13))
					d.stop()
				}
				times := 0
				for _, c := range receiver.all() {
					if c.ID == again.EventID && c.Status == 200 {
						times++
					}
				}
				if times != 2 {
					t.Errorf("it was delivered %d times, want once and once again: %v", times, receiver.all())
				}
			})
		})
	}
}

// TestWhatIsGivenUpIsToldOnce: wherever the dispatcher is killed while it tells.
func TestWhatIsGivenUpIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprint("killed when it is recorded: ", after), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, _, id, d := longer(t, func(time.Duration, string) reply { return reply{status: 500} })
				d.stop()
				log := &gap{eventLog: p.log}
				p.log = log
				reached := log.arm(endpoint.DeliveryExhausted{}.EventName(), after)
				p.config.Waits, p.config.GiveUp, p.config.Warn = []time.Duration{time.Minute}, hours(1000), []time.Duration{hours(900)}
				d = p.start()
				time.Sleep(hours(13)) // whoever was before owns it no more
				p.append("o1", eventstore.NoStream, placed{}, noted{1})
				<-reached
				d.crash()
				for range 2 {
					d = p.start()
					time.Sleep(hours(13))
					d.stop()
				}
				expect(t, "told", []string{"EndpointDeliveryExhausted", "EndpointDeliveryExhausted"}, told(t, p, id))
			})
		})
	}
}

// TestNothingIsToldOfMessagesAboutEndpoints: that would be told of, too, and so
// on for ever.
func TestNothingIsToldOfMessagesAboutEndpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, receiver, id, d := longer(t, func(time.Duration, string) reply { return reply{status: 500} })
		d.stop()
		p.config.Waits, p.config.GiveUp, p.config.Warn = []time.Duration{time.Minute}, hours(1000), []time.Duration{hours(900)}
		if _, err := p.endpoints(nil).TestOwn(t.Context(), webhooks.Request{ID: id, Meta: meta()}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			d = p.start()
			time.Sleep(hours(13))
			d.stop()
		}
		if n := len(receiver.all()); n < 2 {
			t.Fatalf("%d attempts, want both", n)
		}
		expect(t, "told", []string{"EndpointTested"}, told(t, p, id))
	})
}

// TestAReplayIsKilledAtEveryGap: it goes on where it was, with the same ids, in
// order, and is completed once.
func TestAReplayIsKilledAtEveryGap(t *testing.T) {
	t.Parallel()
	const orders = 20
	for name, row := range map[string]struct {
		event   string // that is being recorded
		after   bool
		message int // of the replay that is being answered
	}{
		"before anybody knew of it":        {},
		"its first message is answered":    {message: 1},
		"a message in between is answered": {message: 31},
		"its last message is answered":     {message: 3 * orders},
		"it is to be completed":            {event: endpoint.ReplayCompleted{}.EventName()},
		"it is completed":                  {event: endpoint.ReplayCompleted{}.EventName(), after: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { killedReplay(t, orders, row.event, row.after, row.message) })
		})
	}
}

func killedReplay(t *testing.T, orders int, event string, after bool, answered int) {
	t.Helper()
	p, receiver, id, d := longer(t, func(time.Duration, string) reply { return reply{status: 200} })
	d.stop()
	log := &gap{eventLog: p.log}
	p.log = log
	want := p.history("a", orders)
	d = p.start()
	time.Sleep(hours(13))
	reached := make(<-chan struct{})
	if event != "" {
		reached = log.arm(event, after)
	}
	seen, answering := 0, make(chan struct{})
	receiver.mu.Lock()
	receiver.byRun = func(run string, _ time.Duration) reply {
		if run != ledger.Live {
			if seen++; seen == answered {
				close(answering)
			}
		}
		return reply{status: 200}
	}
	receiver.mu.Unlock()
	if event == "" && answered == 0 {
		d.crash()
		db := p.database()
		defer db.Close()
		d = &process{Dispatcher: &webhooks.Dispatcher{Ledger: &ledger.Ledger{Write: db.Write, Read: db.Read}}, crash: func() {}}
	}
	replay := p.replay(d, id, webhooks.NewReplay{From: webhooks.Beginning})
	select {
	case <-reached:
		d.crash()
	case <-answering:
		d.crash()
	case <-time.After(time.Minute):
	}
	d = p.start()
	time.Sleep(hours(13))
	defer d.stop()
	if got := p.stateOf(d, replay); got.State != webhooks.ReplayCompleted {
		t.Fatalf("it is %s", got.State)
	}
	first, calls := map[string]int{}, 0
	for n, c := range receiver.all() {
		if c.Run != replay.ReplayID {
			continue
		}
		if _, ok := first[c.ID]; !ok {
			first[c.ID] = n + 1
		}
		calls++
	}
	for order, ids := range want {
		for i, id := range ids {
			if first[id] == 0 || (i > 0 && first[id] < first[ids[i-1]]) {
				t.Errorf("message %d of order %s came as %d, the one before as %d", i, order, first[id], first[ids[max(i-1, 0)]])
			}
		}
	}
	if len(first) != 3*orders || calls > 2*3*orders {
		t.Errorf("%d messages in %d attempts, want %d", len(first), calls, 3*orders)
	}
	completed := 0
	for _, name := range told(t, p, id) {
		if name == (endpoint.ReplayCompleted{}).EventName() {
			completed++
		}
	}
	if completed != 1 {
		t.Errorf("it was completed %d times", completed)
	}
}
