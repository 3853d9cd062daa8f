package projections_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/projections"
)

// A page that has many orders, and whatever became of them, leaves the rows that
// its events leave one by one, also where the page comes again.
func TestManyOrdersOfAPageAreWrittenAsTheyAreOneByOne(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for seed := range e.Rounds(20) {
			h := searchHistory(t, rand.New(rand.NewPCG(seed, 3)), 60)
			for _, p := range []projections.Projection{projections.Orders{}, projections.Search{}} {
				want := h.replay(t, e, alone{p}, len(h.events), 0)
				for _, size := range []int{13, 70, len(h.events)} {
					if diff := cmp.Diff(want, h.replay(t, e, p, size, 0)); diff != "" {
						t.Fatal(fmt.Sprintf("%s, seed %d, pages of %d (-want +got):\n", p.Name(), seed, size) + diff)
					}
				}
			}
		}
	})
}
