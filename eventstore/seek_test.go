package eventstore_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestAPlaceIsFoundByTime(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	begin := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	clock.Store(begin.UnixNano())
	n := nodetest.New(t, nodetest.Config{Node: node.Config{Now: func() time.Time { return time.Unix(0, clock.Load()) }}})
	client := connect(t, n.ConnectionString())
	ctx := within(t, 30*time.Second)
	if at, err := client.Before(ctx, begin); err != nil || at != 0 {
		t.Fatalf("of an empty log: %d, %v", at, err)
	}
	type recorded struct {
		at       time.Time
		position eventstore.Position
	}
	var all []recorded
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		clock.Add(int64(random.IntN(3)) * int64(time.Minute)) // several at the same time
		stream := fmt.Sprint("order-", i)
		done := mustAppend(t, client, stream, eventstore.NoStream, events(stream, "c", i, 1+random.IntN(4))...)
		all = append(all, recorded{time.Unix(0, clock.Load()), done.Position})
	}
	last := all[len(all)-1].at
	for asked := begin.Add(-time.Hour); asked.Before(last.Add(2 * time.Minute)); asked = asked.Add(time.Duration(1+random.IntN(600)) * time.Second) {
		var want eventstore.Position
		for _, one := range all {
			if one.at.Before(asked) {
				want = one.position
			}
		}
		for how, find := range map[string]func() (eventstore.Position, error){
			"halving": func() (eventstore.Position, error) { return client.Before(ctx, asked) },
			"reading": func() (eventstore.Position, error) { return client.BeforeByReading(ctx, asked) },
		} {
			if got, err := find(); err != nil || got != want {
				t.Fatalf("%s, %s: %d, want %d, %v", how, asked, got, want, err)
			}
		}
	}
	if client.Spots() == 0 {
		t.Error("nothing of what was read is remembered")
	}
}
