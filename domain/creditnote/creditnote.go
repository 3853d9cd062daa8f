// Package creditnote is money given back for goods of orders that were made
// elsewhere: it is recorded, and nothing is done about it here. It promises
// that lines and total add up.
package creditnote

import (
	"fmt"
	"reflect"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// MaxLines is how many lines a credit note may have, and MaxQuantity how many
// units a line.
const (
	MaxLines    = 2_000
	MaxQuantity = 1_000_000
)

// External says where and when something came about that did not start here.
type External struct {
	Source string    `json:"source"`
	Ref    string    `json:"ref"`
	Time   time.Time `json:"time"`
}

// Line is goods that came back. Quantity and prices are positive.
type Line struct {
	SKU       string       `json:"sku"`
	Title     string       `json:"title"`
	Quantity  int          `json:"quantity"`
	UnitPrice domain.Money `json:"unit_price"`
	Total     domain.Money `json:"total"`
}

// Rules a credit note may refuse a command by.
var (
	ErrInvalid  = domain.Rule("credit-note-invalid", "the credit note has mistakes")
	ErrIDReused = domain.Rule("id-reused", "the id was used before, with other content")
)

// Command is a wish to change a credit note.
//
//sumtype:decl
type Command interface{ command() }

// Record keeps a credit note. Totals of lines are calculated.
type Record struct {
	CreditNoteID string
	External     External
	CustomerID   string
	// ShipToCountry is where the goods had gone, ISO 3166; may be empty.
	ShipToCountry string
	Currency      string
	Lines         []Line
}

func (Record) command() {}

// Event is a fact about a credit note.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// CreditNoteRecorded is recorded once. Consumers may rely on at least one
// line, on every amount being in Currency, and on Total being the lines' sum.
type CreditNoteRecorded struct {
	CreditNoteID string   `json:"credit_note_id"`
	External     External `json:"external"`
	CustomerID   string   `json:"customer_id"`
	// ShipToCountry is where the goods had gone; empty where nobody said.
	ShipToCountry string       `json:"ship_to_country,omitempty"`
	Currency      string       `json:"currency"`
	Lines         []Line       `json:"lines"`
	Total         domain.Money `json:"total"`
}

// EventName implements [domain.Event].
func (CreditNoteRecorded) EventName() string { return "CreditNoteRecorded" }

func (CreditNoteRecorded) event() {}

// EventTypes describes the events of a credit note to the codec.
func EventTypes() []domain.EventType { return domain.EventTypes(CreditNoteRecorded{}) }

// State is a credit note; it is what was recorded.
type State struct{ Recorded CreditNoteRecorded }

// Decider is the credit note as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "creditnote", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Record:
		return record(s, c)
	}
	panic(fmt.Sprintf("creditnote: unknown command %T", c))
}

func record(s State, c Record) ([]Event, error) {
	e := CreditNoteRecorded{
		CreditNoteID: c.CreditNoteID, External: c.External, CustomerID: c.CustomerID, ShipToCountry: c.ShipToCountry, Currency: c.Currency,
		Total: domain.Money{Currency: c.Currency},
	}
	mistakes := checkHead(c)
	for i, line := range c.Lines {
		mistakes = append(mistakes, checkLine(i, line, c.Currency)...)
	}
	if len(mistakes) > 0 {
		return nil, ErrInvalid.Because(mistakes...)
	}
	for _, line := range c.Lines {
		var err error
		if line.Total, err = line.UnitPrice.Mul(int64(line.Quantity)); err != nil {
			return nil, err
		}
		if e.Total, err = e.Total.Add(line.Total); err != nil {
			return nil, err
		}
		e.Lines = append(e.Lines, line)
	}
	switch {
	case s.Recorded.CreditNoteID == "":
		return []Event{e}, nil
	case same(s.Recorded, e):
		return nil, nil
	}
	return nil, ErrIDReused.With("credit_note_id", c.CreditNoteID)
}

// same compares what is stored with what would be: a time that was stored has
// lost its zone's name.
func same(stored, wanted CreditNoteRecorded) bool {
	if !stored.External.Time.Equal(wanted.External.Time) {
		return false
	}
	stored.External.Time = wanted.External.Time
	return reflect.DeepEqual(stored, wanted)
}

func checkHead(c Record) []domain.Mistake {
	var m []domain.Mistake
	if !(domain.Money{Currency: c.Currency}).Valid() {
		m = append(m, domain.Mistake{Pointer: "/currency", Code: "unknown-currency", Detail: "a currency is a code of ISO 4217"})
	}
	if c.ShipToCountry != "" && !domain.ValidCountry(c.ShipToCountry) {
		m = append(m, domain.Mistake{Pointer: "/ship_to/country", Code: "invalid-country", Detail: "a country is a code of ISO 3166, two capital letters"})
	}
	if len(c.Lines) == 0 || len(c.Lines) > MaxLines {
		m = append(m, domain.Mistake{Pointer: "/lines", Code: "invalid-lines", Detail: fmt.Sprintf("a credit note has 1 to %d lines", MaxLines)})
	}
	if c.External.Source == "" || c.External.Ref == "" || c.External.Time.IsZero() {
		m = append(m, domain.Mistake{Pointer: "/external", Code: "invalid-external", Detail: "source, ref and time say where the credit note comes from"})
	}
	return m
}

func checkLine(i int, line Line, currency string) []domain.Mistake {
	var m []domain.Mistake
	at := fmt.Sprintf("/lines/%d", i)
	if !domain.ValidSKU(line.SKU) {
		m = append(m, domain.Mistake{Pointer: at + "/sku", Code: "invalid-sku", Detail: `a SKU has 1 to 64 letters, digits and signs of "-_.+:"`})
	}
	if line.Quantity < 1 || line.Quantity > MaxQuantity {
		m = append(m, domain.Mistake{Pointer: at + "/quantity", Code: "invalid-quantity", Detail: fmt.Sprintf("a quantity is 1 to %d", MaxQuantity)})
	}
	if line.UnitPrice.Amount < 0 {
		m = append(m, domain.Mistake{Pointer: at + "/unit_price/amount", Code: "negative-amount", Detail: "a price is not negative"})
	}
	if line.UnitPrice.Currency != currency {
		m = append(m, domain.Mistake{Pointer: at + "/unit_price/currency", Code: "currency-mismatch", Detail: "a credit note has one currency"})
	}
	return m
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case CreditNoteRecorded:
		s.Recorded = e
	}
	return s
}
