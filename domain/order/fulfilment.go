package order

// FulfilmentStatus is how far the goods of an order are. It follows from the
// quantities.
type FulfilmentStatus string

// How far the goods of an order may be.
const (
	Unfulfilled       FulfilmentStatus = "unfulfilled"
	PartlyFulfilled   FulfilmentStatus = "partial"
	Fulfilled         FulfilmentStatus = "fulfilled"
	Delivered         FulfilmentStatus = "delivered"
	PartiallyReturned FulfilmentStatus = "partially_returned"
	Returned          FulfilmentStatus = "returned"
)

// FulfilmentStatus returns how far the goods are.
func (s State) FulfilmentStatus() FulfilmentStatus {
	returned := s.count(func(_ Line, p Progress) int { return p.Returned })
	switch {
	case s.shipped() == 0:
		return Unfulfilled
	case returned > 0 && s.back() && s.left() == 0:
		return Returned
	case returned > 0:
		return PartiallyReturned
	case s.left() > 0:
		return PartlyFulfilled
	case s.arrived():
		return Delivered
	}
	return Fulfilled
}
