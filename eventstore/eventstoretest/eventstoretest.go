// Package eventstoretest makes two users of one store meet where that matters.
package eventstoretest

import (
	"context"
	"sync"

	"github.com/waybill-dev/waybill/eventstore"
)

// meeting is a store whose first append of each of its users waits for that of
// the other.
type meeting struct {
	eventstore.Store

	met  *sync.WaitGroup
	once sync.Once
}

// AtOnce returns a store for each of two users, both of whom have read before
// either of them writes.
func AtOnce(store eventstore.Store) (stores [2]eventstore.Store) {
	met := &sync.WaitGroup{}
	met.Add(len(stores))
	for i := range stores {
		stores[i] = &meeting{Store: store, met: met}
	}
	return stores
}

// Append implements [eventstore.Store].
func (m *meeting) Append(
	ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent,
) (eventstore.Appended, error) {
	m.once.Do(func() {
		m.met.Done()
		m.met.Wait()
	})
	return m.Store.Append(ctx, stream, expected, events...)
}
