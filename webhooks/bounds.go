package webhooks

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Bounds keep tenants from making a weapon of the dispatcher. The zero value
// of a field is no bound.
type Bounds struct {
	PerTenant int // endpoints of one tenant
	PerHost   int // endpoints of one tenant at one host
	Creates   int // endpoints a tenant may create in a minute
	Tests     int // test messages a tenant may ask for in a minute
	Resends   int // messages a tenant may have sent again in a minute
	Replays   int // replays a tenant may ask for in a minute
}

// Rules of [Bounds]. A count may be passed by what is asked for at the same
// moment.
var (
	ErrTooManyEndpoints = domain.Rule("too-many-endpoints", "there are as many endpoints as there may be")
	ErrTooManyAtHost    = domain.Rule("too-many-endpoints-at-host", "there are as many endpoints at this host as there may be")
	ErrTooOften         = domain.Rule("too-many-requests", "this was asked for too often; wait and ask again")
)

func (s *Endpoints) mayCreate(ctx context.Context, n NewEndpoint) error {
	if s.Bounds.PerTenant > 0 || s.Bounds.PerHost > 0 {
		if err := s.room(ctx, n); err != nil {
			return err
		}
	}
	return s.limits.take(s.Bounds.Creates, "creates "+n.TenantID, s.Now())
}

// mayMove keeps a URL that is changed within the bounds of a new one's: the
// host, and how often.
func (s *Endpoints) mayMove(ctx context.Context, state endpoint.State, url string) error {
	if url == state.URL {
		return nil
	}
	if s.Bounds.PerHost > 0 && hostOf(url) != hostOf(state.URL) {
		_, here, err := s.count(ctx, state.TenantID, hostOf(url))
		if err != nil {
			return err
		}
		if here >= s.Bounds.PerHost {
			return ErrTooManyAtHost.With("most", s.Bounds.PerHost)
		}
	}
	return s.limits.take(s.Bounds.Creates, "creates "+state.TenantID, s.Now())
}

func (s *Endpoints) room(ctx context.Context, n NewEndpoint) error {
	endpoints, here, err := s.count(ctx, n.TenantID, hostOf(n.URL))
	switch {
	case err != nil:
		return err
	case s.Bounds.PerTenant > 0 && endpoints >= s.Bounds.PerTenant:
		return ErrTooManyEndpoints.With("most", s.Bounds.PerTenant)
	case s.Bounds.PerHost > 0 && here >= s.Bounds.PerHost:
		return ErrTooManyAtHost.With("most", s.Bounds.PerHost)
	}
	return nil
}

// count returns how many endpoints a tenant has, and how many of them at a host.
func (s *Endpoints) count(ctx context.Context, tenantID, host string) (endpoints, here int, err error) {
	rows, err := s.Ledger.Endpoints(ctx)
	for _, row := range rows {
		if row.TenantID != tenantID {
			continue
		}
		if endpoints++; hostOf(row.URL) == host {
			here++
		}
	}
	return endpoints, here, err
}

// limits counts what was asked for in the last minute, in this process.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// take uses up one of so many in a minute, or says that there is none left.
func (l *limits) take(perMinute int, of string, now time.Time) error {
	if perMinute <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.buckets[of]
	if bucket == nil {
		if l.buckets == nil {
			l.buckets = map[string]*rate.Limiter{}
		}
		bucket = rate.NewLimiter(rate.Every(time.Minute/time.Duration(perMinute)), perMinute)
		l.buckets[of] = bucket
	}
	if !bucket.AllowN(now, 1) {
		return ErrTooOften.With("most", perMinute)
	}
	return nil
}
