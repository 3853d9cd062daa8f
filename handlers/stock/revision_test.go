package stock_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func adjust(delta int, ref string) domainstock.Adjust {
	return domainstock.Adjust{Delta: delta, Reason: "counted", Ref: ref}
}

// Of those who decided on one revision, in two processes, one is heard: the
// others are told that it is another one, also where their process has not
// seen it yet.
func TestARevisionIsChangedOnce(t *testing.T) {
	t.Parallel()
	address := nodetest.Start(t)
	var writers []*stock.Writer
	for range 2 {
		writers = append(writers, newWriter(t, stock.Config{Store: handlertest.Connect(t, address)}))
	}
	receive(t, writers[0], 100, "delivery")
	for round := range 10 {
		present, err := writers[round%2].Handle(t.Context(), meta(fmt.Sprint("look ", round)), item, domainstock.Sweep{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		var heard, late atomic.Int64
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				ref := fmt.Sprint("count ", round, " ", i)
				_, err := writers[i%2].HandleAt(t.Context(), meta(ref), item, present.Revision, adjust(-1, ref))
				switch {
				case err == nil:
					heard.Add(1)
				case errors.Is(err, handlers.ErrRevision):
					late.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if heard.Load() != 1 || late.Load() != 5 {
			t.Fatalf("round %d: %d were heard and %d were late, want 1 and 5", round, heard.Load(), late.Load())
		}
	}
	if state := load(t, handlertest.Connect(t, address)); state.OnHand != 90 {
		t.Errorf("%d on hand, want 100 less one a round", state.OnHand)
	}
}

// What was done at a revision is done: asked again it is no mistake, whatever
// came since.
func TestARevisionIsNotAskedForWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newWriter(t, stock.Config{Store: handlertest.Start(t)})
	receive(t, w, 10, "delivery")
	for range 2 {
		if _, err := w.HandleAt(t.Context(), meta("c"), item, 1, adjust(-1, "c")); err != nil {
			t.Fatal(err)
		}
		handle(t, w, "r", reserve("r"))
	}
	if _, err := w.HandleAt(t.Context(), meta("d"), item, eventstore.NoStream, adjust(-1, "d")); !errors.Is(err, handlers.ErrRevision) {
		t.Errorf("as if there were nothing: %v", err)
	}
}
