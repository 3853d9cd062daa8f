package webhooks

import (
	"context"
	"time"
)

const (
	servedWithin = 2 * time.Second // an endpoint is, while its process keeps up
	askedAgain   = 20 * time.Millisecond
)

// served looks something of an endpoint up in the ledger. An endpoint of this
// moment comes there a little later: it is waited for, and [ErrNotKnown] if it
// takes too long.
func served[T any](ctx context.Context, look func() (T, bool, error)) (T, error) {
	ctx, stop := context.WithTimeout(ctx, servedWithin)
	defer stop()
	for {
		found, there, err := look()
		switch {
		case err != nil || there:
			return found, err
		case ctx.Err() != nil:
			return found, ErrNotKnown
		}
		pause(ctx, askedAgain)
	}
}
