package webhooks

import (
	"context"
	"errors"
	"slices"

	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/filter"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// audience is whom messages are for: an endpoint with what it asked for, or
// somebody who looks at what would be sent.
type audience struct {
	endpointID string
	tenantID   string   // "" is the shop itself, which sees every channel
	channels   []string // of the tenant
	types      []string
	filter     *filter.Filter // nil lets everything through
}

// audienceOf compiles what an endpoint asked for.
func audienceOf(row ledger.Endpoint) (*audience, error) {
	a := &audience{endpointID: row.ID, tenantID: row.TenantID, channels: row.Channels, types: row.EventTypes}
	if row.Filter == "" {
		return a, nil
	}
	var err error
	a.filter, err = filter.Compile(row.Filter)
	return a, err
}

// looksAt says whether it takes the attributes to know who wants a message.
func (a *audience) looksAt(kind *message.Kind) bool {
	return kind.Operational || a.filter != nil || (a.tenantID != "" && !kind.Shared)
}

// wants says whether an event of an aggregate is for this audience.
func (a *audience) wants(aggregateID string, e publicEvent) bool {
	if e.kind.Private {
		return aggregateID == a.endpointID
	}
	return endpoint.Wants(a.types, e.kind.Public) && a.mayHave(aggregateID, e) && a.chose(aggregateID, e)
}

// judge is wants for an event of which not everything may be known.
func (a *audience) judge(aggregateID string, e publicEvent) (bool, error) {
	if e.doubt == certain || e.kind.Private || e.kind.Operational || !a.looksAt(e.kind) {
		return a.wants(aggregateID, e), nil
	}
	partner := a.tenantID != "" && !e.kind.Shared
	switch {
	case !endpoint.Wants(a.types, e.kind.Public):
		return false, nil
	case partner && e.doubt == ownerless:
		return false, errOwnerless
	case !a.mayHave(aggregateID, e):
		return false, nil
	case a.filter != nil:
		return false, errDoubtful
	}
	return true, nil
}

// counts says whether an event counts for previous: what is held back because
// it cannot be read is a gap like any other.
func (a *audience) counts(aggregateID string, e publicEvent) bool {
	wanted, err := a.judge(aggregateID, e)
	return wanted || errors.Is(err, errDoubtful)
}

// mayHave says whether an event is any of the audience's business.
func (a *audience) mayHave(aggregateID string, e publicEvent) bool {
	switch {
	case e.kind.Operational: // whom it is about cannot be told by what does not work
		return aggregateID != a.endpointID && e.attributes != nil && e.attributes.Tenant == a.tenantID
	case a.tenantID == "" || e.kind.Shared:
		return true
	}
	return e.attributes != nil && slices.Contains(a.channels, e.attributes.Channel)
}

func (a *audience) chose(aggregateID string, e publicEvent) bool {
	return a.filter == nil || a.filter.Match(filter.Event{
		Type: e.kind.Public, Aggregate: e.kind.Aggregate, AggregateID: aggregateID, Attributes: e.attributes, Detail: e.detail,
	})
}

// chooser stands between a source and a courier and lets through what the
// endpoint wants. It may have to read streams, so it is the source that waits
// for it, and not the courier.
type chooser struct {
	d   *Dispatcher
	to  *target
	out chan<- batch
}

// hand passes on a piece of the log. When the context has ended, it may not.
func (c *chooser) hand(ctx context.Context, next batch) {
	next.items = c.choose(ctx, next.items)
	if ctx.Err() != nil {
		return // what was chosen may lack something
	}
	select {
	case c.out <- next:
	case <-ctx.Done():
	}
}

func (c *chooser) choose(ctx context.Context, items []*item) []*item {
	var chosen []*item
	for _, it := range items {
		if c.to.replay.wants(it) && c.wants(ctx, it) {
			chosen = append(chosen, it)
		}
	}
	return chosen
}

// wants asks until there is an answer: neither skipping nor sending would be
// right. When the context has ended, the answer is not used.
func (c *chooser) wants(ctx context.Context, it *item) bool {
	for ctx.Err() == nil {
		wanted, err := c.d.history.wanted(ctx, it.Recorded, c.to.audience)
		switch {
		case err == nil:
			return wanted
		case errors.Is(err, errDoubtful): // it waits with its lane until it can be told
			return true
		case errors.Is(err, errOwnerless):
			if err = c.passOver(ctx, it, err); err == nil {
				return false
			}
		}
		if ctx.Err() == nil {
			c.d.Logger.WarnContext(ctx, "webhooks wait to know whom an event is for", "endpoint", c.to.ID, "stream", it.Stream, "error", err)
		}
		pause(ctx, retryAfter)
	}
	return false
}

// passOver notes an event of which it cannot be told whether the endpoint may
// have it. Nothing of it may show; a replay of what was not delivered finds it
// when it can be told.
func (c *chooser) passOver(ctx context.Context, it *item, why error) error {
	c.d.complainOf(ctx, it.ID.String(), it.Stream, why)
	if c.to.replay != nil {
		return nil
	}
	return c.d.Ledger.PassOver(ctx, c.to.ID, it.Position)
}
