package eventstore

import (
	"context"
	"fmt"
)

// Waiting counts the events of some types after a position, up to a most: what
// a group that is there has not done. It reads them, so the most is what it
// costs at most.
func (c *Client) Waiting(ctx context.Context, types []string, after Position, most int) (count int, err error) {
	feed := c.Feed(FeedConfig{types: types, From: after})
	defer feed.Close()
	for count < most {
		page, err := feed.Next(ctx)
		if err != nil {
			return 0, fmt.Errorf("count what waits: %w", err)
		}
		if count += len(page.Events); page.Live {
			break
		}
	}
	return min(count, most), nil
}
