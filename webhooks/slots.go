package webhooks

import (
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// slots shares out attempts under way among couriers.
type slots struct {
	mu     sync.Mutex
	shared *delivery.Slots
}

func newSlots(perHost, inAll int) *slots { return &slots{shared: delivery.NewSlots(perHost, inAll)} }

// claim enters a courier of a tenant. Its turn is told on a channel that holds one.
func (s *slots) claim(target, tenant string, turn chan<- struct{}) *delivery.Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared.Claim(hostOf(target), tenant, func() {
		select {
		case turn <- struct{}{}:
		default: // it has yet to look, and will find this slot too
		}
	})
}

func (s *slots) take(c *delivery.Claim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared.Take(c)
}

func (s *slots) give(c *delivery.Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared.Give(c)
}

func (s *slots) leave(c *delivery.Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared.Leave(c)
}

// hostOf names the machine a URL leads to, the same however it is written; what
// cannot be read is a host of its own.
func hostOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return addr.Unmap().String()
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}
