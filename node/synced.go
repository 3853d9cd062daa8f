package node

import "sync"

// heads are the heads as they were before the group that is on its way to the
// disk. The library shows a batch to readers before it is synced: whoever reads
// a stream that the group changes is given its head from here.
type heads struct {
	mu     sync.RWMutex
	before map[string]head
}

func (s *heads) set(before map[string]head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *heads) get(stream string) (head, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.before[stream]
	return h, ok
}

// syncedHead returns the head of a stream as far as it is on the disk. One that
// does not exist has no last revision. What was synced when it is called is
// in the head it returns.
func (n *Node) syncedHead(stream string) (head, error) {
	for {
		if h, ok := n.heads.get(stream); ok {
			return h, nil
		}
		stored, err := n.readHead(stream)
		if err != nil {
			return head{}, err
		}
		if stored == nil {
			return head{last: -1}, nil
		}
		// Otherwise a group has begun or ended in between: look again.
		if stored.changed < n.end.Load() {
			return *stored, nil
		}
		if err := n.readable(); err != nil {
			return head{}, err
		}
	}
}

// deletedForEver reports whether the stream has a tombstone, or the one it
// describes, or the one that describes.
func (n *Node) deletedForEver(stream string, h *head) (bool, error) {
	if h.tombstoned {
		return true, nil
	}
	of, ok := described(stream)
	for i := 0; ok && i < mostDescribed; i++ {
		other, err := n.syncedHead(of)
		if err != nil || other.tombstoned {
			return other.tombstoned, err
		}
		of, ok = described(of)
	}
	return false, nil
}
