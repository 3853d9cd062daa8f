package delivery

// Order says which events wait for one that failed.
type Order string

// Orders.
const (
	ByLane   Order = ""         // those of the same lane
	NoOrder  Order = "none"     // none
	Strictly Order = "endpoint" // all
)

// key names the queue an event stands in. Rows keep the lane itself, so that
// another order can be chosen while some are parked.
func (p *Plan) key(e Event) string {
	switch p.cfg.Order {
	case NoOrder:
		return e.ID
	case Strictly:
		return ""
	case ByLane:
	}
	return e.Lane
}

// mostParked is how many parked events stop the cursor. Where everything waits
// for the first that failed, nothing is gained by parking more.
func (p *Plan) mostParked() int {
	if p.cfg.Order == Strictly {
		return 1
	}
	return p.cfg.MaxParked
}
