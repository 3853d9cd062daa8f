package projections_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// instance is one process with read models, over a real event store.
type instance struct {
	t      *testing.T
	client *eventstore.Client
	set    *projections.Set
	stop   func()
}

// inParts is the engine on which read models are brought forward in parts,
// where they can be.
const inParts = "Postgres in parts"

var parts = map[string]int{inParts: 3}

// everywhere runs a test on every engine, and with read models in parts.
func everywhere(t *testing.T, test func(t *testing.T, e databasetest.Engine)) {
	t.Helper()
	databasetest.Each(t, test)
	t.Run(inParts, func(t *testing.T) {
		t.Parallel()
		e := databasetest.Postgres(t)
		e.Name = inParts
		test(t, e)
	})
}

// start starts a process that drives its read models and builds them anew. It
// ends with the test, or before.
func start(t *testing.T, e databasetest.Engine, c *eventstore.Client, owner string, all ...projections.Projection) *instance {
	t.Helper()
	set, err := projections.OpenSet(t.Context(), projections.Config{
		Dir: e.Dir, Server: e.Server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: owner, Lease: 2 * time.Second,
		Partitions: parts[e.Name],
	}, c, all...)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, set, c)
}

func run(t *testing.T, set *projections.Set, c *eventstore.Client) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		err := set.Run(ctx, projections.Follow(c, 512))
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	running.Go(func() { _ = set.Work(ctx) })
	p := &instance{t: t, client: c, set: set}
	p.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

func (p *instance) model(name string) *projections.Model {
	p.t.Helper()
	m, err := p.set.Model(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// patience is for what takes a moment on a machine that has time.
const patience = time.Minute

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it takes too long: " + what)
		}
	}
}

// level waits until a read model has everything of the log.
func (p *instance) level(name string) {
	p.t.Helper()
	var last eventstore.Position
	feed := p.client.Feed(eventstore.FeedConfig{Prefixes: p.model(name).Live().Prefixes()})
	defer feed.Close()
	for live := false; !live; {
		page, err := feed.Next(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if len(page.Events) > 0 {
			last = page.Events[len(page.Events)-1].Position
		}
		live = page.Live
	}
	eventually(p.t, name+" is level", func() bool { return p.position(name) >= last })
}

func (p *instance) position(name string) eventstore.Position {
	p.t.Helper()
	at, err := projections.ReadPosition(p.t.Context(), p.model(name).Read())
	if err != nil {
		p.t.Fatal(err)
	}
	return at
}

func (p *instance) rebuild(name string, o projections.RebuildOptions) projections.Rebuild {
	p.t.Helper()
	if _, err := p.set.StartRebuild(p.t.Context(), name, o); err != nil {
		p.t.Fatal(err)
	}
	return p.end(name)
}

func (p *instance) end(name string) (r projections.Rebuild) {
	p.t.Helper()
	eventually(p.t, "the rebuild of "+name+" ends", func() bool {
		var err error
		if r, err = p.set.Rebuild(p.t.Context(), name); err != nil {
			p.t.Fatal(err)
		}
		return r.Ended()
	})
	return r
}

func anew(id string) projections.RebuildOptions {
	return projections.RebuildOptions{ID: id, Kind: projections.Anew, By: "test"}
}

func TestEveryReadModelIsBuiltAnewEqualAndSwappedIn(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 40 {
			placeOrder(t, c, n)
		}
		for n := range 3 {
			goBeside(t, c, n)
		}
		p := start(t, e, c, "a", everyProjection()...)
		want := map[string][]string{}
		for _, m := range p.set.Models() {
			p.level(m.Name())
			if want[m.Name()] = rows(t, m); len(want[m.Name()]) == 0 {
				t.Errorf("%s has no rows", m.Name())
			}
			if _, err := p.set.StartRebuild(t.Context(), m.Name(), anew("1")); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range p.set.Models() {
			r := p.end(m.Name())
			if r.State != projections.Swapped || !r.Equal() {
				t.Errorf("%s: %s, %+v, %s", m.Name(), r.State, r.Compared, r.Error)
			}
			if v := m.Live().Version(); v.Build != 1 {
				t.Errorf("%s: version %s is live", m.Name(), v)
			}
			if diff := cmp.Diff(want[m.Name()], rows(t, m)); diff != "" {
				t.Errorf("%s after the swap (-want +got):\n%s", m.Name(), diff)
			}
		}
		// The new ones go on from there.
		placeOrder(t, c, 100)
		p.level("orders")
		if _, err := (projections.OrderQueries{DB: p.model("orders").Read()}).Get(t.Context(), "o100"); err != nil {
			t.Error(err)
		}
	})
}

// rows are all rows of a read model.
func rows(t *testing.T, m *projections.Model) []string {
	t.Helper()
	return withoutOwn(snapshot(t, m.Read()))
}

func withoutOwn(rows []string) (list []string) {
	for _, row := range rows {
		table, _, _ := strings.Cut(row, ":")
		if table != "checkpoint" && table != "late_indexes" && table != "blocked_streams" {
			list = append(list, row)
		}
	}
	return list
}

func TestARebuildBesideLiveTrafficLosesAndDelaysNoRead(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 100 {
			placeOrder(t, c, n)
		}
		p := start(t, e, c, "a", projections.Orders{})
		p.level("orders")
		orders := projections.OrderQueries{DB: p.model("orders").Read()}
		ctx, stop := context.WithCancel(t.Context())
		var traffic sync.WaitGroup
		traffic.Go(func() {
			for n := 100; ctx.Err() == nil; n++ {
				placeOrder(t, c, n)
			}
		})
		traffic.Go(func() {
			var last eventstore.Position
			for ctx.Err() == nil {
				if _, err := orders.Get(t.Context(), "o7"); err != nil {
					t.Errorf("a read failed: %v", err)
					return
				}
				at, err := projections.ReadPosition(t.Context(), orders.DB)
				if err != nil || at < last {
					t.Errorf("read at %d after %d, %v", at, last, err)
					return
				}
				last = at
			}
		})
		for i := range 3 {
			if r := p.rebuild("orders", anew(fmt.Sprint(i))); r.State != projections.Swapped || !r.Equal() {
				t.Errorf("rebuild %d: %s, %+v, %s", i, r.State, r.Compared, r.Error)
			}
		}
		stop()
		traffic.Wait()
		p.level("orders")
		live := rows(t, p.model("orders"))
		if r := p.rebuild("orders", anew("last")); !r.Equal() {
			t.Errorf("after the traffic: %+v", r.Compared)
		}
		if diff := cmp.Diff(live, rows(t, p.model("orders"))); diff != "" {
			t.Errorf("the last one (-live +new):\n%s", diff)
		}
	})
}

// forgetful is the list of orders of a program that forgets what some have
// cost.
type forgetful struct {
	projections.Orders
	oneByOne //nolint:unused // see there
	wrong    *bool
}

func (p forgetful) Apply(ctx context.Context, tx *projections.Tx, r eventstore.Recorded) error {
	if err := p.Orders.Apply(ctx, tx, r); err != nil || !*p.wrong || r.Stream != "order-o3" {
		return err
	}
	return tx.Exec(ctx, `UPDATE orders SET total = total + 1 WHERE order_id = ?`, "o3")
}

func TestAWrongReadModelIsCaughtAndNotSwappedInUnlessToldSo(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 10 {
			placeOrder(t, c, n)
		}
		wrong := false
		p := start(t, e, c, "a", forgetful{wrong: &wrong})
		p.level("orders")
		p.stop()
		wrong = true
		p = start(t, e, c, "a", forgetful{wrong: &wrong})
		r := p.rebuild("orders", anew("1"))
		if r.State != projections.Different || r.Equal() {
			t.Fatalf("%s, %s", r.State, r.Error)
		}
		var found projections.TableComparison
		for _, table := range r.Compared.Tables {
			if table.Table == "orders" {
				found = table
			}
		}
		found.Checksums = [2]string{}
		want := projections.TableComparison{
			Table: "orders", Rows: [2]int64{10, 10}, Different: 1,
			Examples: []projections.Difference{{Key: map[string]string{"order_id": "o3"}, Live: map[string]string{"total": "2500"}, New: map[string]string{"total": "2501"}}},
		}
		if got := found.Sums["total"]; got != [2]float64{25000, 25001} {
			t.Errorf("sums %v", got)
		}
		found.Sums = nil
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
		if v := p.model("orders").Live().Version(); v.Build != 0 {
			t.Errorf("version %s is live", v)
		}
		if _, err := p.set.AcceptRebuild(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		if r := p.end("orders"); r.State != projections.Swapped {
			t.Fatalf("%s, %s", r.State, r.Error)
		}
		row, err := (projections.OrderQueries{DB: p.model("orders").Read()}).Get(t.Context(), "o3")
		if err != nil || row.Totals.Grand.Amount != 2501 {
			t.Errorf("%+v, %v", row.Totals.Grand, err)
		}
		// And back to what was right.
		wrong = false
		r = p.rebuild("orders", projections.RebuildOptions{ID: "2", Kind: projections.Back, By: "test"})
		if r.State != projections.Swapped {
			t.Errorf("%s, %s", r.State, r.Error)
		}
		row, err = (projections.OrderQueries{DB: p.model("orders").Read()}).Get(t.Context(), "o3")
		if err != nil || row.Totals.Grand.Amount != 2500 {
			t.Errorf("%+v, %v", row.Totals.Grand, err)
		}
	})
}

func TestARebuildGoesOnWhereItWasAfterTheEndOfItsProcess(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 300 {
			placeOrder(t, c, n)
		}
		p := start(t, e, c, "a", projections.Orders{})
		p.level("orders")
		// On a machine that stands still it may end before it is stopped: then
		// another one is begun.
		begun := ""
		for n := 1; begun == ""; n++ {
			slow := anew(fmt.Sprint(n))
			slow.Rate = 50 // events a second: six seconds in all
			if _, err := p.set.StartRebuild(t.Context(), "orders", slow); err != nil {
				t.Fatal(err)
			}
			var r projections.Rebuild
			eventually(t, "something is filled", func() (some bool) {
				var err error
				r, err = p.set.Rebuild(t.Context(), "orders")
				return err == nil && (r.Events > 0 || r.Ended())
			})
			if !r.Ended() {
				begun = r.ID
			} else if n == 20 {
				t.Fatalf("it always ends: %s, %s", r.State, r.Error)
			}
		}
		p.stop()
		p = start(t, e, c, "b", projections.Orders{})
		r := p.end("orders")
		if r.State != projections.Swapped || !r.Equal() || r.ID != begun || r.Events != 300 {
			t.Errorf("%s, %d events, %s", r.State, r.Events, r.Error)
		}
	})
}

func TestARebuildIsPausedResumedAndCancelled(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 50 {
			placeOrder(t, c, n)
		}
		p := start(t, e, c, "a", projections.Orders{})
		p.level("orders")
		slow := anew("1")
		slow.Rate = 1
		if _, err := p.set.StartRebuild(t.Context(), "orders", slow); err != nil {
			t.Fatal(err)
		}
		if _, err := p.set.StartRebuild(t.Context(), "orders", anew("2")); !errors.Is(err, projections.ErrRebuilding) {
			t.Errorf("a second one at once: %v", err)
		}
		if r, err := p.set.StartRebuild(t.Context(), "orders", slow); err != nil || r.ID != "1" {
			t.Errorf("the same one again: %+v, %v", r, err)
		}
		for _, step := range []struct {
			do     func(context.Context, string) (projections.Rebuild, error)
			paused bool
		}{{p.set.PauseRebuild, true}, {p.set.ResumeRebuild, false}} {
			if r, err := step.do(t.Context(), "orders"); err != nil || r.Paused != step.paused {
				t.Errorf("paused %v, %v; want %v", r.Paused, err, step.paused)
			}
		}
		if _, err := p.set.CancelRebuild(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		if r := p.end("orders"); r.State != projections.Cancelled {
			t.Errorf("%s, %s", r.State, r.Error)
		}
		for _, do := range []func(context.Context, string) (projections.Rebuild, error){p.set.PauseRebuild, p.set.AcceptRebuild, p.set.CancelRebuild} {
			if _, err := do(t.Context(), "orders"); !errors.Is(err, projections.ErrNoRebuild) {
				t.Errorf("of what is over: %v", err)
			}
		}
		versions, err := p.set.Versions(t.Context(), "orders")
		if err != nil || len(versions) != 1 || versions[0].State != projections.Live {
			t.Errorf("versions: %+v, %v", versions, err)
		}
		if r := p.rebuild("orders", projections.RebuildOptions{ID: "3", Kind: projections.Verify}); r.State != projections.Verified || !r.Equal() {
			t.Errorf("verified: %s, %s", r.State, r.Error)
		}
		if v := p.model("orders").Live().Version(); v.Build != 0 {
			t.Errorf("version %s is live", v)
		}
	})
}

// What is wanted of a rebuild, and what it has made, outlives the process: it
// stays paused, is cancelled, and what was kept is gone back to.
func TestWhatIsWantedOfARebuildOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 10 {
			placeOrder(t, c, n)
		}
		all := []projections.Projection{projections.Orders{}, projections.Payments{}}
		first := start(t, e, c, "a", all...)
		first.level("orders")
		first.stop()
		// A process that is told, and ends before it does anything.
		told, err := projections.OpenSet(t.Context(), projections.Config{
			Dir: e.Dir, Server: e.Server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "told",
		}, c, all...)
		if err != nil {
			t.Fatal(err)
		}
		_, failed := told.StartRebuild(t.Context(), "orders", anew("1"))
		_, unpaused := told.PauseRebuild(t.Context(), "orders")
		if err := errors.Join(failed, unpaused, told.Close()); err != nil {
			t.Fatal(err)
		}
		p := start(t, e, c, "a", all...)
		again := func() {
			t.Helper()
			p.stop()
			p = start(t, e, c, "a", all...)
			p.level("orders")
			p.level("payments")
		}
		for _, id := range []string{"0", "1"} { // whoever does that has looked for other work
			if r := p.rebuild("payments", anew(id)); r.State != projections.Swapped {
				t.Errorf("payments: %s, %s", r.State, r.Error)
			}
		}
		r, err := p.set.Rebuild(t.Context(), "orders")
		if err != nil || !r.Paused || r.State != projections.Filling || r.Events > 0 {
			t.Errorf("after a restart: %+v, %v", r, err)
		}
		if _, err := p.set.CancelRebuild(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		again()
		if r := p.end("orders"); r.State != projections.Cancelled {
			t.Errorf("%s, %s", r.State, r.Error)
		}
		if versions, err := p.set.Versions(t.Context(), "orders"); err != nil || len(versions) != 1 {
			t.Errorf("cancelled, and there are %+v, %v", versions, err)
		}
		again()
		r = p.rebuild("payments", projections.RebuildOptions{ID: "2", Kind: projections.Back, By: "test"})
		if v := p.model("payments").Live().Version(); r.State != projections.Swapped || v.Build != 1 {
			t.Errorf("went back: %s, %s; version %s is live", r.State, r.Error, v)
		}
		again()
		if v := p.model("payments").Live().Version(); v.Build != 1 {
			t.Errorf("after a restart version %s is live", v)
		}
	})
}

func TestEveryProcessFollowsASwap(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	c := client(t, nodetest.Start(t))
	for n := range 20 {
		placeOrder(t, c, n)
	}
	a := start(t, e, c, "a", projections.Orders{})
	b := start(t, e, c, "b", projections.Orders{})
	a.level("orders")
	b.level("orders")
	if r := b.rebuild("orders", anew("1")); r.State != projections.Swapped {
		t.Fatalf("%s, %s", r.State, r.Error)
	}
	for _, p := range []*instance{a, b} {
		if r := p.end("orders"); r.State != projections.Swapped || p.model("orders").Live().Version() != r.Version {
			t.Errorf("%s with version %s, and %s is read", r.State, r.Version, p.model("orders").Live().Version())
		}
	}
	placeOrder(t, c, 100)
	a.level("orders")
	b.level("orders")
	// One of them ends: the other goes on with the new version.
	b.stop()
	placeOrder(t, c, 101)
	a.level("orders")
	if _, err := (projections.OrderQueries{DB: a.model("orders").Read()}).Get(t.Context(), "o101"); err != nil {
		t.Error(err)
	}
}

// withUnits is a later version of the list of orders, with one more column. It
// follows from the events of the row's own stream: the list may be in parts.
type withUnits struct {
	projections.Orders
	oneByOne //nolint:unused // see there
}

func (withUnits) Version() int { return projections.Orders{}.Version() + 1 }

func (p withUnits) Migrations() fs.FS {
	first, err := fs.ReadFile(p.Orders.Migrations(), "00001_orders.sql")
	if err != nil {
		panic(err)
	}
	return fstest.MapFS{
		"00001_orders.sql": {Data: first},
		"00002_units.sql":  {Data: []byte("-- +goose Up\nALTER TABLE orders ADD COLUMN units INTEGER NOT NULL DEFAULT 0;\n")},
	}
}

func (p withUnits) Apply(ctx context.Context, tx *projections.Tx, r eventstore.Recorded) error {
	if err := p.Orders.Apply(ctx, tx, r); err != nil {
		return err
	}
	event, err := r.Decode()
	if err != nil {
		return err
	}
	placed, ok := event.(order.OrderPlaced)
	if !ok {
		return nil
	}
	units := 0
	for _, line := range placed.Lines {
		units += line.Quantity
	}
	return tx.Exec(ctx, `UPDATE orders SET units = ? WHERE order_id = ?`, units, placed.OrderID)
}

func TestANewVersionIsFilledBesideTheOldOneUntilTheDeploy(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 20 {
			placeOrder(t, c, n)
		}
		before := start(t, e, c, "before", projections.Orders{})
		before.level("orders")
		after := start(t, e, c, "after", withUnits{})
		placeOrder(t, c, 20)
		after.level("orders")
		before.level("orders")
		const units = `SELECT min(units), max(units) FROM orders`
		var least, most int
		if err := after.model("orders").Read().QueryRowContext(t.Context(), units).Scan(&least, &most); err != nil || least != 2 || most != 2 {
			t.Errorf("the new column: %d to %d, %v", least, most, err)
		}
		if err := before.model("orders").Read().QueryRowContext(t.Context(), units).Scan(&least, &most); err == nil {
			t.Error("the old program sees the new column")
		}
		for _, p := range []*instance{before, after} {
			if _, err := (projections.OrderQueries{DB: p.model("orders").Read()}).Get(t.Context(), "o20"); err != nil {
				t.Error(err)
			}
		}
		// Each is built anew by itself, with the code that reads it.
		for _, p := range []*instance{before, after} {
			if r := p.rebuild("orders", anew("x"+p.model("orders").Live().Version().String())); r.State != projections.Swapped || !r.Equal() {
				t.Errorf("%s, %s", r.State, r.Error)
			}
		}
		versions, err := after.set.Versions(t.Context(), "orders")
		if err != nil || len(versions) != 4 || versions[0].Code != (withUnits{}).Version() || versions[3].Code != (projections.Orders{}).Version() {
			t.Errorf("versions: %+v, %v", versions, err)
		}
	})
}
