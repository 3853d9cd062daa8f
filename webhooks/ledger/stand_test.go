package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

func TestWhereEverythingStands(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		if parked, err := l.CountParked(t.Context()); err != nil || parked != (ledger.ParkedCount{}) {
			t.Errorf("of nothing: %+v, %v", parked, err)
		}
		lease, _ := acquire(t, l, "a", noon)
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{settlement(lease, 140)}); err != nil || !saved[0] {
			t.Fatalf("%v, %v", saved, err)
		}
		parked, err := l.CountParked(t.Context())
		if diff := cmp.Diff(ledger.ParkedCount{Waiting: 1, Behind: 1, Dead: 1}, parked); diff != "" || err != nil {
			t.Errorf("parked: %v (-want +got):\n%s", err, diff)
		}
		stands, err := l.Stands(t.Context())
		if diff := cmp.Diff([]ledger.Stand{{EndpointID: "e1", Through: 140, Breaker: delivery.Open}}, stands); diff != "" || err != nil {
			t.Errorf("stands: %v (-want +got):\n%s", err, diff)
		}
	})
}
