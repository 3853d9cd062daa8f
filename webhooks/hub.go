package webhooks

import (
	"context"
	"slices"
	"sort"
	"sync"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// item is a public event on its way; its message is made once, by the first
// endpoint that wants it.
type item struct {
	eventstore.Recorded
	kind message.Kind

	once sync.Once
	msg  message.Message
	err  error
}

func (i *item) message(catalogue *message.Catalogue) (message.Message, error) {
	i.once.Do(func() { i.msg, i.err = catalogue.Build(i.Recorded) })
	return i.msg, i.err
}

// hub reads the log once for all endpoints that are up to date and keeps the
// last public events in memory. Who is further behind reads by himself.
type hub struct {
	capacity int // events
	maxBytes int // of their data, as it is stored

	mu      sync.Mutex
	start   eventstore.Position // everything public after it is in items
	head    eventstore.Position
	items   []*item
	bytes   int           // of the data of items
	changed chan struct{} // closed when something came
}

func newHub(capacity, maxBytes int, start eventstore.Position) *hub {
	return &hub{capacity: capacity, maxBytes: maxBytes, start: start, head: start, changed: make(chan struct{})}
}

// add appends what a page brought.
func (h *hub) add(items []*item, through eventstore.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if through <= h.head {
		return
	}
	h.items = append(h.items, items...)
	for _, i := range items {
		h.bytes += len(i.Data)
	}
	h.head = through
	h.forget()
	close(h.changed)
	h.changed = make(chan struct{})
}

// forget drops the oldest events that are too many or too large. An event in
// memory takes several times its data: it is decoded, and its message is made.
func (h *hub) forget() {
	drop := 0
	for ; len(h.items)-drop > h.capacity || h.bytes > h.maxBytes; drop++ {
		h.start = h.items[drop].Position
		h.bytes -= len(h.items[drop].Data)
	}
	clear(h.items[:drop])
	h.items = h.items[drop:]
}

// after returns up to most items after a position and up to where they reach,
// and a channel that is closed when there is more. It returns false when the
// position is too far behind.
func (h *hub) after(position eventstore.Position, most int) (batch, <-chan struct{}, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if position < h.start {
		return batch{}, nil, false
	}
	from := sort.Search(len(h.items), func(i int) bool { return h.items[i].Position > position })
	through := max(h.head, position)
	items := slices.Clone(h.items[from:min(from+most, len(h.items))]) // the ring forgets, its readers must not
	if from+most < len(h.items) {
		through = items[most-1].Position
	}
	return batch{items: items, through: through}, h.changed, true
}

// covers says whether after would find a position.
func (h *hub) covers(position eventstore.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return position >= h.start
}

func (h *hub) position() eventstore.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head
}

// batch is a piece of the log: the public events of it, and where it ends.
type batch struct {
	items   []*item
	through eventstore.Position
}

// itemsOf picks the public events of a page.
func itemsOf(catalogue *message.Catalogue, events []eventstore.Recorded) []*item {
	var items []*item
	for _, r := range events {
		if kind, ok := catalogue.Kind(r.Type); ok {
			items = append(items, &item{Recorded: r, kind: kind})
		}
	}
	return items
}

// run fills the hub until the context ends.
func (h *hub) run(ctx context.Context, d *Dispatcher) {
	feed := d.feed(h.position())
	defer feed.Close()
	d.eachPage(ctx, feed, func(page eventstore.Page) {
		for _, r := range page.Events {
			d.history.observe(r)
		}
		items := itemsOf(d.Catalogue, page.Events)
		if len(items) > 0 {
			if d.cfg.BacklogOnly { // what is live is sent by others
				d.pace.sentLive(d.Now())
			}
			d.pace.rest()
		}
		h.add(items, page.Through)
	})
}
