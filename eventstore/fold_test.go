package eventstore_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// names joined: a fold in which order matters.
var joining = domain.Decider[string, struct{}, Named]{
	Category: "order",
	Evolve:   func(s string, e Named) string { return s + "," + e.Name },
}

func TestLoad(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c1", 0, 3)...)
	state, revision, err := eventstore.Load(t.Context(), client, joining, "1")
	if state != ",0,1,2" || revision != 2 || err != nil {
		t.Errorf("got %q at %d, %v", state, revision, err)
	}
	state, revision, err = eventstore.Load(t.Context(), client, joining, "none")
	if state != "" || revision != eventstore.NoStream || err != nil {
		t.Errorf("missing stream: got %q at %d, %v", state, revision, err)
	}
}

func TestLoadRefusesForeignEvents(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, eventstore.NewEvent{
		ID: eventstore.EventID("order-1", "c", 0), Event: Counted{By: 1},
	})
	state, revision, err := eventstore.Load(t.Context(), client, joining, "1")
	if err == nil || state != "" || revision != eventstore.NoStream {
		t.Errorf("got %q at %d, %v", state, revision, err)
	}
}

// However a history is cut into snapshots, the fold is the same.
func TestResumeIsLoad(t *testing.T) {
	t.Parallel()
	client := start(t)
	const length = 40
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c1", 0, length)...)
	want, end, err := eventstore.Load(t.Context(), client, joining, "1")
	if err != nil {
		t.Fatal(err)
	}
	property := func(seed uint64) bool {
		cut := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable on purpose
		at := eventstore.Snapshot[string]{Revision: eventstore.NoStream}
		for at.Revision < end {
			short := prefix{client, at.Revision + 1 + eventstore.Revision(cut.IntN(length))}
			var err error
			if at.State, at.Revision, err = eventstore.Resume(t.Context(), short, joining, "1", at); err != nil {
				t.Error(err)
				return false
			}
		}
		return at.State == want && at.Revision == end
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 50}); err != nil {
		t.Error(err)
	}
}

// prefix is a store as it was when its streams ended at a revision.
type prefix struct {
	eventstore.Store

	last eventstore.Revision
}

func (p prefix) ReadStream(ctx context.Context, stream string, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range p.Store.ReadStream(ctx, stream, from) {
			if r.Revision > p.last || !yield(r, err) {
				return
			}
		}
	}
}

func TestFailedResumeKeepsTheSnapshot(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, append(
		events("order-1", "c1", 0, 2), eventstore.NewEvent{ID: eventstore.EventID("order-1", "c2", 0), Event: Counted{}},
	)...)
	at := eventstore.Snapshot[string]{State: "before", Revision: 0}
	state, revision, err := eventstore.Resume(t.Context(), client, joining, "1", at)
	if err == nil {
		t.Fatal("want an error")
	}
	if diff := cmp.Diff("before at 0", fmt.Sprintf("%s at %d", state, revision)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
