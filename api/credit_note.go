package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/handlers/creditnotes"
)

type recordCreditNoteRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Required: 1 to 255 printable characters of your making."`
	Body           recordCreditNoteBody
}

type recordCreditNoteBody struct {
	Customer *elsewhereBody       `json:"customer,omitempty" doc:"Missing for a guest."`
	Currency string               `json:"currency" example:"GBP"`
	Lines    []creditNoteLineBody `json:"lines" nullable:"false" doc:"Goods that came back, 1 to 2,000 lines."`
	ShipTo   *countryBody         `json:"ship_to,omitempty" doc:"Where the goods had gone."`
	External externalBody         `json:"external" doc:"Where and when the credit note came about: recorded once per source and ref."`
}

type elsewhereBody struct {
	ID string `json:"id" doc:"Of the customer elsewhere." maxLength:"200"`
}

type creditNoteLineBody struct {
	SKU       string `json:"sku" example:"MUG-1"`
	Title     string `json:"title,omitempty" maxLength:"500" example:"Mug"`
	Quantity  int    `json:"quantity" doc:"Positive." example:"1"`
	UnitPrice money  `json:"unit_price"`
}

func (b creditNoteLineBody) domain() creditnote.Line {
	return creditnote.Line{SKU: b.SKU, Title: b.Title, Quantity: b.Quantity, UnitPrice: b.UnitPrice.domain()}
}

type creditNoteAnswer struct {
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed"`
	Body     creditNoteBody
}

type creditNoteBody struct {
	ID         string         `json:"id"`
	CustomerID string         `json:"customer_id"`
	Currency   string         `json:"currency"`
	Lines      []creditedLine `json:"lines" nullable:"false"`
	Total      money          `json:"total"`
	ShipTo     *countryBody   `json:"ship_to,omitempty"`
	External   externalBody   `json:"external"`
}

type creditedLine struct {
	SKU       string `json:"sku"`
	Title     string `json:"title"`
	Quantity  int    `json:"quantity"`
	UnitPrice money  `json:"unit_price"`
	Total     money  `json:"total"`
}

func (s *server) creditNoteRoutes() {
	register(s, route{
		id: "recordCreditNote", method: http.MethodPost, path: "/v1/credit-notes", tag: "orders",
		scopes: []apikey.Scope{apikey.OrdersImport}, status: http.StatusCreated,
		summary: "Record a credit note that came about elsewhere", about: "It is kept and counted; nothing else is done about it.",
		refuses: []string{
			kindKeyMissing, kindKeyInvalid, domain.ErrKeyReused.Code, creditnote.ErrInvalid.Code, creditnote.ErrIDReused.Code,
			domain.ErrAmountOverflow.Code, kindConflict,
		},
		example: map[string]any{
			"currency": "GBP", "external": map[string]any{"source": "old-shop", "ref": "C536379", "time": "2010-12-01T09:41:00Z"},
			"lines": []any{map[string]any{"sku": "MUG-1", "title": "Mug", "quantity": 1, "unit_price": map[string]any{"amount": 255, "currency": "GBP"}}},
		},
	}, s.recordCreditNote)
}

func (s *server) recordCreditNote(ctx context.Context, in *recordCreditNoteRequest) (*creditNoteAnswer, error) {
	meta, err := s.keyed(ctx, "POST /v1/credit-notes", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	external := creditnote.External{Source: in.Body.External.Source, Ref: in.Body.External.Ref, Time: in.Body.External.Time}
	command := creditnote.Record{
		CreditNoteID: creditnotes.ID(external), External: external, Currency: in.Body.Currency,
		Lines: each(in.Body.Lines, creditNoteLineBody.domain),
	}
	if in.Body.Customer != nil {
		command.CustomerID = in.Body.Customer.ID
	}
	if in.Body.ShipTo != nil {
		command.ShipToCountry = in.Body.ShipTo.Country
	}
	meta.CorrelationID = command.CreditNoteID
	result, err := s.api.CreditNotes.Record(ctx, meta, command)
	if err != nil {
		return nil, err
	}
	answer := &creditNoteAnswer{ETag: etag(result.Revision), Body: creditNoteBodyOf(result.State.Recorded)}
	if len(result.Events) == 0 {
		answer.Replayed = replayed
	}
	return answer, nil
}

func creditNoteBodyOf(e creditnote.CreditNoteRecorded) creditNoteBody {
	body := creditNoteBody{
		ID: e.CreditNoteID, CustomerID: e.CustomerID, Currency: e.Currency, Total: moneyOf(e.Total), External: externalBody(e.External),
		Lines: each(e.Lines, func(l creditnote.Line) creditedLine {
			return creditedLine{SKU: l.SKU, Title: l.Title, Quantity: l.Quantity, UnitPrice: moneyOf(l.UnitPrice), Total: moneyOf(l.Total)}
		}),
	}
	if e.ShipToCountry != "" {
		body.ShipTo = &countryBody{Country: e.ShipToCountry}
	}
	return body
}
