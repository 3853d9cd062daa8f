package webhooks_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// killEnv is how long dispatchers are killed under load: seconds by default,
// ten minutes for a run that is about it.
const killEnv = "WAYBILL_TEST_KILL_WEBHOOKS"

// window is the most deliveries to one endpoint that may be unsaved when a
// process is killed: the default of the dispatcher.
const window = 256

// account keeps account of what one endpoint received.
type account struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	bodies  map[string][32]byte
	last    map[string]int
	repeats int   // accepted again, since it was last asked
	epoch   int64 // of the cursor, when it was last asked
	most    int
	total   int
	faults  []string
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{t: t, bodies: map[string][32]byte{}, last: map[string]int{}}
	a.server = httptest.NewServer(a)
	t.Cleanup(a.server.Close)
	return a
}

// ServeHTTP fails now and then, and else follows the receiver's rule: what
// continues the last sequence is next, what is not above it is a repeat,
// anything else is a gap.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed in the middle
	}
	var m Message
	if err := json.Unmarshal(body, &m); err != nil || m.ID != r.Header.Get("Webhook-Id") {
		a.fault("body %q", body)
	}
	if rand.IntN(50) == 0 { //nolint:gosec // chance, no secret
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	sum := sha256.Sum256(body)
	if known, ok := a.bodies[m.ID]; ok {
		a.repeats++
		a.total++
		if known != sum {
			a.faults = append(a.faults, "another body for "+m.ID)
		}
		return
	}
	a.bodies[m.ID] = sum
	if last := a.last[m.Aggregate.ID]; m.Sequence != last+1 || (last > 0) != (m.Previous != nil) || (last > 0 && *m.Previous != last) {
		a.faults = append(a.faults, fmt.Sprintf("%s: sequence %d after %d", m.Aggregate.ID, m.Sequence, last))
	}
	a.last[m.Aggregate.ID] = m.Sequence
}

func (a *account) fault(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

func (a *account) received() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.bodies)
}

// turn judges the repeats since the last kill. On a slow machine a process may
// lose its short lease besides, and whoever has the cursor next repeats again:
// each epoch of the cursor may repeat a window.
func (a *account) turn(epoch int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	owners := max(epoch-a.epoch, 1)
	if a.most = max(a.most, a.repeats/int(owners)); a.repeats > window*int(owners) {
		a.faults = append(a.faults, fmt.Sprintf("%d repeats after one kill with %d owners, %d for each is the most", a.repeats, owners, window))
	}
	a.repeats, a.epoch = 0, max(epoch, a.epoch)
}

// field is a log under load, endpoints that keep account, and dispatchers.
type field struct {
	t        *testing.T
	p        *platform
	books    *ledger.Ledger
	accounts []*account
	ids      []string
	children []*child
	written  int
	stop     context.CancelFunc
	writers  sync.WaitGroup
}

const fieldOrders = 60

func newField(t *testing.T, e databasetest.Engine, processes, endpoints int, lease time.Duration) *field {
	t.Helper()
	node := nodetest.Start(t)
	f := &field{t: t, p: platformOf(t, connect(t, node))}
	keys := t.TempDir()
	f.p.useKeys(keys)
	path := filepath.Join(e.Dir, "webhooks.db")
	db := e.Open(t, "webhooks", ledger.Migrations())
	f.books = &ledger.Ledger{Write: db.Write, Read: db.Read}
	for range endpoints {
		a := newAccount(t)
		f.accounts = append(f.accounts, a)
		f.ids = append(f.ids, f.p.endpoint(a.server.URL, "*").ID)
	}
	for i := range processes {
		c := &child{t: t, cfg: childConfig{
			Node: node, Keys: keys, URL: e.URL, Path: path, Owner: fmt.Sprint("process-", i), Lease: lease,
			Waits: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, time.Second, time.Second, time.Second, time.Second, time.Second},
		}}
		c.start()
		f.children = append(f.children, c)
		t.Cleanup(func() { c.signal(syscall.SIGCONT); c.kill() })
	}
	f.write()
	return f
}

// write records events of some orders until it is stopped.
func (f *field) write() {
	ctx, stop := context.WithCancel(f.t.Context())
	f.stop = stop
	f.writers.Go(func() {
		for ; ctx.Err() == nil; f.written++ {
			f.note(f.written)
			time.Sleep(2 * time.Millisecond)
		}
	})
}

// note records an event, again until it is known to be there: this process may be
// stopped meanwhile for longer than an append may take.
func (f *field) note(n int) {
	order, after := fmt.Sprint("o", n%fieldOrders), eventstore.Revision(n/fieldOrders-1)
	event := eventstore.NewEvent{ID: eventstore.EventID("order-"+order, "test", int(after)+1), Event: noted{n}, Metadata: meta()}
	for {
		_, err := f.p.log.Append(f.t.Context(), "order-"+order, after, event)
		if err == nil {
			return
		}
		if !errors.Is(err, eventstore.ErrUnavailable) {
			f.t.Errorf("append to %s: %v", order, err)
			return
		}
	}
}

// finish waits until everything has arrived and judges the accounts.
func (f *field) finish(kills int) {
	f.t.Helper()
	f.stop()
	f.writers.Wait()
	for i, a := range f.accounts {
		last, since := 0, time.Now()
		for n := a.received(); n < f.written && time.Since(since) < 30*time.Second; n = a.received() {
			if n > last {
				last, since = n, time.Now()
			}
			time.Sleep(10 * time.Millisecond)
		}
		a.turn(f.epoch(i))
		a.mu.Lock()
		if n := len(a.bodies); n != f.written {
			f.t.Errorf("endpoint %d: %d of %d events arrived", i, n, f.written)
		}
		for _, fault := range a.faults[:min(len(a.faults), 5)] {
			f.t.Errorf("endpoint %d: %s", i, fault)
		}
		f.t.Logf("endpoint %d: %d events, %d kills or stops, %d repeats with equal ids and bodies, at most %d after one", i, f.written, kills, a.total, a.most)
		a.mu.Unlock()
	}
	if f.t.Failed() {
		for _, c := range f.children {
			f.t.Logf("%s: %s", c.cfg.Owner, c.output.String())
		}
	}
}

func (f *field) turn() {
	for i, a := range f.accounts {
		a.turn(f.epoch(i))
	}
}

// epoch returns how often the cursor of an endpoint got an owner; 0 when that
// cannot be read now.
func (f *field) epoch(i int) int64 {
	status, _, err := f.books.Status(f.t.Context(), ledger.Key{EndpointID: f.ids[i], RunID: ledger.Live})
	if err != nil {
		return 0
	}
	return status.Epoch
}

// owners returns which process has which endpoint.
func (f *field) owners() map[string]string {
	owners := map[string]string{}
	for _, id := range f.ids {
		status, _, err := f.books.Status(f.t.Context(), ledger.Key{EndpointID: id, RunID: ledger.Live})
		if err == nil {
			owners[id] = status.Owner
		}
	}
	return owners
}

func (f *field) ownedBy(owner string) bool {
	for _, has := range f.owners() {
		if has != owner {
			return false
		}
	}
	return true
}

// TestKilledDispatchersLoseNothing kills one dispatcher on SQLite, and one of
// two on Postgres, again and again under load.
func TestKilledDispatchersLoseNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		processes, length, every := 1, 4*time.Second, time.Second
		if e.Server != nil {
			processes = 2
		}
		if text := os.Getenv(killEnv); text != "" {
			var err error
			if length, err = time.ParseDuration(text); err != nil {
				t.Fatal(err)
			}
			every = 5 * time.Second
		}
		f := newField(t, e, processes, 2, 1500*time.Millisecond)
		eventually(t, "the first deliveries", func() bool { return f.accounts[0].received() > 100 })
		kills := int(length / every)
		for range kills {
			time.Sleep(every/2 + time.Duration(rand.Int64N(int64(every)))) //nolint:gosec // chance, no secret
			c := f.children[rand.IntN(processes)]                          //nolint:gosec // as above
			c.kill()
			f.turn()
			c.start()
		}
		f.finish(kills)
	})
}

// TestAProcessThatWakesAfterItsLeaseChangesNothing stops one of two
// dispatchers until the other has taken everything over.
func TestAProcessThatWakesAfterItsLeaseChangesNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		f := newField(t, e, 2, 2, 600*time.Millisecond)
		stops := 0
		for i := range 2 {
			stopped, other := f.children[i], f.children[1-i]
			before := f.accounts[0].received()
			eventually(t, "deliveries", func() bool { return f.accounts[0].received() > before+50 })
			stopped.signal(syscall.SIGSTOP)
			stops++
			taken := false
			patience := 5 * time.Second
			if e.Server != nil {
				patience = 25 * time.Second // Postgres frees after ten what one that stopped has locked
			}
			for end := time.Now().Add(patience); !taken && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				taken = f.ownedBy(other.cfg.Owner)
			}
			// One that is stopped while it writes holds the lock of a SQLite
			// file, so nobody can take over.
			if !taken && e.Server != nil {
				t.Errorf("%s did not take over", other.cfg.Owner)
			}
			f.turn()
			before = f.accounts[0].received()
			if taken {
				eventually(t, "deliveries by the other", func() bool { return f.accounts[0].received() > before+50 })
			}
			stopped.signal(syscall.SIGCONT)
			time.Sleep(300 * time.Millisecond)
			if taken && !f.ownedBy(other.cfg.Owner) {
				t.Errorf("the one that woke took something back: %v", f.owners())
			}
			f.turn()
		}
		f.finish(stops)
	})
}
