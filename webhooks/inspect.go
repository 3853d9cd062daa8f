package webhooks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// ErrNoDelivery says that nothing is known of an event at an endpoint.
var ErrNoDelivery = domain.Rule("delivery-not-found", "no message with this id was sent to the endpoint, or waits for it, as far as attempts are kept")

// Cursor returns the text of a position for a tenant.
func (d *Dispatcher) Cursor(tenantID string, position eventstore.Position) (string, error) {
	if err := d.ready(); err != nil {
		return "", err
	}
	return d.cursors.Encode(ScopeOf(tenantID), position), nil
}

// FindAttempts returns the attempts that a filter chooses, newest first.
func (d *Dispatcher) FindAttempts(ctx context.Context, f ledger.AttemptFilter) ([]ledger.Attempt, error) {
	return d.Ledger.FindAttempts(ctx, f)
}

// Waiting is a message that waits for an attempt, or was given up.
type Waiting struct {
	delivery.Parked
	EventType string
	Recorded  time.Time
}

// Undelivered returns up to limit messages of a run after a position that wait
// or were given up, in the order of the log. What a replay gave up is known for
// as long as attempts are kept.
func (d *Dispatcher) Undelivered(ctx context.Context, run ledger.Key, after eventstore.Position, limit int) ([]Waiting, error) {
	rows, err := d.Ledger.Undelivered(ctx, run, ledger.Span{From: after, Until: math.MaxInt64}, limit)
	if err != nil {
		return nil, err
	}
	list := make([]Waiting, len(rows))
	for i, row := range rows {
		list[i].Parked = row
		found, err := d.itemOf(ctx, delivery.Job{Event: delivery.Event{Position: row.Position, Revision: row.Revision, Lane: row.Lane, ID: row.ID}})
		if err != nil {
			return nil, err
		}
		list[i].EventType, list[i].Recorded = found.kind.Public, found.Created
	}
	return list, nil
}

// Sent is a message as an endpoint gets it, made again from the log.
type Sent struct {
	Delivery
	Body []byte
}

// Message makes a message of an endpoint again.
func (d *Dispatcher) Message(ctx context.Context, endpointID, eventID string) (Sent, error) {
	if err := d.ready(); err != nil {
		return Sent{}, err
	}
	row, err := served(ctx, func() (ledger.Endpoint, bool, error) { return d.Ledger.Endpoint(ctx, endpointID) })
	if err != nil {
		return Sent{}, err
	}
	at, err := d.Locate(ctx, endpointID, eventID)
	if err != nil {
		return Sent{}, err
	}
	to, err := d.reader(row)
	if err != nil {
		return Sent{}, err
	}
	p, err := d.prepareOnce(ctx, to, delivery.Job{Event: delivery.Event{Position: at.Position, Revision: at.Revision, Lane: at.Lane, ID: at.ID}, Attempt: 1})
	if isUnreadable(err) {
		err = ErrUnreadable
	}
	return Sent{Delivery: p.Delivery, Body: p.body}, err
}

// reader is an endpoint as a target that nothing is sent to.
func (d *Dispatcher) reader(row ledger.Endpoint) (*target, error) {
	whom, err := audienceOf(row)
	return &target{Endpoint: row, run: ledger.Run{Key: ledger.Key{EndpointID: row.ID, RunID: ledger.Live}}, audience: whom}, err
}

// Locate finds an event that was sent to an endpoint, or waits for it:
// [ErrNoDelivery] if there is none as far as is known.
func (d *Dispatcher) Locate(ctx context.Context, endpointID, eventID string) (delivery.Parked, error) {
	row, ok, err := d.Ledger.ParkedEvent(ctx, ledger.Key{EndpointID: endpointID, RunID: ledger.Live}, eventID)
	if err != nil || ok {
		return row, err
	}
	attempts, err := d.Ledger.FindAttempts(ctx, ledger.AttemptFilter{EndpointID: endpointID, EventID: eventID, Limit: 1})
	if err != nil {
		return row, err
	}
	if len(attempts) == 0 {
		return row, ErrNoDelivery
	}
	last := attempts[0]
	for r, err := range d.Store.ReadStream(ctx, last.Lane, 0) {
		if err != nil {
			return row, fmt.Errorf("look for event %s in %s: %w", eventID, last.Lane, err)
		}
		if r.ID.String() == eventID {
			return delivery.Parked{Position: last.Position, Revision: r.Revision, Lane: last.Lane, ID: eventID, Class: last.Class}, nil
		}
	}
	return row, ErrNoDelivery
}

// Lag is how far deliveries to an endpoint are behind.
type Lag struct {
	Events int       // wanted and neither delivered nor parked
	More   bool      // there are more than were counted
	Since  time.Time // when the oldest of them was recorded; zero if there is none
}

const (
	mostCounted  = 10_000
	longestCount = time.Second
)

// errCounted says that enough was counted.
var errCounted = errors.New("enough was counted")

// Lag counts what an endpoint has yet to get.
func (d *Dispatcher) Lag(ctx context.Context, endpointID string, through eventstore.Position) (Lag, error) {
	if err := d.ready(); err != nil {
		return Lag{}, err
	}
	row, ok, err := d.Ledger.Endpoint(ctx, endpointID)
	if err != nil || !ok {
		return Lag{}, err
	}
	to, err := d.reader(row)
	if err != nil {
		return Lag{}, err
	}
	c := &counter{d: d, to: to}
	if shared := d.hub.Load(); shared != nil {
		if next, _, near := shared.after(through, mostCounted); near {
			c.More = next.through < shared.position()
			return c.end(c.count(ctx, next.items))
		}
	}
	return c.end(c.read(ctx, through))
}

// counter counts what one endpoint wants.
type counter struct {
	Lag
	d  *Dispatcher
	to *target
}

func (c *counter) count(ctx context.Context, items []*item) error {
	for _, it := range items {
		wanted, err := c.d.wanted(ctx, c.to, it)
		if err != nil && !isUnreadable(err) {
			return err
		}
		if !wanted && !errors.Is(err, errDoubtful) { // it waits, too
			continue
		}
		if c.Events == 0 {
			c.Since = it.Created
		}
		if c.Events++; c.Events >= mostCounted {
			c.More = true
			return errCounted
		}
	}
	return nil
}

// read counts what is no longer in memory, for as long as it may take.
func (c *counter) read(ctx context.Context, through eventstore.Position) error {
	reading, cancel := context.WithTimeout(ctx, longestCount)
	defer cancel()
	feed := c.d.feed(through)
	defer feed.Close()
	for {
		page, err := feed.Next(reading)
		if reading.Err() != nil && ctx.Err() == nil {
			c.More = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("count what %s has yet to get: %w", c.to.ID, err)
		}
		if err := c.count(ctx, itemsOf(c.d.Catalogue, page.Events)); err != nil {
			return err
		}
		if page.Live {
			return nil
		}
	}
}

func (c *counter) end(err error) (Lag, error) {
	if errors.Is(err, errCounted) {
		err = nil
	}
	return c.Lag, err
}

// wanted says whether an event is for an endpoint.
func (d *Dispatcher) wanted(ctx context.Context, to *target, it *item) (bool, error) {
	return d.history.wanted(ctx, it.Recorded, to.audience)
}

// Place is what a lane is about: a kind of aggregate, and its id.
func Place(lane string) (kind, id string) {
	id = message.AggregateID(lane)
	return lane[:max(len(lane)-len(id)-1, 0)], id
}
