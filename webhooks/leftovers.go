package webhooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Leftovers erases addresses of owners to which no endpoint refers: where
// erasing a replaced one failed, and where a request ended between the vault
// and the log.
type Leftovers struct {
	Endpoints *Endpoints
	Logger    *slog.Logger
	Every     time.Duration // how often it looks, longer than a request takes; 10 min

	seen map[string]bool // that were left over when it looked last
}

// Run looks from time to time until the context ends.
func (l *Leftovers) Run(ctx context.Context) error {
	every := cmp.Or(l.Every, 10*time.Minute)
	for ctx.Err() == nil {
		if err := l.Erase(ctx); err != nil && ctx.Err() == nil {
			l.Logger.ErrorContext(ctx, "addresses of endpoints' owners could not be erased", "error", err)
		}
		pause(ctx, every)
	}
	return nil
}

// Erase erases what was left over the last time, too: the request that put an
// address into the vault a moment ago has yet to record it.
func (l *Leftovers) Erase(ctx context.Context) error {
	refs, err := l.Endpoints.Contacts.Kept(ctx, contactPrefix)
	if err != nil {
		return err
	}
	left := map[string]bool{}
	var failed []error
	for _, ref := range refs {
		used, err := l.used(ctx, ref)
		if err == nil && !used && l.seen[ref] {
			err = l.Endpoints.Contacts.Erase(ctx, ref)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", ref, err))
		}
		left[ref] = !used
	}
	l.seen = left
	return errors.Join(failed...)
}

// used asks the log, which knows before any database does.
func (l *Leftovers) used(ctx context.Context, ref string) (bool, error) {
	id, _, ok := strings.Cut(strings.TrimPrefix(ref, contactPrefix), ".")
	if !ok {
		return true, nil // whose it is cannot be told
	}
	state, _, err := eventstore.Load(ctx, l.Endpoints.Store, endpoint.Decider, id)
	return err != nil || (state.Exists() && state.ContactRef == ref), err
}
