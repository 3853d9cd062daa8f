// Package purge tells a cache of somebody else's, such as a CDN before the
// shop, what is not as it was: by surrogate keys, with which the shop marks its
// pages. It promises that a key is purged at least once after each event it
// stands for; purging twice is harmless. What is told more than an hour late is
// dropped: by then a cache has forgotten it by itself.
package purge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/remote"
)

// Name is the handler's.
const Name = "cache"

// Cache forgets what is marked with a key.
type Cache interface {
	Purge(ctx context.Context, keys []string) error
}

// HTTP is a cache that takes the keys in a header, as Fastly
// (POST …/purge, Surrogate-Key) and Varnish with xkey (PURGE, xkey) do.
type HTTP struct {
	Remote *remote.Client
	Method string // empty is POST
	Path   string // empty is /purge
	Header string // empty is Surrogate-Key
}

// Purge implements [Cache].
func (h HTTP) Purge(ctx context.Context, keys []string) error {
	call := remote.Call{Method: http.MethodPost, Path: "/purge", Header: map[string]string{}}
	header := "Surrogate-Key"
	for _, given := range []struct {
		value string
		into  *string
	}{{h.Method, &call.Method}, {h.Path, &call.Path}, {h.Header, &header}} {
		if given.value != "" {
			*given.into = given.value
		}
	}
	call.Header[header] = strings.Join(keys, " ")
	_, err := h.Remote.Do(ctx, call)
	return err
}

// Service purges. It may be used by many goroutines and processes.
type Service struct {
	Cache Cache
	Now   func() time.Time
	// MaxAge is how late a purge is of use; 0 is an hour.
	MaxAge time.Duration
}

// Handle purges what an event is about: an [effects.Handler].
func (s *Service) Handle(ctx context.Context, r eventstore.Recorded) error {
	keys := Keys(r.Stream)
	maxAge := s.MaxAge
	if maxAge == 0 {
		maxAge = time.Hour
	}
	if len(keys) == 0 || s.Now().Sub(r.Created) > maxAge {
		return nil
	}
	if err := s.Cache.Purge(ctx, keys); err != nil {
		return fmt.Errorf("purge %s after %s %d: %w", r.Stream, r.Type, r.Revision, err)
	}
	return nil
}

// Keys are those that a stream stands for: the order, the product, the stock of
// a SKU, and the lists that they are in.
func Keys(stream string) []string {
	category, id, _ := strings.Cut(stream, "-")
	switch category {
	case "order":
		return []string{"order-" + id, "orders"}
	case "product":
		return []string{"product-" + id, "products"}
	case "stock":
		if _, sku, ok := strings.Cut(id, "."); ok {
			return []string{"stock-" + sku, "product-" + sku}
		}
	}
	return nil
}
