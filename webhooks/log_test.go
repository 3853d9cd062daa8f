package webhooks_test

import (
	"log/slog"
	"testing"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/webhooks"
)

// nodeLog is a real node behind the real client.
type nodeLog struct{ *eventstore.Client }

func (l nodeLog) open(cfg eventstore.FeedConfig) webhooks.Feed { return l.Feed(cfg) }

func newLog(tb testing.TB) eventLog {
	tb.Helper()
	return connect(tb, nodetest.Start(tb))
}

func connect(tb testing.TB, to string) eventLog {
	tb.Helper()
	return connectWith(tb, to, codec(tb))
}

func connectWith(tb testing.TB, to string, codec *eventstore.Codec) eventLog {
	tb.Helper()
	client, err := eventstore.NewClient(eventstore.Config{
		ConnectionString: to, Codec: codec, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := client.Close(); err != nil {
			tb.Error(err)
		}
	})
	return nodeLog{client}
}
