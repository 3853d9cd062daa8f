package webhooks

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// history knows the public events of each stream and what they may be chosen
// by, which is what the numbers of a message are counted from. It follows from
// the log alone, so a number is the same whenever it is asked for.
type history struct {
	store     eventstore.Store
	catalogue *message.Catalogue
	// folding is set when somebody asks for attributes for the first time:
	// until then no event is decoded for it.
	folding atomic.Bool

	mu      sync.Mutex
	streams *lru.Cache[string, streamPast]
}

// streamPast is a stream up to a revision. Its values are never changed, those added
// later are beyond its length.
type streamPast struct {
	next       eventstore.Revision // the first that is not in it
	events     []publicEvent       // the public ones
	attributes *message.Attributes // after the last; nil where nobody asked
	founded    bool                // something is known that it is chosen by
	doubt      doubt
}

// publicEvent is a public event. The attributes are nil where nobody asked.
type publicEvent struct {
	revision   eventstore.Revision
	kind       *message.Kind
	attributes *message.Attributes
	detail     string
	doubt      doubt // of the attributes
}

// doubt is what an event that cannot be read leaves of the attributes after it.
type doubt int

const (
	certain   doubt = iota
	doubtful        // something else may be true by then
	ownerless       // not even whose the stream is can be told
)

func newHistory(store eventstore.Store, catalogue *message.Catalogue, size int) (*history, error) {
	streams, err := lru.New[string, streamPast](size)
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
	p, known := h.streams.Get(r.Stream)
	if p.next != r.Revision {
		return
	}
	h.streams.Add(r.Stream, h.extend(p, r, h.folding.Load() && (!known || p.attributes != nil)))
}

// extend adds the next event of a stream.
func (h *history) extend(p streamPast, r eventstore.Recorded, fold bool) streamPast {
	kind := h.catalogue.Published(r.Type)
	e := publicEvent{revision: r.Revision, kind: kind}
	if fold {
		if p.attributes == nil {
			p.attributes = &message.Attributes{}
		}
		var unread doubt
		e.detail, unread = h.fold(&p, r)
		e.attributes, e.doubt = p.attributes, max(p.doubt, unread)
	}
	if kind != nil {
		p.events = append(p.events, e)
	}
	p.next = r.Revision + 1
	return p
}

// fold adds what an event says to the attributes of its stream, and returns
// what kind of its type it is, and whether that is in doubt. An event that
// cannot be read may have said anything, if it is of a type that matters.
func (h *history) fold(p *streamPast, r eventstore.Recorded) (detail string, unread doubt) {
	event, err := r.Decode()
	switch {
	case err == nil:
		after := h.catalogue.Fold(p.attributes, event)
		p.founded = p.founded || after != p.attributes
		p.attributes = after
		return h.catalogue.Detail(event), certain
	case !h.catalogue.Matters(r.Type):
	case p.founded:
		p.doubt = max(p.doubt, doubtful)
	default:
		p.doubt = ownerless
	}
	return "", doubtful
}

// place returns an event's sequence within its stream, and that of the event
// before it that an audience wants; 0 when there is none. The sequence is right
// also where there is an error that says what cannot be told.
func (h *history) place(ctx context.Context, r eventstore.Recorded, to *audience) (sequence, previous int, err error) {
	p, err := h.upTo(ctx, r, to.looksAt(h.catalogue.Published(r.Type)))
	if err != nil {
		return 0, 0, err
	}
	id := message.AggregateID(r.Stream)
	sequence = sort.Search(len(p.events), func(i int) bool { return p.events[i].revision >= r.Revision })
	if e := p.events[sequence]; e.doubt != certain {
		if _, err := to.judge(id, e); err != nil {
			return sequence + 1, 0, err
		}
	}
	for i := sequence - 1; i >= 0; i-- {
		if to.counts(id, p.events[i]) {
			return sequence + 1, i + 1, nil
		}
	}
	return sequence + 1, 0, nil
}

// wanted says whether an audience wants a public event, or why that cannot be
// told.
func (h *history) wanted(ctx context.Context, r eventstore.Recorded, to *audience) (bool, error) {
	kind := h.catalogue.Published(r.Type)
	e := publicEvent{revision: r.Revision, kind: kind}
	if to.looksAt(kind) {
		var err error
		if e, err = h.event(ctx, r); err != nil {
			return false, err
		}
	}
	return to.judge(message.AggregateID(r.Stream), e)
}

// allowed says whether a public event is of a sales channel of the audience's,
// whatever that asked for, or why that cannot be told.
func (h *history) allowed(ctx context.Context, r eventstore.Recorded, to *audience) (bool, error) {
	kind := h.catalogue.Published(r.Type)
	if to.tenantID == "" || kind.Shared || kind.Private || kind.Operational {
		return true, nil
	}
	e, err := h.event(ctx, r)
	if err != nil {
		return false, err
	}
	if e.doubt == ownerless {
		return false, errOwnerless
	}
	return to.mayHave(message.AggregateID(r.Stream), e), nil
}

// event returns a public event with its attributes.
func (h *history) event(ctx context.Context, r eventstore.Recorded) (publicEvent, error) {
	p, err := h.upTo(ctx, r, true)
	if err != nil {
		return publicEvent{}, err
	}
	i := sort.Search(len(p.events), func(i int) bool { return p.events[i].revision >= r.Revision })
	return p.events[i], nil
}

// upTo returns a stream up to an event, itself included, or further. It is
// read only as far as it is not known.
func (h *history) upTo(ctx context.Context, r eventstore.Recorded, attributes bool) (streamPast, error) {
	if attributes && !h.folding.Load() {
		h.folding.Store(true)
	}
	h.mu.Lock()
	p, _ := h.streams.Get(r.Stream)
	h.mu.Unlock()
	if attributes && p.attributes == nil {
		p = streamPast{}
	}
	if p.next > r.Revision {
		return p, nil
	}
	p.events = slices.Clip(p.events)
	p, err := h.read(ctx, p, r, attributes || p.attributes != nil)
	if err != nil {
		return streamPast{}, err
	}
	h.keep(r.Stream, p)
	return p, nil
}

func (h *history) read(ctx context.Context, p streamPast, r eventstore.Recorded, attributes bool) (streamPast, error) {
	if p.next == r.Revision {
		return h.extend(p, r, attributes), nil
	}
	for earlier, err := range h.store.ReadStream(ctx, r.Stream, p.next) {
		if err != nil {
			return streamPast{}, fmt.Errorf("read %s up to %d: %w", r.Stream, r.Revision, err)
		}
		p = h.extend(p, earlier, attributes)
		if earlier.Revision >= r.Revision {
			return p, nil
		}
	}
	return streamPast{}, fmt.Errorf("read %s up to %d: it ends before", r.Stream, r.Revision)
}

// keep remembers a stream unless more is known of it.
func (h *history) keep(stream string, p streamPast) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, ok := h.streams.Get(stream); ok && (known.next > p.next || known.attributes != nil) && p.attributes == nil {
		return
	}
	h.streams.Add(stream, p)
}
