package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// TestPlatformsEachHaveABacklogProcess runs two platforms over one Postgres and
// one event store, each with a process that works off the past. One of these is
// killed, then one of the platforms, while endpoints catch up and another one
// is live.
func TestPlatformsEachHaveABacklogProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	f := startBackloggedFleet(ctx, t)
	f.miss(1000, 10)
	f.follow(ctx)
	for _, p := range f.behind {
		p.up.Store(true)
	}
	for _, p := range f.behind {
		f.servedBy(ctx, p, "")
	}

	first := f.behind[0]
	first.goesOn(ctx, t)
	f.kill(f.childOf(f.owner(ctx, first.id)))
	first.goesOn(ctx, t)
	f.servedBy(ctx, first, "")

	dead := f.platformOf(f.owner(ctx, first.id))
	gone := f.pidOf(dead)
	dead.kill()
	f.printed = dead.output()
	for _, p := range f.behind {
		f.servedBy(ctx, p, gone)
		if p.received() >= f.events {
			t.Fatal("everything was delivered before a platform was killed")
		}
	}
	dead.start(ctx)
	f.finish(ctx)
}

// backloggedFleet is two platforms with endpoints that have missed a lot, and
// one that has not.
type backloggedFleet struct {
	t         *testing.T
	platforms []*restarting
	pids      map[*restarting]string
	store     *eventstore.Client
	books     *ledger.Ledger
	behind    []*lateEndpoint
	live      *lateEndpoint
	events    int // that those behind have missed
	slow      atomic.Bool
	watching  sync.WaitGroup
	stop      context.CancelFunc
	later     int    // events that came live
	printed   string // by a platform that was killed
}

// lateEndpoint is a receiver, its endpoint, and who it was served by.
type lateEndpoint struct {
	*partner
	id string
	up atomic.Bool

	busy   map[string]bool // aggregates with a request under way
	served map[string]int  // owners seen
}

func startBackloggedFleet(ctx context.Context, t *testing.T) *backloggedFleet {
	t.Helper()
	node := &restartingNode{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	node.start()
	t.Cleanup(node.kill)
	url := databasetest.URL(t)
	f := &backloggedFleet{t: t, store: openLog(t, node.addr), pids: map[*restarting]string{}}
	f.slow.Store(true)
	for range 2 {
		p := &restarting{
			t: t, dir: t.TempDir(), addr: freeAddr(t),
			args: []string{
				"--eventstore", "esdb://" + node.addr + "?tls=false", "--roles", "api,projections,webhooks",
				"--webhooks-lease", "3s", "--webhooks-breaker-waits", "100ms",
			},
			env: []string{"WAYBILL_DATABASE=" + url, "WAYBILL_MASTER_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32))},
		}
		p.start(ctx)
		t.Cleanup(p.stop)
		f.platforms = append(f.platforms, p)
	}
	db, err := database.Open(ctx, database.Config{Path: "webhooks.db", Server: databasetest.Connect(t, url), Migrations: ledger.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f.books = &ledger.Ledger{Write: db.Write, Read: db.Read}
	f.behind = []*lateEndpoint{f.endpoint(ctx, "behind"), f.endpoint(ctx, "further behind")}
	t.Cleanup(func() {
		if t.Failed() {
			for _, p := range f.platforms {
				t.Logf("a platform's log:\n%s", p.output())
			}
		}
	})
	return f
}

// endpoint has an endpoint whose receiver is down.
func (f *backloggedFleet) endpoint(ctx context.Context, name string) *lateEndpoint {
	f.t.Helper()
	e := &lateEndpoint{partner: startPartner(f.t), busy: map[string]bool{}, served: map[string]int{}}
	receive := e.server.Config.Handler
	e.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer e.alone(r)()
		if e != f.live && f.slow.Load() {
			time.Sleep(150 * time.Millisecond)
		}
		receive.ServeHTTP(w, r)
	}))
	f.t.Cleanup(e.server.Close)
	known := f.endpoints(ctx)
	e.subscribe(ctx, f.platforms[0].api())
	eventually(ctx, f.t, 20*time.Second, func() error {
		for id := range f.endpoints(ctx) {
			if _, ok := known[id]; !ok {
				e.id = id
				return nil
			}
		}
		return errors.New("the endpoint " + name + " has no cursor")
	})
	return e
}

// goesOn waits for more messages.
func (e *lateEndpoint) goesOn(ctx context.Context, t *testing.T) {
	t.Helper()
	began := e.received()
	eventually(ctx, t, time.Minute, func() error {
		if n := e.received(); n < began+300 {
			return fmt.Errorf("%d messages came after the first %d", n-began, began)
		}
		return nil
	})
}

// alone sees that an aggregate has one request under way, until what it returns
// is called. Those of a process that was killed are over before anybody else
// may send.
func (e *lateEndpoint) alone(r *http.Request) func() {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var m message
	if err != nil || json.Unmarshal(body, &m) != nil {
		return func() {}
	}
	about := m.Aggregate.Type + " " + m.Aggregate.ID
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[about] && r.Context().Err() == nil {
		e.faults = append(e.faults, "two requests at once about "+about)
	}
	e.busy[about] = true
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.busy, about)
	}
}

// endpoints returns the live runs there are by their endpoints.
func (f *backloggedFleet) endpoints(ctx context.Context) map[string]ledger.Run {
	runs, err := f.books.Runs(ctx)
	live := map[string]ledger.Run{}
	for _, run := range runs {
		if err == nil && run.RunID == ledger.Live {
			live[run.EndpointID] = run
		}
	}
	return live
}

func (f *backloggedFleet) owner(ctx context.Context, id string) string {
	if run := f.endpoints(ctx)[id]; run.Served {
		return run.Owner
	}
	return ""
}

// miss records events while receivers are down.
func (f *backloggedFleet) miss(streams, each int) {
	f.t.Helper()
	b := &backlogged{t: f.t}
	b.record(f.t.Context(), f.store, streams, each)
	f.events = b.events
}

// follow has an endpoint that misses nothing, events for it, and an eye on who
// serves whom.
func (f *backloggedFleet) follow(ctx context.Context) {
	f.t.Helper()
	f.live = f.endpoint(ctx, "live")
	f.live.up.Store(true)
	ctx, f.stop = context.WithCancel(ctx)
	f.watching.Go(func() {
		for ; ctx.Err() == nil; f.later++ {
			id := fmt.Sprint("live-", f.later)
			_, err := f.store.Append(context.WithoutCancel(ctx), "order-"+id, eventstore.NoStream, eventstore.NewEvent{ID: eventstore.EventID(id, "test", 0), Event: placedOrder(id)})
			if err != nil {
				f.live.fault(err.Error())
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	f.watching.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			runs := f.endpoints(ctx)
			for _, e := range append([]*lateEndpoint{f.live}, f.behind...) {
				e.served[runs[e.id].Owner]++
			}
		}
	})
}

func ofBacklog(owner string) bool { return strings.HasSuffix(owner, "-backlog") }

// servedBy waits until a process that works off the past serves an endpoint,
// which is not that of a platform that was killed.
func (f *backloggedFleet) servedBy(ctx context.Context, e *lateEndpoint, not string) {
	f.t.Helper()
	eventually(ctx, f.t, 2*time.Minute, func() error {
		owner := f.owner(ctx, e.id)
		if !ofBacklog(owner) || (not != "" && strings.Contains(owner, "-"+not+"-")) {
			return fmt.Errorf("it is served by %q, after %d messages", owner, e.received())
		}
		return nil
	})
}

// platformOf returns the platform whose process works off the past by this name.
func (f *backloggedFleet) platformOf(owner string) *restarting {
	f.t.Helper()
	for _, p := range f.platforms {
		if strings.Contains(owner, "-"+f.pidOf(p)+"-") {
			return p
		}
	}
	f.t.Fatalf("%q is of no platform", owner)
	return nil
}

// childOf returns the process itself.
func (f *backloggedFleet) childOf(owner string) string {
	f.t.Helper()
	b := &backlogged{t: f.t, platform: f.platformOf(owner)}
	return b.process(f.t.Context(), "")
}

// pidOf asks a child who its parent is.
func (f *backloggedFleet) pidOf(p *restarting) string {
	f.t.Helper()
	for _, child := range p.now.Children() {
		text, err := os.ReadFile(filepath.Join("/proc", child, "stat")) //nolint:gosec // of a process of this test
		if _, fields, ok := strings.Cut(string(text), ") "); err == nil && ok {
			f.pids[p] = strings.Fields(fields)[1]
		}
	}
	return f.pids[p]
}

func (f *backloggedFleet) kill(pid string) {
	f.t.Helper()
	(&backlogged{t: f.t}).kill(pid)
}

// finish waits until everything has come, and judges.
func (f *backloggedFleet) finish(ctx context.Context) {
	f.t.Helper()
	f.slow.Store(false)
	f.stop()
	f.watching.Wait()
	for _, e := range append([]*lateEndpoint{f.live}, f.behind...) {
		want := f.later
		if e != f.live {
			want += f.events
		}
		eventually(ctx, f.t, 2*time.Minute, func() error {
			if n := e.received(); n < want {
				return fmt.Errorf("%d of %d messages came", n, want)
			}
			return nil
		})
		e.judge(f.t, want, f.lost(e.id))
	}
	for owner := range f.live.served {
		if ofBacklog(owner) {
			f.t.Errorf("the endpoint that is live was served by %s", owner)
		}
	}
}

// lost counts how often the lease of an endpoint was lost without a kill, as on a
// machine where processes have to wait for longer than it lasts.
func (f *backloggedFleet) lost(id string) (times int) {
	printed := f.printed
	for _, p := range f.platforms {
		printed += p.output()
	}
	for line := range strings.Lines(printed) {
		if strings.Contains(line, "stopped serving an endpoint") && strings.Contains(line, "endpoint="+id) {
			times++
		}
	}
	return times
}

// judge judges what came, with what may be repeated after kills and lost leases.
func (e *lateEndpoint) judge(t *testing.T, want, lost int) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.faults) > 0 {
		t.Errorf("%d faults, the first: %s", len(e.faults), e.faults[0])
	}
	const kills, unsaved = 2, 256
	if most := (kills + lost) * unsaved; e.repeats > most {
		t.Errorf("%d messages were repeated, %d are the most after %d kills and %d lost leases", e.repeats, most, kills, lost)
	}
	t.Logf("%d events, %d repeated, %d leases lost; owners, by samples: %v", want, e.repeats, lost, slices.Sorted(maps.Keys(e.served)))
}
