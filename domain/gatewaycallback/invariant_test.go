package gatewaycallback_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/gatewaycallback"
)

// Whatever is asked in whichever order: a callback is received once, as it
// came first, it ends once, and what ended never changes.
func TestACallbackEndsOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 6))
		var received, ended gatewaycallback.Event
		decidertest.Walk(t, gatewaycallback.Decider, 30, func(gatewaycallback.State) gatewaycallback.Command {
			return anyCommand(random)
		}, func(s decidertest.Step[gatewaycallback.State, gatewaycallback.Command, gatewaycallback.Event]) {
			if refused := s.Err != nil; refused != (received == nil && !isReceive(s.Command)) {
				t.Fatalf("seed %d: %+v gave %v; received: %v", seed, s.Command, s.Err, received)
			}
			for _, e := range s.Events {
				seen[e.EventName()]++
				switch e.(type) {
				case gatewaycallback.GatewayCallbackReceived:
					if received != nil {
						t.Fatalf("seed %d: received %+v after %+v", seed, e, received)
					}
					received = e
				case gatewaycallback.GatewayCallbackApplied, gatewaycallback.GatewayCallbackUnclaimed:
					if received == nil || ended != nil {
						t.Fatalf("seed %d: %+v; received %+v, ended %+v", seed, e, received, ended)
					}
					ended = e
				}
			}
			if s.After.Open() != (received != nil && ended == nil) {
				t.Fatalf("seed %d: open is %v; received %+v, ended %+v", seed, s.After.Open(), received, ended)
			}
			if received != nil && s.After.Received != received {
				t.Fatalf("seed %d: %+v is kept of %+v", seed, s.After.Received, received)
			}
		})
	}
	for _, e := range gatewaycallback.EventTypes() {
		if seen[e.Zero.EventName()] < 20 {
			t.Errorf("%d %s: too few to show anything", seen[e.Zero.EventName()], e.Zero.EventName())
		}
	}
}

func isReceive(c gatewaycallback.Command) bool {
	_, is := c.(gatewaycallback.Receive)
	return is
}

func anyCommand(random *rand.Rand) gatewaycallback.Command {
	at := time.Date(2026, 3, 14, 12, random.IntN(60), 0, 0, time.UTC)
	switch n := random.IntN(6); n {
	case 0, 1:
		return gatewaycallback.Receive{Callback: gatewaycallback.GatewayCallbackReceived{
			ID: "c", Gateway: "sandbox", CallbackID: fmt.Sprint("cb", random.IntN(2)), Kind: "authorisation", ReceivedAt: at,
		}}
	case 2:
		return gatewaycallback.GiveUp{Reason: "payment-unknown", At: at}
	default:
		effects := []gatewaycallback.Effect{gatewaycallback.Recorded, gatewaycallback.Known, gatewaycallback.Ignored, gatewaycallback.LetGo}
		return gatewaycallback.Apply{Effect: effects[random.IntN(len(effects))], At: at}
	}
}
