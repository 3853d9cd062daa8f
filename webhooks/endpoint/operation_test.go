package endpoint_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

func TestOperation(t *testing.T) {
	t.Parallel()
	failingFor := func(after time.Duration) endpoint.Failing {
		return endpoint.Failing{EndpointID: "e1", Since: noon, AfterMillis: after.Milliseconds(), FailingAt: noon.Add(after)}
	}
	report := func(after time.Duration) endpoint.ReportFailing {
		return endpoint.ReportFailing{Since: noon, After: after, At: noon.Add(after)}
	}
	one := endpoint.Exhausted{EventID: "m1", Stream: "order-o1", Revision: 2, Attempts: 12, Class: "timeout"}
	other := endpoint.Exhausted{EventID: "m2", Stream: "order-o2", Attempts: 12, Class: "http_5xx", Blocks: true}
	exhausted := func(e endpoint.Exhausted) endpoint.DeliveryExhausted {
		return endpoint.DeliveryExhausted{EndpointID: "e1", Exhausted: e, ExhaustedAt: noon}
	}
	chosen := endpoint.Chosen{EventID: "m1", Stream: "order-o1", Revision: 2, Position: 7}
	resent := endpoint.DeliveryResent{EndpointID: "e1", Chosen: chosen, ResentAt: noon}
	recovered := endpoint.Recovered{EndpointID: "e1", Since: noon, RecoveredAt: noon}
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{Name: "an endpoint fails", Given: []endpoint.Event{created}, When: report(time.Hour), Then: []endpoint.Event{failingFor(time.Hour)}},
		{Name: "the same time is told once", Given: []endpoint.Event{created, failingFor(time.Hour)}, When: report(time.Hour)},
		{Name: "a shorter time is not told after a longer one", Given: []endpoint.Event{created, failingFor(24 * time.Hour)}, When: report(time.Hour)},
		{Name: "a longer time is told", Given: []endpoint.Event{created, failingFor(time.Hour)}, When: report(24 * time.Hour), Then: []endpoint.Event{failingFor(24 * time.Hour)}},
		{Name: "after it recovered, failing is told again", Given: []endpoint.Event{created, failingFor(time.Hour), recovered}, When: report(time.Hour), Then: []endpoint.Event{failingFor(time.Hour)}},
		{Name: "a disabled endpoint is not told of", Given: []endpoint.Event{created, disabled}, When: report(time.Hour)},
		{Name: "an endpoint recovers", Given: []endpoint.Event{created, failingFor(time.Hour)}, When: endpoint.ReportRecovered{At: noon}, Then: []endpoint.Event{recovered}},
		{Name: "what did not fail does not recover", Given: []endpoint.Event{created}, When: endpoint.ReportRecovered{At: noon}},
		{Name: "who was enabled again starts well", Given: []endpoint.Event{created, failingFor(time.Hour), disabled, enabled}, When: endpoint.ReportRecovered{At: noon}},
		{
			Name: "a receiver is gone", Given: []endpoint.Event{created}, When: endpoint.ReportGone{At: noon},
			Then: []endpoint.Event{endpoint.Gone{EndpointID: "e1", GoneAt: noon}, disabled},
		},
		{Name: "a disabled endpoint is gone already", Given: []endpoint.Event{created, disabled}, When: endpoint.ReportGone{At: noon}},
		{
			Name: "messages are exhausted", Given: []endpoint.Event{created}, When: endpoint.ReportExhausted{Events: []endpoint.Exhausted{one, other, one}, At: noon},
			Then: []endpoint.Event{exhausted(one), exhausted(other)},
		},
		{
			Name: "each is told once", Given: []endpoint.Event{created, exhausted(one)}, When: endpoint.ReportExhausted{Events: []endpoint.Exhausted{one, other}, At: noon},
			Then: []endpoint.Event{exhausted(other)},
		},
		{
			Name: "one that was sent again may be exhausted again", Given: []endpoint.Event{created, exhausted(one), resent},
			When: endpoint.ReportExhausted{Events: []endpoint.Exhausted{one}, At: noon}, Then: []endpoint.Event{exhausted(one)},
		},
		{Name: "what does not exist is not failing", When: report(time.Hour), Refused: endpoint.ErrNotFound},
	})
}

func TestSomebodyDecidesAboutAMessage(t *testing.T) {
	t.Parallel()
	chosen := endpoint.Chosen{EventID: "m1", Stream: "order-o1", Revision: 2, Position: 7}
	for _, row := range []struct {
		cmd  endpoint.Command
		want endpoint.Event
	}{
		{endpoint.Resend{Chosen: chosen, At: noon}, endpoint.DeliveryResent{EndpointID: "e1", Chosen: chosen, ResentAt: noon}},
		{endpoint.Skip{Chosen: chosen, At: noon}, endpoint.DeliverySkipped{EndpointID: "e1", Chosen: chosen, SkippedAt: noon}},
	} {
		events, err := endpoint.Decider.Decide(endpoint.Decider.Fold(endpoint.State{}, created), row.cmd)
		if err != nil || len(events) != 1 || events[0] != row.want {
			t.Errorf("%T: %v, %v", row.cmd, events, err)
		}
	}
}
