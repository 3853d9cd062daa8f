package webhooks

import (
	"sync"

	"github.com/waybill-dev/waybill/domain"
)

// ErrTooManyAtOnce says that a tenant has as much of something under way as it
// may have. What is read of the log for one is taken from all others.
var ErrTooManyAtOnce = domain.Rule("too-many-at-once", "there is as much of this under way as there may be at once; wait until some of it has ended")

// seats are what each tenant has under way of something, in this process. The
// zero value is ready.
type seats struct {
	mu    sync.Mutex
	taken map[string]int
}

// take takes one of so many, any number if there is no bound, and returns how
// to give it back, which may be called twice.
func (s *seats) take(most int, tenantID string) (leave func(), err error) {
	if most <= 0 {
		return func() {}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[tenantID] >= most {
		return nil, ErrTooManyAtOnce.With("most", most)
	}
	if s.taken == nil {
		s.taken = map[string]int{}
	}
	s.taken[tenantID]++
	return sync.OnceFunc(func() { s.leave(tenantID) }), nil
}

func (s *seats) leave(tenantID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[tenantID]--; s.taken[tenantID] == 0 {
		delete(s.taken, tenantID)
	}
}
