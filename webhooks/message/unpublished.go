package message

import (
	"maps"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/checkout"
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
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Unpublished returns the stored events that partners do not get, each with the
// reason. An event that is neither here nor among [Kinds] is a mistake.
func Unpublished() map[string]string {
	reasons := map[string]string{
		order.OrderNoteAdded{}.EventName(): "notes are for people in the shop, and their text is personal",
		order.OrderTagged{}.EventName():    "tags are the shop's own words for its own work, and may name anybody",

		customer.CustomerRegistered{}.EventName():      "who a customer is stays in the vault; partners know customers by their orders",
		customer.CustomerContactChanged{}.EventName():  "how a customer is reached stays in the vault",
		customer.CustomerErasureBegun{}.EventName():    "nothing is erased yet; customer.erased follows",
		customer.CustomerErasureStopped{}.EventName():  "nothing was erased",
		customer.CustomerDataExported{}.EventName():    "that is between the shop and the customer",
		endpoint.Created{}.EventName():                 "whoever created it knows",
		endpoint.Deleted{}.EventName():                 "whoever deleted it knows",
		endpoint.Enabled{}.EventName():                 "whoever enabled it knows",
		installation.InstallationFounded{}.EventName(): "it is about this installation and nobody's business",

		endpoint.ReplayRequested{}.EventName():  "whoever asked for it knows",
		endpoint.ReplayProgressed{}.EventName(): "the API shows how far a replay is; replay.completed follows",
		endpoint.ReplayCancelled{}.EventName():  "whoever cancelled it knows",

		endpoint.Changed{}.EventName():                "whoever changed it knows",
		endpoint.ChannelsChanged{}.EventName():        "whoever changed them knows",
		endpoint.Paused{}.EventName():                 "whoever paused it knows",
		endpoint.Resumed{}.EventName():                "whoever resumed it knows",
		endpoint.DeliveryResent{}.EventName():         "whoever wanted it sent again knows",
		endpoint.DeliverySkipped{}.EventName():        "whoever skipped it knows",
		endpoint.VerifiedEndpoint{}.EventName():       "whoever created it sees it",
		endpoint.VerificationUnanswered{}.EventName(): "whoever created it sees it",
		endpoint.SecretsResealed{}.EventName():        "nothing changed but how secrets are stored",
		"SigningKeyResealed":                          "nothing changed but how keys are stored",
		"SigningKeyRotated":                           "GET /v1/keys shows the keys, the old one with its end",
		endpoint.Checkpointed{}.EventName():           "how far deliveries are is what the API's status shows",
	}
	for reason, islands := range map[string][][]domain.EventType{
		"a payment's steps at its gateway; what they mean for an order is order.payment_updated":                             {payment.EventTypes()},
		"a checkout is not an order yet: it ends as order.placed, or as nothing, of which checkout.failed tells":             {checkout.EventTypes()},
		"a draft is not an order yet: it ends as order.placed, or as nothing":                                                {draft.EventTypes()},
		"every order makes several of them, at the busiest streams there are; levels are read from the API when they matter": {stock.EventTypes()},
		"how work is done inside; what comes of it is an order's event":                                                      {process.EventTypes(), gatewaycallback.EventTypes(), numbers.EventTypes(), idempotency.EventTypes()},
		"what people decide about events that a side effect could not handle is of the platform":                             {deadletter.EventTypes()},
		"jobs tell whoever started them by a callback of their own":                                                          {job.EventTypes()},
		"keys are the business of the shop alone":                                                                            {apikey.EventTypes()},
	} {
		for _, types := range islands {
			maps.Insert(reasons, each(types, reason))
		}
	}
	return reasons
}

// each gives all events of an island the same reason.
func each(types []domain.EventType, reason string) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for _, t := range types {
			if !yield(t.Zero.EventName(), reason) {
				return
			}
		}
	}
}
