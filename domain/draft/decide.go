package draft

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
)

func decide(s State, c Command) ([]Event, error) {
	if _, opens := c.(OpenDraft); !opens && s.Status == "" {
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case OpenDraft:
		return open(s, c)
	case SetLine:
		return setLine(s, c)
	case RemoveLine:
		return removeLine(s, c)
	case SetDetails:
		return setDetails(s, c)
	case BeginPlacement:
		return beginPlacement(s, c)
	case EndPlacement:
		if s.Status != Placing || s.Last().CheckoutID != c.CheckoutID {
			return nil, nil // it is over
		}
		return []Event{DraftPlacementEnded{DraftID: s.DraftID, CheckoutID: c.CheckoutID, Reason: c.Reason, At: c.At}}, nil
	case Place:
		return place(s, c)
	case Discard:
		return discard(s, c)
	}
	panic(fmt.Sprintf("draft: unknown command %T", c))
}

func open(s State, c OpenDraft) ([]Event, error) {
	if s.Status != "" {
		return nil, nil
	}
	var wrong []domain.Mistake
	if !(domain.Money{Currency: c.Currency}).Valid() {
		wrong = append(wrong, domain.Mistake{Pointer: "/currency", Code: "unknown-currency", Detail: "a currency is a code of ISO 4217"})
	}
	events := []Event{DraftOpened{DraftID: c.DraftID, Currency: c.Currency, At: c.At}}
	seen := map[string]bool{}
	for i, line := range c.Lines {
		at := fmt.Sprintf("/lines/%d", i)
		wrong = append(wrong, line.mistakes(at, c.Currency)...)
		if seen[line.SKU] {
			wrong = append(wrong, domain.Mistake{Pointer: at + "/sku", Code: "duplicate", Detail: "another line is of the same SKU: add the two up"})
		}
		seen[line.SKU] = true
		events = append(events, DraftLineSet{DraftID: c.DraftID, Line: line, At: c.At})
	}
	if len(c.Lines) > MaxLines {
		wrong = append(wrong, tooMany())
	}
	if wrong = append(wrong, c.Details.mistakes(c.Currency)...); len(wrong) > 0 {
		return nil, ErrInvalid.Because(wrong...)
	}
	if !c.Details.equal(Details{}) {
		events = append(events, DraftDetailsSet{DraftID: c.DraftID, Details: c.Details, At: c.At})
	}
	return events, nil
}

func setLine(s State, c SetLine) ([]Event, error) {
	line := c.Line
	wrong := line.mistakes("", s.Currency)
	at := s.line(c.SKU)
	if at < 0 && len(s.Lines) >= MaxLines {
		wrong = append(wrong, tooMany())
	}
	switch err := changeable(s); {
	case err != nil:
		return nil, err
	case len(wrong) > 0:
		return nil, ErrInvalid.Because(wrong...)
	case at >= 0 && s.Lines[at] == line:
		return nil, nil
	}
	return []Event{DraftLineSet{DraftID: s.DraftID, Line: line, At: c.At}}, nil
}

func removeLine(s State, c RemoveLine) ([]Event, error) {
	if err := changeable(s); err != nil {
		return nil, err
	}
	if s.line(c.SKU) < 0 {
		return nil, nil
	}
	return []Event{DraftLineRemoved{DraftID: s.DraftID, SKU: c.SKU, At: c.At}}, nil
}

func setDetails(s State, c SetDetails) ([]Event, error) {
	if err := changeable(s); err != nil {
		return nil, err
	}
	if wrong := c.Details.mistakes(s.Currency); len(wrong) > 0 {
		return nil, ErrInvalid.Because(wrong...)
	}
	if s.Details.equal(c.Details) {
		return nil, nil
	}
	return []Event{DraftDetailsSet{DraftID: s.DraftID, Details: c.Details, At: c.At}}, nil
}

func beginPlacement(s State, c BeginPlacement) ([]Event, error) {
	a := c.Attempt
	if s.Status == Placing && s.Last().RequestID == a.RequestID {
		return nil, nil
	}
	if err := changeable(s); err != nil {
		return nil, err
	}
	if len(s.Lines) == 0 {
		return nil, ErrInvalid.Because(domain.Mistake{Pointer: "/lines", Code: "no-lines", Detail: "an order needs at least one line"})
	}
	return []Event{DraftPlacementBegun{
		DraftID: s.DraftID, CheckoutID: a.CheckoutID, RequestID: a.RequestID, Fingerprint: a.Fingerprint,
		PaymentMethod: a.PaymentMethod, ReturnURL: a.ReturnURL, At: a.BegunAt,
	}}, nil
}

func place(s State, c Place) ([]Event, error) {
	switch {
	case s.Status == Placed && s.OrderID == c.OrderID:
		return nil, nil
	case s.Status != Placing || s.Last().CheckoutID != c.CheckoutID:
		return nil, changeableOr(s, ErrInvalid)
	}
	return []Event{DraftPlaced{DraftID: s.DraftID, CheckoutID: c.CheckoutID, OrderID: c.OrderID, At: c.At}}, nil
}

func discard(s State, c Discard) ([]Event, error) {
	if s.Status == Discarded {
		return nil, nil
	}
	if err := changeable(s); err != nil {
		return nil, err
	}
	return []Event{DraftDiscarded{DraftID: s.DraftID, Reason: c.Reason, At: c.At}}, nil
}

// changeable refuses changes of a draft that is not open.
func changeable(s State) error {
	switch s.Status {
	case Placing:
		return ErrPlacing.With("checkout_id", s.Last().CheckoutID)
	case Placed:
		return ErrPlaced.With("order_id", s.OrderID)
	case Discarded:
		return ErrDiscarded
	default:
		return nil
	}
}

func changeableOr(s State, rule error) error {
	if err := changeable(s); err != nil {
		return err
	}
	return rule
}

func (s State) line(sku string) int {
	return slices.IndexFunc(s.Lines, func(l Line) bool { return l.SKU == sku })
}
