package gatewaycallback_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/gatewaycallback"
)

func TestCallback(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	type (
		events = []gatewaycallback.Event
		row    = decidertest.Case[gatewaycallback.Command, gatewaycallback.Event]
	)
	received := gatewaycallback.GatewayCallbackReceived{ID: "c", Gateway: "sandbox", CallbackID: "cb_1", Kind: "authorisation", PaymentID: "p", ReceivedAt: noon}
	later := received
	later.ReceivedAt = noon.Add(time.Hour)
	applied := gatewaycallback.GatewayCallbackApplied{ID: "c", Effect: gatewaycallback.Recorded, At: noon}
	unclaimed := gatewaycallback.GatewayCallbackUnclaimed{ID: "c", Reason: "payment-unknown", At: noon}
	apply := gatewaycallback.Apply{Effect: gatewaycallback.Recorded, At: noon}
	giveUp := gatewaycallback.GiveUp{Reason: "payment-unknown", At: noon}
	decidertest.Run(t, gatewaycallback.Decider, []row{
		{Name: "a callback is received", When: gatewaycallback.Receive{Callback: received}, Then: events{received}},
		{Name: "a repeat changes nothing", Given: events{received}, When: gatewaycallback.Receive{Callback: later}},
		{Name: "a repeat after it was applied changes nothing", Given: events{received, applied}, When: gatewaycallback.Receive{Callback: later}},
		{Name: "it is applied", Given: events{received}, When: apply, Then: events{applied}},
		{Name: "it is applied once", Given: events{received, applied}, When: gatewaycallback.Apply{Effect: gatewaycallback.Known, At: noon}},
		{Name: "nobody claims it", Given: events{received}, When: giveUp, Then: events{unclaimed}},
		{Name: "what was applied is claimed", Given: events{received, applied}, When: giveUp},
		{Name: "what is unclaimed stays so", Given: events{received, unclaimed}, When: apply},
		{Name: "what was not received is not applied", When: apply, Refused: gatewaycallback.ErrNotReceived},
		{Name: "what was not received is not given up", When: giveUp, Refused: gatewaycallback.ErrNotReceived},
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, gatewaycallback.EventTypes())
}
