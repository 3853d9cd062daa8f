package persistent

// An outcome is what came of offering a message to the clients.
type outcome int

const (
	sent    outcome = iota
	skipped         // its client has no room, another message may have one with
	full            // no client has room
)

// A queue is messages that wait for a client.
type queue struct{ list []*message }

func (q *queue) len() int { return len(q.list) }

func (q *queue) add(m *message) { q.list = append(q.list, m) }

// insert puts a message back: before the ones that come after it in the source.
// Replayed messages have no place there and go to the end.
func (q *queue) insert(m *message) {
	at := len(q.list)
	if !m.replayed {
		for i := at - 1; i >= 0; i-- {
			other := q.list[i]
			if other.replayed {
				continue
			}
			if other.at <= m.at {
				break
			}
			at = i
		}
	}
	q.list = append(q.list, nil)
	copy(q.list[at+1:], q.list[at:])
	q.list[at] = m
}

// offer takes out what is sent. It reports whether the clients have room left.
func (q *queue) offer(give func(*message) outcome) (room bool) {
	var kept []*message
	for i, m := range q.list {
		switch give(m) {
		case sent:
			q.list[i] = nil
		case skipped:
			kept = append(kept, m)
		case full:
			q.keep(kept, i)
			return false
		}
	}
	q.list = kept
	return true
}

// keep leaves the skipped ones before the ones from i on.
func (q *queue) keep(kept []*message, i int) {
	start := i - len(kept)
	copy(q.list[start:], kept)
	clear(q.list[:start]) // nothing else lets go of them
	q.list = q.list[start:]
}
