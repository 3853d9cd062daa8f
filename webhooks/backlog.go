package webhooks

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Backlog is how far an endpoint is behind the log.
type Backlog struct {
	ledger.Stand
	// Events counts public events after the cursor, wanted or not. What lies
	// between the first of them and those that this process has in memory is
	// reckoned from how close together these are.
	Events int
	// Oldest is when the first of them happened; zero where there is none.
	Oldest time.Time
}

const (
	mostAsked  = 20 // endpoints for which the log is asked for what they wait for
	sampleSize = 64 // events that are read of what they wait for
)

// Backlogs returns how far each endpoint is behind, the furthest first. Of those
// beyond what is in memory only the first twenty have the right Oldest, and
// Events about right. A process that does not deliver knows nothing of the log
// and returns where cursors stand.
func (d *Dispatcher) Backlogs(ctx context.Context) ([]Backlog, error) {
	stands, err := d.Ledger.Stands(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Backlog, len(stands))
	shared := d.hub.Load()
	for i, stand := range stands {
		list[i] = Backlog{Stand: stand}
		if shared != nil {
			list[i].Events, list[i].Oldest = shared.backlog(stand)
		}
	}
	slices.SortStableFunc(list, furthest)
	for i := range list[:min(len(list), mostAsked)] {
		if shared == nil || shared.covers(list[i].Through) {
			continue
		}
		first, err := d.firstAfter(ctx, list[i].Through)
		if err != nil {
			return nil, err
		}
		list[i].Oldest, list[i].Events = first.oldest, shared.reckon(list[i].Through, first)
	}
	slices.SortStableFunc(list, furthest)
	return list, nil
}

// furthest orders backlogs, the largest first.
func furthest(a, b Backlog) int {
	return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Through, b.Through))
}

// sample is the first public events after a position.
type sample struct {
	count   int
	through eventstore.Position // how far they were looked for
	oldest  time.Time
}

// firstAfter reads the first public events after a position, some at most.
func (d *Dispatcher) firstAfter(ctx context.Context, position eventstore.Position) (sample, error) {
	feed := d.Feed(eventstore.FeedConfig{Prefixes: d.Catalogue.Prefixes(), From: position, PageSize: sampleSize})
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return sample{}, err
		}
		items := itemsOf(d.Catalogue, page.Events)
		if len(items) > 0 {
			return sample{count: len(items), through: page.Through, oldest: items[0].Created}, nil
		}
		if page.Live {
			return sample{through: page.Through}, nil
		}
	}
}

// reckon returns about how many public events come after a position: those of
// a sample, those in memory, and as many in between as if they were as close
// together. It is exact where nothing is in between.
func (h *hub) reckon(position eventstore.Position, first sample) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := first.count + len(h.items) - sort.Search(len(h.items), func(i int) bool { return h.items[i].Position > first.through })
	if first.through >= h.start {
		return known
	}
	span := float64(first.through-position) + float64(h.head-h.start)
	return known + int(float64(known)*float64(h.start-first.through)/max(span, 1))
}

func (h *hub) backlog(stand ledger.Stand) (events int, oldest time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := sort.Search(len(h.items), func(i int) bool { return h.items[i].Position > stand.Through })
	if from == len(h.items) {
		return 0, time.Time{}
	}
	events = len(h.items) - from
	if stand.Through < h.start && h.head > h.start {
		events += int(float64(len(h.items)) * float64(h.start-stand.Through) / float64(h.head-h.start))
	}
	return events, h.items[from].Created
}
