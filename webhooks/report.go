package webhooks

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// reporter records what the owner of one endpoint is to be told, in order and
// beside the deliveries. Each piece of news is recorded once, whatever crashes:
// it is saved in the ledger before and noted there afterwards, and the
// endpoint itself refuses what it knows.
type reporter struct {
	s      *supervisor
	key    ledger.Key
	mu     sync.Mutex
	queue  []delivery.News
	active bool
}

// report gives a courier somebody to tell, and tells what was saved and not
// told before this process began.
func (s *supervisor) report(ctx context.Context, c *courier) {
	r := &reporter{s: s, key: c.lease.Key}
	c.announce = func(news []delivery.News) { r.tell(ctx, news) }
	untold, err := s.d.Ledger.Untold(ctx, c.lease.Key)
	if err != nil {
		s.complain(ctx, "webhooks cannot read what was given up", err)
		return
	}
	var news []delivery.News
	for _, row := range untold {
		news = append(news, delivery.News{Exhausted: &row, At: s.d.Now()})
	}
	if !c.to.Failing.IsZero() && c.lease.Failing.IsZero() {
		news = append(news, delivery.News{Recovered: true, Since: c.to.Failing, At: s.d.Now()})
	}
	r.tell(ctx, news)
}

func (r *reporter) tell(ctx context.Context, news []delivery.News) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, news...)
	if !r.active && len(r.queue) > 0 {
		r.active = true
		r.s.beside.Go(func() { r.run(ctx) })
	}
}

func (r *reporter) run(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		news := r.queue
		r.queue = nil
		r.active = len(news) > 0
		r.mu.Unlock()
		if len(news) == 0 {
			return
		}
		r.record(ctx, news)
	}
}

func (r *reporter) record(ctx context.Context, news []delivery.News) {
	id := r.key.EndpointID
	var exhausted []delivery.News
	for _, one := range news {
		at := strconv.FormatInt(one.Since.UnixMilli(), 10)
		switch {
		case one.Exhausted != nil:
			exhausted = append(exhausted, one)
		case one.Recovered:
			r.s.record(ctx, id, eventstore.DeriveID("endpoint-recovered", id, at), endpoint.ReportRecovered{At: one.At})
		default:
			r.s.record(ctx, id, eventstore.DeriveID("endpoint-failing", id, at, one.Failing.String()),
				endpoint.ReportFailing{Since: one.Since, After: one.Failing, At: one.At})
		}
	}
	r.exhausted(ctx, exhausted)
}

const mostReported = 64 // events in one append

// exhausted records events that were given up. Of messages about endpoints
// nothing is told: that would be told again for ever.
func (r *reporter) exhausted(ctx context.Context, news []delivery.News) {
	for len(news) > 0 {
		some := news[:min(len(news), mostReported)]
		news = news[len(some):]
		cmd := endpoint.ReportExhausted{At: some[0].At}
		ids := []string{r.key.EndpointID, strconv.FormatInt(cmd.At.UnixMilli(), 10)}
		var positions []eventstore.Position
		for _, one := range some {
			row := one.Exhausted
			positions = append(positions, row.Position)
			if !strings.HasPrefix(row.Lane, endpoint.Decider.Category+"-") {
				ids = append(ids, row.ID)
				cmd.Events = append(cmd.Events, endpoint.Exhausted{
					EventID: row.ID, Stream: row.Lane, Revision: uint64(row.Revision), //nolint:gosec // a revision is not negative
					Attempts: row.Attempts, Class: string(row.Class), Blocks: row.Blocked,
				})
			}
		}
		if len(cmd.Events) > 0 {
			if _, ok := r.s.record(ctx, r.key.EndpointID, eventstore.DeriveID("delivery-exhausted", ids...), cmd); !ok {
				return
			}
		}
		r.s.complain(ctx, "webhooks cannot note what was told", r.s.d.Ledger.Tell(ctx, r.key, positions))
	}
}

// record appends what follows from a command to an endpoint, however often
// that takes. It returns the endpoint's revision by then, and says whether it
// was done or has become pointless.
func (s *supervisor) record(ctx context.Context, id, commandID string, cmd endpoint.Command) (eventstore.Revision, bool) {
	meta := eventstore.Metadata{CommandID: commandID, Actor: eventstore.Actor{Type: "system", ID: "webhooks"}}
	for ctx.Err() == nil {
		_, at, err := s.d.Endpoints.handle(ctx, id, meta, cmd)
		if err == nil || errors.Is(err, endpoint.ErrNotFound) {
			return at, true
		}
		s.complain(ctx, "webhooks cannot record what happened to an endpoint", err)
		pause(ctx, retryAfter)
	}
	return 0, false
}
