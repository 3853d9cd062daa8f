package app

import (
	"slices"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/domain/installation"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/domain/numbers"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

// Codec knows every event that is ever stored.
func Codec() (*eventstore.Codec, error) { return eventstore.NewCodec(eventTypes()...) }

// eventTypes lists every event that is ever stored.
func eventTypes() []domain.EventType {
	return slices.Concat(
		apikey.EventTypes(), catalog.EventTypes(), checkout.EventTypes(), checkoutfailure.EventTypes(), creditnote.EventTypes(), gatewaycallback.EventTypes(), idempotency.EventTypes(), installation.EventTypes(), numbers.EventTypes(),
		order.EventTypes(), payment.EventTypes(), process.EventTypes(), stock.EventTypes(), endpoint.EventTypes(),
		customer.EventTypes(), draft.EventTypes(), job.EventTypes(), signingkey.EventTypes(),
		deadletter.EventTypes(),
	)
}
