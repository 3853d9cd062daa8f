package app

import (
	"context"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects/analytics"
)

// startAnalytics starts, with the role and if a folder is named, what writes
// events into files. It begins at the first event.
func (a *App) startAnalytics(context.Context) error {
	if a.cfg.Analytics.Dir == "" || !a.runs(analytics.Name) {
		return nil
	}
	a.runAlone("export of events", func(ctx context.Context) error {
		var feeds []*eventstore.Feed
		defer func() {
			for _, feed := range feeds {
				feed.Close()
			}
		}()
		exporter := &analytics.Exporter{
			Dir: a.cfg.Analytics.Dir, MaxAge: a.cfg.Analytics.Every, Logger: a.logger,
			Feed: func(from eventstore.Position) analytics.Feed {
				feed := a.client.Feed(eventstore.FeedConfig{Prefixes: analytics.Prefixes(), From: from})
				feeds = append(feeds, feed)
				return feed
			},
		}
		return exporter.Run(ctx)
	})
	return nil
}
