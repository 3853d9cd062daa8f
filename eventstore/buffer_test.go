package eventstore

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// Whatever the pace of both sides, everything arrives once and in order, and
// Through never runs ahead of what was handed over.
func TestBufferKeepsOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		choose := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable on purpose
		pageSize := 1 + choose.IntN(8)
		const last = 2000
		b := newBuffer(0, pageSize)
		var writer sync.WaitGroup
		writer.Go(func() {
			for position := Position(1); position <= last; position++ {
				switch choose.IntN(10) {
				case 0:
					b.pass(position)
				case 1:
					b.setLive(position%2 == 0)
					fallthrough
				default:
					b.put(t.Context(), Recorded{Position: position, Data: make([]byte, 10)})
				}
			}
			b.pass(last + 1)
		})
		through := Position(0)
		for through <= last {
			page, err := b.take(t.Context(), pageSize)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Events) > pageSize || page.Through < through {
				t.Fatalf("seed %d: %d events through %d after %d", seed, len(page.Events), page.Through, through)
			}
			for _, r := range page.Events {
				if r.Position <= through || r.Position > page.Through {
					t.Fatalf("seed %d: %d after %d, through %d", seed, r.Position, through, page.Through)
				}
				through = r.Position
			}
			through = page.Through
		}
		writer.Wait()
		if b.bytes != 0 || len(b.events) != 0 {
			t.Errorf("seed %d: %d bytes and %d events are left", seed, b.bytes, len(b.events))
		}
	}
}

func TestFullBufferKeepsItsWriterWaiting(t *testing.T) {
	t.Parallel()
	b := newBuffer(0, 1)
	ctx := within(t)
	put := 0
	for b.put(ctx, Recorded{Position: Position(put + 1)}) {
		put++
	}
	if put != b.capacity {
		t.Errorf("took %d events, has room for %d", put, b.capacity)
	}
	big := newBuffer(0, 512)
	put = 0
	for big.put(within(t), Recorded{Position: Position(put + 1), Data: make([]byte, maxBuffered/4)}) {
		put++
	}
	if put != 4 {
		t.Errorf("took %d quarters of its bytes", put)
	}
}
