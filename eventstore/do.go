package eventstore

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Do has f use the client library itself, for packages below this one that need
// what a [Store] does not offer. It waits for a store that is away until ctx
// ends, and does not repeat f. The error is ErrConflict or ErrUnavailable where
// that is what it means. When ctx ends f may be left behind: what it changes
// must be in what it returns.
func Do[T any](ctx context.Context, c *Client, f func(*esdb.Client) (T, error)) (T, error) {
	s, err := c.calls.acquire(ctx, true)
	if err != nil {
		var none T
		return none, err
	}
	return call(ctx, s, f)
}
