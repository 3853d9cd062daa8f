package eventstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is a wait that doubles from first to last. The zero attempt is the
// first; copy it to begin again.
type backoff struct {
	first, last time.Duration
	attempt     int
}

// next returns the next wait. A random part of up to a half keeps many waiters
// from coming back at the same moment.
func (b *backoff) next() time.Duration {
	wait := b.last
	if b.attempt < 30 && b.first<<b.attempt < b.last {
		wait = b.first << b.attempt
	}
	b.attempt++
	if wait < 2 {
		return wait
	}
	return wait - rand.N(wait/2) //nolint:gosec // no secret
}

func (b *backoff) reset() { b.attempt = 0 }

// sleep waits, and tells whether the context let it.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
