package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/customer"
)

func customerKinds() []Kind {
	return []Kind{
		publish("customer.erased", "customer", customerErased, Kind{
			Shared:  true,
			Sent:    "Once, after the personal data of a customer was erased. Erase what you know of them, too.",
			Promise: "Nothing of the customer can be read here any more: messages that are sent again say erased. customer_id is the one of their orders.",
		}),
	}
}

type customerErasedData struct {
	CustomerID string    `json:"customer_id" doc:"The pseudonym of their orders."`
	ErasedAt   time.Time `json:"erased_at"`
}

func customerErased(e customer.CustomerErased) customerErasedData {
	return customerErasedData{CustomerID: e.CustomerID, ErasedAt: e.At}
}
