package message

import "github.com/waybill-dev/waybill/domain/creditnote"

func creditNoteKinds() []Kind {
	return []Kind{
		publish("creditnote.recorded", "creditnote", creditNoteRecorded, Kind{
			Sent:    "When money that was given back elsewhere, for goods of orders that were made elsewhere, is recorded here.",
			Promise: "There is at least one line, every amount is in currency, and total is the sum of the lines. Nothing is done about it here.",
		}),
	}
}

type creditNoteRecordedData struct {
	CreditNoteID  string           `json:"credit_note_id"`
	CustomerID    string           `json:"customer_id" doc:"A pseudonym."`
	ShipToCountry string           `json:"ship_to_country,omitempty" doc:"ISO 3166, where the goods had gone; missing where nobody said." example:"DE"`
	Currency      string           `json:"currency" doc:"ISO 4217, of every amount." example:"EUR"`
	Lines         []creditNoteLine `json:"lines" nullable:"false"`
	Total         money            `json:"total"`
	External      orderExternal    `json:"external"`
}

type creditNoteLine struct {
	SKU       string `json:"sku" example:"MUG-1"`
	Title     string `json:"title"`
	Quantity  int    `json:"quantity"`
	UnitPrice money  `json:"unit_price"`
	Total     money  `json:"total"`
}

func creditNoteRecorded(e creditnote.CreditNoteRecorded) creditNoteRecordedData {
	data := creditNoteRecordedData{
		CreditNoteID: e.CreditNoteID, CustomerID: e.CustomerID, ShipToCountry: e.ShipToCountry, Currency: e.Currency,
		Lines: make([]creditNoteLine, len(e.Lines)), Total: money(e.Total), External: orderExternal(e.External),
	}
	for i, l := range e.Lines {
		data.Lines[i] = creditNoteLine{SKU: l.SKU, Title: l.Title, Quantity: l.Quantity, UnitPrice: money(l.UnitPrice), Total: money(l.Total)}
	}
	return data
}
