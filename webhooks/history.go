package webhooks

import (
	"context"
	"fmt"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// history knows which public types stand where in each stream, which is what
// the numbers of a message are counted from. It follows from the log alone, so
// a number is the same whenever it is asked for.
type history struct {
	store     eventstore.Store
	catalogue *message.Catalogue

	mu      sync.Mutex
	streams *lru.Cache[string, []string] // the public type of each revision, "" for none
}

func newHistory(store eventstore.Store, catalogue *message.Catalogue, size int) (*history, error) {
	streams, err := lru.New[string, []string](size)
	if err != nil {
		return nil, fmt.Errorf("make history: %w", err)
	}
	return &history{store: store, catalogue: catalogue, streams: streams}, nil
}

// observe notes an event that passes by, so that its stream need not be read
// for the next one.
func (h *history) observe(r eventstore.Recorded) {
	h.mu.Lock()
	defer h.mu.Unlock()
	types, _ := h.streams.Get(r.Stream)
	if eventstore.Revision(len(types)) == r.Revision {
		h.streams.Add(r.Stream, append(slices.Clip(types), h.public(r.Type)))
	}
}

func (h *history) public(stored string) string {
	kind, _ := h.catalogue.Kind(stored)
	return kind.Public
}

// place returns an event's sequence within its stream, and that of the event
// before it that an endpoint with those types wants; 0 when there is none.
func (h *history) place(ctx context.Context, r eventstore.Recorded, wanted []string) (sequence, previous int, err error) {
	types, err := h.types(ctx, r)
	if err != nil {
		return 0, 0, err
	}
	private := isPrivate(h.catalogue, r.Type)
	for _, public := range types[:r.Revision] {
		if public == "" {
			continue
		}
		sequence++
		if private || endpoint.Wants(wanted, public) {
			previous = sequence
		}
	}
	return sequence + 1, previous, nil
}

func isPrivate(catalogue *message.Catalogue, stored string) bool {
	kind, _ := catalogue.Kind(stored)
	return kind.Private
}

// types returns the public types of a stream up to an event, itself included.
func (h *history) types(ctx context.Context, r eventstore.Recorded) ([]string, error) {
	if r.Revision == 0 {
		return []string{h.public(r.Type)}, nil
	}
	h.mu.Lock()
	types, _ := h.streams.Get(r.Stream)
	h.mu.Unlock()
	if eventstore.Revision(len(types)) > r.Revision {
		return types, nil
	}
	types = slices.Clip(types)
	for earlier, err := range h.store.ReadStream(ctx, r.Stream, eventstore.Revision(len(types))) {
		if err != nil {
			return nil, fmt.Errorf("read %s up to %d: %w", r.Stream, r.Revision, err)
		}
		types = append(types, h.public(earlier.Type))
		if earlier.Revision == r.Revision {
			break
		}
	}
	if eventstore.Revision(len(types)) <= r.Revision {
		return nil, fmt.Errorf("read %s up to %d: it ends before", r.Stream, r.Revision)
	}
	h.mu.Lock()
	h.streams.Add(r.Stream, types)
	h.mu.Unlock()
	return types, nil
}
