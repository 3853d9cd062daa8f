package webhooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// ErrFrom says that a text names no place in the log.
var ErrFrom = domain.Rule("from-invalid", "from is a cursor, a time (RFC 3339), now, or beginning")

// ErrForeignCursor says that a cursor is not one of this log, or not one of
// this tenant's.
var ErrForeignCursor = errors.New("the cursor was made for somebody else, or by another installation")

// ScopeOf is the scope of the cursors a tenant gets: nobody else can use them.
func ScopeOf(tenantID string) string {
	if tenantID == "" {
		return CursorScope
	}
	return "partner " + tenantID
}

// longestLook bounds the search for the event at a time.
const longestLook = 20 * time.Second

// From returns the position that a text names for an endpoint, after which
// deliveries go on: that of a cursor, before a time, now, or the beginning. An
// empty text is none.
func (d *Dispatcher) From(ctx context.Context, e Endpoint, text string) (*eventstore.Position, error) {
	switch {
	case text == "":
		return nil, nil //nolint:nilnil // see above
	case text == "beginning":
		return new(eventstore.Position), nil
	case text == "now":
		position, err := d.End(ctx)
		return &position, err
	case strings.HasPrefix(text, "c1."):
		return d.position(e.TenantID, text)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, ErrFrom
	}
	position, err := d.before(ctx, e.ID, at)
	return &position, err
}

func (d *Dispatcher) position(tenantID, text string) (*eventstore.Position, error) {
	cursors, err := cursor.New(d.Config.CursorKey)
	if err != nil {
		return nil, err
	}
	position, err := cursors.Decode(ScopeOf(tenantID), text)
	if errors.Is(err, cursor.ErrInvalid) {
		return nil, ErrForeignCursor
	}
	return &position, err
}

// before returns a position that everything public after it was recorded at a
// time or later. It looks from the last event of the endpoint that is known to
// be older, for the log has no index by time.
func (d *Dispatcher) before(ctx context.Context, endpointID string, at time.Time) (eventstore.Position, error) {
	found, err := d.known(ctx, endpointID, at)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	feed := d.feed(found)
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return 0, fmt.Errorf("look for what was recorded at %s: %w: %w", at.Format(time.RFC3339), eventstore.ErrUnavailable, err)
		}
		for _, r := range page.Events {
			if !r.Created.Before(at) {
				return found, nil
			}
			found = r.Position
		}
		if page.Live {
			return page.Through, nil
		}
	}
}

// known returns the position of the last event of an endpoint's own that was
// recorded before a time, or 0.
func (d *Dispatcher) known(ctx context.Context, endpointID string, at time.Time) (position eventstore.Position, err error) {
	for r, err := range d.Store.ReadStream(ctx, endpoint.Decider.Stream(endpointID), 0) {
		if err != nil {
			return 0, fmt.Errorf("read endpoint %s: %w", endpointID, err)
		}
		if !r.Created.Before(at) {
			break
		}
		position = r.Position
	}
	return position, nil
}
