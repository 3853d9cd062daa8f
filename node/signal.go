package node

import "sync/atomic"

// A signal wakes all who wait for a change. Whoever waits takes the channel
// before looking whether there is still something to wait for.
type signal struct{ next atomic.Pointer[chan struct{}] }

func (s *signal) init() {
	next := make(chan struct{})
	s.next.Store(&next)
}

// changed is closed by the next wake.
func (s *signal) changed() <-chan struct{} { return *s.next.Load() }

func (s *signal) wake() {
	next := make(chan struct{})
	close(*s.next.Swap(&next))
}
