package transfer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func ledgerOf(t *testing.T, most int) *ledger {
	t.Helper()
	l, err := newLedger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.most = most
	t.Cleanup(l.close)
	return l
}

// TestALedgerRemembersMoreThanItsMemoryHolds: changes are not lost when streams
// leave the memory, and what was only looked at changes nothing.
func TestALedgerRemembersMoreThanItsMemoryHolds(t *testing.T) {
	t.Parallel()
	const most, streams, steps = 7, 40, 3000
	l, rng, want := ledgerOf(t, most), rand.New(rand.NewPCG(1, 2)), map[string]course{}
	for range steps {
		stream := fmt.Sprintf("order-\xff%d", rng.IntN(streams))
		if rng.IntN(3) == 0 {
			got, err := l.of(t.Context(), stream)
			if err != nil || got != want[stream] {
				t.Fatalf("%q is %+v, want %+v (%v)", stream, got, want[stream], err)
			}
			continue
		}
		c := course{
			Met: rng.IntN(2) == 0, Irregular: rng.IntN(2) == 0, Begun: rng.IntN(2) == 0, Asked: rng.IntN(2) == 0,
			Next: rng.Uint64(), Sent: rng.Uint64(), Due: rng.Uint64(), Begins: rng.Uint64(), Hidden: rng.Uint64(), Last: rng.Int64() - 1<<62,
		}
		want[stream] = c
		err := l.change(t.Context(), stream, func(known *course) bool {
			*known = c
			return true
		})
		if err != nil || len(l.near) > most {
			t.Fatalf("%d streams are in memory (%v)", len(l.near), err)
		}
	}
}

// TestALedgerSurvivesAnEndedContext: what is asked then is answered, too, as an
// import ends its work in its own order.
func TestALedgerSurvivesAnEndedContext(t *testing.T) {
	t.Parallel()
	l := ledgerOf(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 3 {
		if err := l.change(ctx, fmt.Sprint(i), func(c *course) bool { c.Next = 5; return true }); err != nil {
			t.Fatal(err)
		}
		if err := l.entomb(ctx, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := l.of(t.Context(), "0"); err != nil || c.Next != 5 {
		t.Errorf("the course is %+v, %v", c, err)
	}
	if n, err := l.count(t.Context(), withTombstone); err != nil || n != 3 {
		t.Errorf("%d tombstones are remembered, %v", n, err)
	}
}

// TestALedgerGoesThroughItsStreamsByName, a page after the other.
func TestALedgerGoesThroughItsStreamsByName(t *testing.T) {
	t.Parallel()
	ctx, l := t.Context(), ledgerOf(t, nearStreams)
	var described, left []string
	for i := range 2500 {
		stream := fmt.Sprintf("order-%04d", i)
		described = append(described, stream)
		for range 2 { // the newest counts
			if err := l.describe(ctx, stream, &metadata{ID: uuid.New(), Data: []byte(stream)}); err != nil {
				t.Fatal(err)
			}
		}
		if i%5 == 0 {
			if err := l.entomb(ctx, stream); err != nil {
				t.Fatal(err)
			}
			continue
		}
		left = append(left, stream)
	}
	for of, want := range map[string][]string{withMetadata: described, stillThere: left} {
		var got []string
		err := l.each(ctx, of, func(stream string) error {
			got = append(got, stream)
			m, err := l.metadata(ctx, stream) // while it goes through them
			if err == nil && string(m.Data) != stream {
				err = fmt.Errorf("%s has the metadata %q", stream, m.Data)
			}
			return err
		})
		n, countErr := l.count(ctx, of)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || countErr != nil || n != len(want) {
			t.Errorf("%s: %d, %v, %v (-want +got):\n%s", of, n, err, countErr, diff)
		}
	}
	for i, stream := range slices.Backward(described) {
		if entombed, err := l.entombed(ctx, stream); err != nil || entombed != (i%5 == 0) {
			t.Fatalf("%s is entombed: %t, %v", stream, entombed, err)
		}
	}
	if err := l.forgetMetadata(ctx, left[0]); err != nil {
		t.Fatal(err)
	}
	if m, err := l.metadata(ctx, left[0]); m != nil || err != nil {
		t.Errorf("metadata that was forgotten is %+v, %v", m, err)
	}
}
