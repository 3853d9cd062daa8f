package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

func TestCallbacksThatWereNotAppliedAreListed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		told := func(id string, after time.Duration, more ...domain.Event) {
			received := callback.GatewayCallbackReceived{ID: id, Gateway: "sandbox", CallbackID: "cb_" + id, Kind: "movement", PaymentID: "p", ReceivedAt: noon.Add(after)}
			add(t, c, callback.Decider.Stream(id), id, append([]domain.Event{received}, more...)...)
		}
		told("b", time.Minute)
		told("a", time.Second)
		told("done", 0, callback.GatewayCallbackApplied{ID: "done", Effect: callback.Known})
		told("lost", 0, callback.GatewayCallbackUnclaimed{ID: "lost", Reason: "movement-unknown"})
		r := open(t, projections.GatewayCallbacks{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		q := projections.GatewayCallbackQueries{DB: r.Read()}
		list := func(status string, after *projections.GatewayCallbackKey) (got []string) {
			t.Helper()
			rows, err := q.List(t.Context(), status, after, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				got = append(got, row.ID+" "+row.CallbackID+" "+row.Reason)
			}
			return got
		}
		if diff := cmp.Diff([]string{"a cb_a ", "b cb_b "}, list("waiting", nil)); diff != "" {
			t.Errorf("waiting (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"b cb_b "}, list("waiting", &projections.GatewayCallbackKey{ReceivedAt: noon.Add(time.Second), ID: "a"})); diff != "" {
			t.Errorf("second page (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"lost cb_lost movement-unknown"}, list("unclaimed", nil)); diff != "" {
			t.Errorf("unclaimed (-want +got):\n%s", diff)
		}
		if waiting, unclaimed, err := q.Count(t.Context()); waiting != 2 || unclaimed != 1 || err != nil {
			t.Errorf("%d waiting, %d unclaimed, %v", waiting, unclaimed, err)
		}
		checkPlan(t, c, projections.GatewayCallbacks{}, "callbacks", projections.ListGatewayCallbacksQuery, "waiting", 1, "x", 1)
	})
}
