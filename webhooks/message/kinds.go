package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Kinds are all public messages. A line is never removed, and its public form
// only ever gains optional fields; anything else is a new version.
func Kinds() []Kind {
	return []Kind{
		{
			Stored: order.OrderPlaced{}.EventName(), Public: "order.placed", Version: 1, Aggregate: "order",
			Data: as(orderPlaced), Href: "/v1/orders/%s",
		},
		{
			Stored: endpoint.Tested{}.EventName(), Public: "endpoint.test", Version: 1, Aggregate: "endpoint",
			Private: true, Data: as(endpointTest), Href: "/v1/endpoints/%s",
		},
	}
}

type endpointTestData struct {
	EndpointID string    `json:"endpoint_id"`
	TestID     string    `json:"test_id"`
	TestedAt   time.Time `json:"tested_at"`
}

func endpointTest(e endpoint.Tested) any {
	return endpointTestData{EndpointID: e.EndpointID, TestID: e.TestID, TestedAt: e.TestedAt}
}
