package projections_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// TestAPoisonEventThatComesDuringARebuildHoldsUpItsStreamOnly lets one come that
// neither version can apply, in the middle of a rebuild.
func TestAPoisonEventThatComesDuringARebuildHoldsUpItsStreamOnly(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 40 {
			placeOrder(t, c, n)
		}
		p := start(t, e, c, "a", picky{})
		p.level("orders")
		slow := anew("1")
		slow.Rate = 20 // events a second, so that there is time to pause it
		if _, err := p.set.StartRebuild(t.Context(), "orders", slow); err != nil {
			t.Fatal(err)
		}
		if _, err := p.set.PauseRebuild(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		poison(t, c, "x")
		placeOrder(t, c, 100)
		p.level("orders")
		if list := p.blocked("orders"); len(list) != 1 || list[0].Stream != "order-x" || list[0].Waiting != 1 {
			t.Fatalf("blocked while it is paused: %+v", list)
		}
		if _, err := p.set.ResumeRebuild(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		r := p.end("orders")
		if r.State != projections.Swapped || !r.Equal() || len(r.Compared.Blocked) != 0 {
			t.Errorf("%s, %s, %+v", r.State, r.Error, r.Compared)
		}
		eventually(t, "the new version is read", func() bool { return p.model("orders").Live().Version().Build == 1 })
		if list := p.blocked("orders"); len(list) != 1 || list[0].Stream != "order-x" || list[0].Waiting != 1 || list[0].Error == "" {
			t.Errorf("blocked afterwards: %+v", list)
		}
		placeOrder(t, c, 101)
		p.level("orders")
		orders := projections.OrderQueries{DB: p.model("orders").Read()}
		for _, id := range []string{"o39", "o100", "o101"} {
			if _, err := orders.Get(t.Context(), id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		for revision := range 2 { // its second event meets no order then
			skip := projections.Repair{Stream: "order-x", Kind: projections.Skip, Reason: "A test of the supplier.", By: "ada"}
			if list := p.blocked("orders"); len(list) > 0 {
				skip.Revision = list[0].Revision
				if _, err := p.model("orders").Repair(t.Context(), skip, false); err != nil {
					t.Fatalf("%d: %v", revision, err)
				}
			}
		}
		if list := p.blocked("orders"); len(list) != 0 {
			t.Errorf("blocked after it was skipped: %+v", list)
		}
	})
}

// TestDeletedReadModelsAreMadeAgain deletes every database of read models while
// nothing runs.
func TestDeletedReadModelsAreMadeAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 20 {
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
		var stores []string
		for _, m := range p.set.Models() {
			if r := p.end(m.Name()); r.State != projections.Swapped {
				t.Fatalf("%s: %s, %s", m.Name(), r.State, r.Error)
			}
			for _, build := range []string{"", "-1"} {
				stores = append(stores, m.Name()+"-v"+projections.Version{Code: m.Live().Version().Code}.String()+build+".db")
			}
		}
		p.stop()
		for _, store := range append(stores, "catalogue.db") {
			if err := database.Remove(t.Context(), database.Config{Path: filepath.Join(e.Dir, store), Server: e.Server}); err != nil {
				t.Fatal(err)
			}
		}
		if left, err := filepath.Glob(filepath.Join(e.Dir, "*.db")); err != nil || len(left) > 0 {
			t.Fatalf("left: %v, %v", left, err)
		}
		p = start(t, e, c, "b", everyProjection()...)
		for _, m := range p.set.Models() {
			if at := m.Live().Version().Build; at != 0 {
				t.Errorf("%s begins with build %d", m.Name(), at)
			}
			p.level(m.Name())
			if diff := cmp.Diff(want[m.Name()], rows(t, m)); diff != "" {
				t.Errorf("%s made again (-want +got):\n%s", m.Name(), diff)
			}
			if r := p.rebuild(m.Name(), anew("2")); r.State != projections.Swapped || !r.Equal() {
				t.Errorf("%s built anew: %s, %s", m.Name(), r.State, r.Error)
			}
		}
	})
}
