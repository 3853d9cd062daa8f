package deadletter_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

// shelf is what an operator would keep on paper: how each letter stands, what
// its edited copy is, and how many changes it has seen.
type shelf struct {
	status  map[int64]deadletter.Status
	copied  map[int64]string
	changes map[int64]int
}

func (m shelf) of(number int64) deadletter.Status {
	if status, known := m.status[number]; known {
		return status
	}
	return deadletter.Parked
}

func (m shelf) follow(t *testing.T, e deadletter.Event) {
	t.Helper()
	must := func(of deadletter.Of, right bool) {
		if !right {
			t.Fatalf("%+v of a letter that is %s", e, m.of(of.Number))
		}
		m.changes[of.Number]++
	}
	switch e := e.(type) {
	case deadletter.DeadLetterRetried:
		must(e.Of, !m.of(e.Number).Closed() && m.of(e.Number) != deadletter.Retrying)
		m.status[e.Number] = deadletter.Retrying
	case deadletter.DeadLetterEdited:
		must(e.Of, !m.of(e.Number).Closed() && m.of(e.Number) != deadletter.Retrying)
		m.copied[e.Number] = string(e.SealedData)
	case deadletter.DeadLetterHandled:
		must(e.Of, m.of(e.Number) == deadletter.Retrying)
		m.status[e.Number] = deadletter.Handled
	case deadletter.DeadLetterFailed:
		must(e.Of, m.of(e.Number) == deadletter.Retrying)
		m.status[e.Number] = deadletter.Failed
	case deadletter.DeadLetterDiscarded:
		must(e.Of, !m.of(e.Number).Closed() && m.of(e.Number) != deadletter.Retrying)
		m.status[e.Number] = deadletter.Discarded
	}
}

// Whatever is asked in whichever order: only what is retried is handled or
// fails, what is closed stays so, letters do not meddle with each other, and no
// change is forgotten.
func TestEachLetterIsClosedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		m := shelf{map[int64]deadletter.Status{}, map[int64]string{}, map[int64]int{}}
		decidertest.Walk(t, deadletter.Decider, 60, func(deadletter.State) deadletter.Command {
			return anyCommand(random)
		}, func(s decidertest.Step[deadletter.State, deadletter.Command, deadletter.Event]) {
			for _, e := range s.Events {
				seen[e.EventName()]++
				m.follow(t, e)
			}
			for _, number := range numbers {
				l := s.After.Letter(number)
				if l.Status != m.of(number) || string(l.Sealed) != m.copied[number] || len(l.Changes) != m.changes[number] {
					t.Fatalf("seed %d: after %+v letter %d is %+v; on paper %s, %q, %d changes",
						seed, s.Command, number, l, m.of(number), m.copied[number], m.changes[number])
				}
			}
		})
	}
	for _, e := range deadletter.EventTypes() {
		if seen[e.Zero.EventName()] < 100 {
			t.Errorf("%d %s: too few to show anything", seen[e.Zero.EventName()], e.Zero.EventName())
		}
	}
}

// numbers are neighbours, and some that lie far apart.
var numbers = []int64{0, 1, 63, 64, 1 << 40}

func anyCommand(random *rand.Rand) deadletter.Command {
	at := noon.Add(time.Duration(random.IntN(60)) * time.Second)
	number := numbers[random.IntN(len(numbers))]
	of := deadletter.Of{Handler: "mail", Number: number, EventID: fmt.Sprint("e", number), Stream: "order-1", Revision: number}
	switch random.IntN(8) {
	case 0:
		return deadletter.Discard{Of: of, Reason: "test_order", By: "k", At: at}
	case 1:
		return deadletter.Close{Of: of, At: at}
	case 2, 3:
		return deadletter.Close{Of: of, SealedError: []byte("x"), At: at}
	case 4:
		return deadletter.Edit{Of: of, SealedData: fmt.Append(nil, "copy ", random.IntN(3)), Reason: "no_sku", By: "k", At: at}
	case 5:
		all := make([]deadletter.Of, len(numbers))
		for i, n := range numbers {
			all[i] = deadletter.Of{Handler: "mail", Number: n, EventID: fmt.Sprint("e", n), Stream: "order-1", Revision: n}
		}
		return deadletter.Retry{Of: all, By: "k", At: at}
	default:
		return deadletter.Retry{Of: []deadletter.Of{of}, By: "k", At: at}
	}
}
