package webhooks

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Partners keeps the sales channels of endpoints those of their partners: a
// partner may have got others since an endpoint was created.
type Partners struct {
	Endpoints *Endpoints
	// Channels returns the sales channels of all partners by their ids.
	Channels func(context.Context) (map[string][]string, error)
	Logger   *slog.Logger
	Every    time.Duration // how often it looks; 2 s
}

// Run looks from time to time until the context ends.
func (p *Partners) Run(ctx context.Context) error {
	every := cmp.Or(p.Every, 2*time.Second)
	for ctx.Err() == nil {
		if err := p.Follow(ctx); err != nil && ctx.Err() == nil {
			p.Logger.ErrorContext(ctx, "partners' endpoints do not have their sales channels", "error", err)
		}
		pause(ctx, every)
	}
	return nil
}

// Follow changes the endpoints whose partner has other sales channels.
func (p *Partners) Follow(ctx context.Context) error {
	channels, err := p.Channels(ctx)
	if err != nil {
		return err
	}
	rows, err := p.Endpoints.Ledger.Endpoints(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, row := range rows {
		wanted, known := channels[row.TenantID]
		if known && !slices.Equal(wanted, row.Channels) {
			failed = append(failed, p.change(ctx, row, wanted))
		}
	}
	return errors.Join(failed...)
}

func (p *Partners) change(ctx context.Context, row ledger.Endpoint, channels []string) error {
	meta := eventstore.Metadata{
		CommandID:     eventstore.DeriveID("endpoint-channels", row.ID, strconv.FormatInt(int64(row.Revision), 10), strings.Join(channels, "\x00")),
		CorrelationID: row.ID, Actor: eventstore.Actor{Type: "process", ID: "partners"},
	}
	err := p.Endpoints.SetChannels(ctx, Request{ID: row.ID, Meta: meta}, channels)
	if errors.Is(err, endpoint.ErrNotFound) {
		return nil // deleted meanwhile
	}
	return err
}
