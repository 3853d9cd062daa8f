package webhooks

import (
	"context"
	"sort"
	"time"

	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Backlog is how far an endpoint is behind the log.
type Backlog struct {
	ledger.Stand
	// Events counts public events after the cursor, wanted or not, as far as
	// this process has them in memory: of more, it is the least there are.
	Events int
	// Oldest is when the first of them happened; zero where there is none.
	Oldest time.Time
}

// Backlogs returns how far each endpoint is behind, in no order. A process that
// does not deliver knows nothing of the log and returns where cursors stand.
func (d *Dispatcher) Backlogs(ctx context.Context) ([]Backlog, error) {
	stands, err := d.Ledger.Stands(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Backlog, len(stands))
	for i, stand := range stands {
		list[i] = Backlog{Stand: stand}
		if shared := d.hub.Load(); shared != nil {
			list[i].Events, list[i].Oldest = shared.backlog(stand)
		}
	}
	return list, nil
}

func (h *hub) backlog(stand ledger.Stand) (events int, oldest time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := sort.Search(len(h.items), func(i int) bool { return h.items[i].Position > stand.Through })
	if from == len(h.items) {
		return 0, time.Time{}
	}
	return len(h.items) - from, h.items[from].Created
}
