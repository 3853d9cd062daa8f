package purge_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/effectstest"
	"github.com/waybill-dev/waybill/handlers/effects/purge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cache knows which keys were purged.
type cache struct {
	mu     sync.Mutex
	header string
	purged map[string]bool
	calls  int
	status int
}

func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.status != 0 {
		w.WriteHeader(c.status)
		return
	}
	for key := range strings.FieldsSeq(r.Header.Get(c.header)) {
		c.purged[r.Method+" "+r.URL.Path+" "+key] = true
	}
}

func newCache(t *testing.T, header string) (*cache, *remote.Client) {
	t.Helper()
	c := &cache{header: header, purged: map[string]bool{}}
	server := httptest.NewServer(c)
	client := remote.Connect(remote.Config{URL: server.URL, Timeout: time.Minute})
	t.Cleanup(func() { client.Close(); server.Close() })
	return c, client
}

func TestWhatChangedIsPurgedByItsKeys(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string][]string{
		"order-o-1": {"order-o-1", "orders"}, "product-MUG-1": {"product-MUG-1", "products"}, stock.Decider.Stream(stock.ID("main", "A.B")): {"stock-A.B", "product-A.B"},
		"checkout-1": nil, "$all": nil, "stocksnap-main.A": nil,
	} {
		if diff := cmp.Diff(want, purge.Keys(stream)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", stream, diff)
		}
	}
	c, client := newCache(t, "xkey")
	s := &purge.Service{Cache: purge.HTTP{Remote: client, Method: "PURGE", Path: "/all", Header: "xkey"}, Now: effectstest.Noon}
	e := eventstore.Recorded{Stream: "product-A", Created: effectstest.Noon().Add(-time.Hour)}
	if err := s.Handle(t.Context(), e); err != nil || !c.purged["PURGE /all product-A"] || !c.purged["PURGE /all products"] {
		t.Errorf("%v, %v", err, c.purged)
	}
	c.status = http.StatusServiceUnavailable
	if err := s.Handle(t.Context(), e); !errors.Is(err, remote.ErrAway) || effects.IsPermanent(err) {
		t.Errorf("away: %v", err)
	}
	e.Created = e.Created.Add(-1)
	if err := s.Handle(t.Context(), e); err != nil || c.calls != 2 {
		t.Errorf("too late to be of use: %v, %d calls", err, c.calls)
	}
}

func TestHoweverEventsComeTheSameIsPurged(t *testing.T) {
	t.Parallel()
	_, events := effectstest.NewHistory(t)
	effectstest.OneEffect(t, events, func(t *testing.T) effectstest.Outside {
		t.Helper()
		c, client := newCache(t, "Surrogate-Key")
		s := &purge.Service{Cache: purge.HTTP{Remote: client}, Now: time.Now}
		return effectstest.Outside{Handle: s.Handle, Effect: func() any { return maps.Clone(c.purged) }}
	})
}
