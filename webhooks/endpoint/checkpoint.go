package endpoint

// Checkpointed is recorded now and then of deliveries that have moved on, in a
// stream of its own: a dispatcher that has lost its tables goes on from there.
type Checkpointed struct {
	EndpointID string `json:"endpoint_id"`
	// Through is a position up to which nothing waits any more: everything is
	// delivered or given up.
	Through uint64 `json:"through"`
	// Seeks is how often deliveries had been told where to go on by then.
	Seeks int `json:"seeks,omitempty"`
}

// EventName implements [domain.Event].
func (Checkpointed) EventName() string { return "DeliveryCheckpointed" }

// CheckpointStream names the stream of an endpoint's checkpoints, of which only
// the last one matters.
func CheckpointStream(endpointID string) string { return "delivery-" + endpointID }
