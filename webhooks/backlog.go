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
	// Events counts public events after the cursor, wanted or not. Those that
	// this process does not have in memory are reckoned from how close together
	// the others are.
	Events int
	// Oldest is when the first of them happened; zero where there is none.
	Oldest time.Time
}

// mostAsked is for how many endpoints the log is asked for what they wait for.
const mostAsked = 20

// Backlogs returns how far each endpoint is behind, the furthest first. Of those
// beyond what is in memory only the first twenty have the right Oldest. A
// process that does not deliver knows nothing of the log and returns where
// cursors stand.
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
	slices.SortStableFunc(list, func(a, b Backlog) int { return cmp.Compare(b.Events, a.Events) })
	for i := range list[:min(len(list), mostAsked)] {
		if shared == nil || shared.covers(list[i].Through) {
			continue
		}
		if list[i].Oldest, err = d.firstAfter(ctx, list[i].Through); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// firstAfter returns when the first public event after a position happened.
func (d *Dispatcher) firstAfter(ctx context.Context, position eventstore.Position) (time.Time, error) {
	feed := d.Feed(eventstore.FeedConfig{Prefixes: d.Catalogue.Prefixes(), From: position, PageSize: 1})
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if items := itemsOf(d.Catalogue, page.Events); len(items) > 0 {
			return items[0].Created, nil
		}
		if page.Live {
			return time.Time{}, nil
		}
	}
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
