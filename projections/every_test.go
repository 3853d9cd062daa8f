package projections_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/projections"
)

// everyProjection is all there are: what holds for read models is tried on each.
func everyProjection() []projections.Projection {
	return []projections.Projection{
		projections.Orders{},
		projections.Timeline{},
		projections.Stock{},
		projections.Products{},
		projections.Checkouts{},
		projections.Jobs{},
		projections.Customers{},
		projections.Drafts{},
		projections.Tasks{},
		projections.GatewayCallbacks{},
		projections.Sales{},
		projections.Payments{},
		projections.Search{},
	}
}

// A read model that is new has tables, and so it is noticed here.
func TestEveryProjectionIsTried(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, folder := range folders {
		if folder.Name() != "catalogue" { // which is of versions, not of events
			want = append(want, folder.Name())
		}
	}
	for _, p := range everyProjection() {
		got = append(got, p.Name())
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tried are (-want +got):\n%s", diff)
	}
}

// step is an event of a stream.
type step struct {
	stream string
	event  domain.Event
}

// beside is what happens beside orders: the n-th life of a product, a customer,
// a checkout that comes to nothing, a draft, a job and a callback of a gateway.
func beside(n int) (steps []step) {
	id := fmt.Sprint("beside-", n)
	who, at := "customer-"+id, noon.Add(time.Duration(n)*time.Minute)
	of := func(stream string, events ...domain.Event) {
		for _, e := range events {
			steps = append(steps, step{stream: stream + "-" + id, event: e})
		}
	}
	of("product", catalog.ProductRegistered{SKU: id, Title: "Mug"})
	of("customer", customer.CustomerRegistered{CustomerID: who, RegisteredAt: at}, customer.CustomerContactChanged{CustomerID: who, At: at})
	of("checkout", checkout.CheckoutStarted{CheckoutID: id, OrderID: id, StartedAt: at, Request: checkout.Request{CustomerID: who}})
	of("draft", draft.DraftOpened{DraftID: id, Currency: "EUR", At: at}, draft.DraftDetailsSet{DraftID: id, Details: draft.Details{CustomerID: who}, At: at},
		draft.DraftLineSet{DraftID: id, Line: draft.Line{SKU: "A", Quantity: 1}, At: at}, draft.DraftPlacementBegun{DraftID: id, At: at})
	of("job", job.JobStarted{JobID: id, Kind: "customer-export", Owner: "k", Callback: &job.Callback{URL: "https://shop.example"}, StartedAt: at},
		job.JobAttemptFailed{JobID: id, Attempt: 1, Cause: "away", RetryAt: at.Add(time.Minute), At: at}, job.JobSucceeded{JobID: id, At: at.Add(time.Hour)})
	of(callback.Decider.Category, callback.GatewayCallbackReceived{ID: id, Gateway: "sandbox", CallbackID: "cb-" + id, Kind: "movement", ReceivedAt: at})
	switch n % 3 {
	case 0: // all of it goes on
	case 1:
		of("draft", draft.DraftPlaced{DraftID: id, OrderID: "of-" + id, At: at})
		of("job", job.JobCallbackDelivered{JobID: id, HTTPStatus: 200, At: at})
		of(callback.Decider.Category, callback.GatewayCallbackApplied{ID: id, Effect: callback.Known, At: at})
	case 2:
		of("product", catalog.ProductWithdrawn{SKU: id})
		of("checkout", checkout.CheckoutAbandoned{CheckoutID: id})
		of("draft", draft.DraftPlacementEnded{DraftID: id, Reason: "payment-declined", At: at}, draft.DraftDiscarded{DraftID: id, At: at})
		of("customer", customer.CustomerErasureBegun{CustomerID: who, At: at}, customer.CustomerErased{CustomerID: who, At: at})
		of("job", job.JobCallbackFailed{JobID: id, Attempt: 1, Cause: "gone", Final: true, At: at})
		of(callback.Decider.Category, callback.GatewayCallbackUnclaimed{ID: id, Reason: "movement-unknown", At: at})
	}
	return steps
}
