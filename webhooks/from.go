package webhooks

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/cursor"
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
		return d.position(ctx, e.TenantID, text)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, ErrFrom
	}
	position, err := d.Before(ctx, at)
	return &position, err
}

func (d *Dispatcher) position(ctx context.Context, tenantID, text string) (*eventstore.Position, error) {
	cursors, err := cursor.New(d.Config.CursorKey)
	if err != nil {
		return nil, err
	}
	position, err := cursors.Decode(ScopeOf(tenantID), text)
	if errors.Is(err, cursor.ErrInvalid) {
		return nil, ErrForeignCursor
	}
	return &position, d.within(ctx, position)
}
