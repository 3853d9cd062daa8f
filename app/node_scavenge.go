package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/node"
)

// scavenge removes now and then what no stream shows any more, beside readers
// and writers. An interval of zero is never.
func (n *Node) scavenge(every time.Duration, logger *slog.Logger) {
	if every == 0 {
		return
	}
	n.atWork(func(ctx context.Context) {
		_ = handlers.Rounds(ctx, every, logger, "scavenging", func(ctx context.Context) error { // it ends with ctx
			done, err := n.store.Scavenge(ctx, node.Scavenge{})
			if err == nil && done.Records > 0 {
				logger.InfoContext(ctx, "the event store was scavenged", "events", done.Records, "streams", done.Streams)
			}
			return err
		})
	})
}
