package draft

import "slices"

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case DraftOpened:
		s.DraftID, s.Currency, s.Status, s.OpenedAt, s.ChangedAt = e.DraftID, e.Currency, Open, e.At, e.At
	case DraftLineSet:
		s.ChangedAt = e.At
		if at := s.line(e.SKU); at >= 0 {
			s.Lines = slices.Clone(s.Lines)
			s.Lines[at] = e.Line
		} else {
			s.Lines = append(slices.Clip(s.Lines), e.Line)
		}
	case DraftLineRemoved:
		s.ChangedAt = e.At
		s.Lines = slices.DeleteFunc(slices.Clone(s.Lines), func(l Line) bool { return l.SKU == e.SKU })
	case DraftDetailsSet:
		s.Details, s.ChangedAt = e.Details, e.At
	case DraftPlacementBegun:
		s.Status, s.ChangedAt = Placing, e.At
		s.Attempts = append(slices.Clip(s.Attempts), Attempt{
			CheckoutID: e.CheckoutID, RequestID: e.RequestID, Fingerprint: e.Fingerprint,
			PaymentMethod: e.PaymentMethod, ReturnURL: e.ReturnURL, BegunAt: e.At,
		})
	case DraftPlacementEnded:
		s.Status, s.ChangedAt = Open, e.At
	case DraftPlaced:
		s.Status, s.OrderID, s.ChangedAt = Placed, e.OrderID, e.At
	case DraftDiscarded:
		s.Status, s.ChangedAt = Discarded, e.At
	}
	return s
}
