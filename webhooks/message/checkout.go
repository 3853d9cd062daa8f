package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/checkoutfailure"
)

func checkoutKinds() []Kind {
	return []Kind{
		publish("checkout.failed", "checkout", checkoutFailed, Kind{
			Category: checkoutfailure.Decider.Category,
			Sent:     "When a checkout that was answered with 202, because the payment's outcome was not known or the shopper had to confirm it, came to nothing. A checkout that was refused at once was answered so, and is no message.",
			Promise:  "There is no order and none will come of it; neither stock nor money is held. aggregate.id is the id in the Location of that answer.",
		}),
	}
}

type checkoutFailedData struct {
	CheckoutID    string         `json:"checkout_id"`
	CustomerID    string         `json:"customer_id" doc:"A pseudonym: the same for all orders of somebody, until they are erased."`
	ShipToCountry string         `json:"ship_to_country,omitempty" doc:"ISO 3166; missing where nobody said." example:"DE"`
	Channel       string         `json:"channel,omitempty" doc:"The sales channel; missing for the shop itself." example:"web"`
	Lines         []checkoutLine `json:"lines" nullable:"false" doc:"What was wanted."`
	Total         money          `json:"total"`
	Reason        string         `json:"reason" doc:"The code of the problem: payment-declined, payment-unresolved or stock-lost; more may come." example:"payment-declined"`
	External      orderExternal  `json:"external,omitzero" doc:"Where it came about; missing for orders placed here."`
	StartedAt     time.Time      `json:"started_at"`
	FailedAt      time.Time      `json:"failed_at"`
}

type checkoutLine struct {
	SKU      string `json:"sku" example:"MUG-1"`
	Quantity int    `json:"quantity"`
}

func checkoutFailed(e checkoutfailure.CheckoutFailureAnnounced) checkoutFailedData {
	data := checkoutFailedData{
		CheckoutID: e.CheckoutID, CustomerID: e.CustomerID, ShipToCountry: e.ShipToCountry, Channel: e.Channel, Lines: make([]checkoutLine, len(e.Lines)),
		Total: money(e.Total), Reason: e.Reason, External: orderExternal(e.External), StartedAt: e.StartedAt, FailedAt: e.FailedAt,
	}
	for i, l := range e.Lines {
		data.Lines[i] = checkoutLine(l)
	}
	return data
}

// gaveUp are the attributes of a checkout that failed.
func gaveUp(e checkoutfailure.CheckoutFailureAnnounced) *Attributes {
	after := &Attributes{
		Channel: e.Channel, Currency: e.Total.Currency, Country: e.ShipToCountry, CustomerID: e.CustomerID,
		Source: e.External.Source, Total: e.Total.Amount,
	}
	for _, l := range e.Lines {
		after.lines = append(after.lines, attributedLine{"", l.SKU, int64(l.Quantity)})
	}
	after.count()
	return after
}
