package persistent

// A strategy chooses the client for a message.
type strategy interface {
	add(*Client)
	remove(*Client)
	// choose returns a client with room, or nobody and why.
	choose(*message) (*Client, outcome)
	// sent and released say which message a chosen client has, and has no more.
	sent(*Client, *message)
	released(*Client, *message)
}

func newStrategy(name string) strategy {
	switch name {
	case DispatchToSingle:
		return &ring{stay: true}
	case Pinned:
		return newPinned(streamOf)
	case PinnedByCorrelation:
		return newPinned(correlationOf)
	}
	return &ring{}
}

// A ring goes round the clients. It moves on with each message, or stays with a
// client until that one has no room.
type ring struct {
	stay    bool
	clients []*Client
}

func (r *ring) add(c *Client) { r.clients = append(r.clients, c) }

func (r *ring) remove(c *Client) {
	for i, other := range r.clients {
		if other == c {
			r.clients = append(r.clients[:i], r.clients[i+1:]...)
			return
		}
	}
}

func (r *ring) choose(*message) (*Client, outcome) {
	for range r.clients {
		first := r.clients[0]
		if first.free() > 0 {
			if !r.stay {
				r.turn()
			}
			return first, sent
		}
		r.turn()
	}
	return nil, full
}

func (r *ring) turn() {
	first := r.clients[0]
	copy(r.clients, r.clients[1:])
	r.clients[len(r.clients)-1] = first
}

func (*ring) sent(*Client, *message)     {}
func (*ring) released(*Client, *message) {}
