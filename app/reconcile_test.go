package app_test

import (
	"bytes"
	"testing"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/gateways/warehouse/sandbox"
)

// What the warehouse did is known, also where what it tells of it is lost; and
// what is heard both ways has happened once.
func TestSagasOfAWarehouseThatIsNotHeard(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		p := startSagas(t, append(on(e), "--tasks-ask-warehouse-after", "100ms")...)
		p.warehouse.Tell(sandbox.Shop{URL: p.url, Key: fuzzAdminKey})
		p.packedUnheard(t)
		p.packedHeard(t)
	})
}

// request asks for everything of an order, and returns the job.
func (p sagas) request(t *testing.T, orderID string) (requestID string) {
	t.Helper()
	_, err := p.api.RequestFulfilment(t.Context(), orderID, key("pick"), client.RequestFulfilment{})
	done(t, err)
	return p.job(t, orderID, "submitted")
}

func (p sagas) pack(t *testing.T, requestID, parcel string, quantity int) {
	t.Helper()
	_, err := p.warehouse.Pack(t.Context(), requestID, warehouse.Parcel{
		ID: parcel, Carrier: "dhl", Tracking: "T1", Lines: []warehouse.Units{{LineID: "1", Quantity: quantity}},
	})
	done(t, err)
}

func (p sagas) packedUnheard(t *testing.T) {
	t.Helper()
	p.warehouse.Behave(sandbox.Behaviour{Mute: true})
	id := p.place(t, "EUR", 3, "UNHEARD")
	request := p.request(t, id)
	p.pack(t, request, "p1", 1)
	p.becomes(t, id, "partially_shipped", "partially_captured")
	_, err := p.warehouse.Refuse(t.Context(), request, "stock_shortfall")
	done(t, err)
	o := p.becomes(t, id, "on_hold", "partially_captured")
	if len(o.Holds) != 1 || o.Holds[0].Reason != "stock_shortfall" {
		t.Errorf("%+v", o.Holds)
	}
	_, err = p.api.ReleaseOrder(t.Context(), id, key("release"), "")
	done(t, err)
	p.pack(t, request, "p2", 2) // it was found after all
	p.becomes(t, id, "shipped", "captured")
	p.shelf(t, "UNHEARD", 7, 0)
	p.settled(t, id)
}

// packedHeard tells of each parcel while it is asked about, and once more later.
func (p sagas) packedHeard(t *testing.T) {
	t.Helper()
	p.warehouse.Behave(sandbox.Behaviour{})
	id := p.place(t, "EUR", 3, "HEARD")
	request := p.request(t, id)
	for range 2 {
		p.pack(t, request, "p1", 1)
		p.pack(t, request, "p2", 2)
	}
	p.becomes(t, id, "shipped", "captured")
	p.shelf(t, "HEARD", 7, 0)
	p.settled(t, id)
}

// settled waits until nothing of the order's jobs is asked about any more.
func (p sagas) settled(t *testing.T, orderID string) {
	t.Helper()
	p.eventually(t, "settled", func() bool {
		return !bytes.Contains(p.read(t, "/v1/orders/"+orderID+"/tasks"), []byte("reconcile-job"))
	})
}
