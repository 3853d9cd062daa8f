package eventstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// FeedConfig says which events to feed, and from where. Either Prefixes or
// Stream is given.
type FeedConfig struct {
	// Prefixes are what the names of the streams begin with: "order-".
	Prefixes []string
	// Stream is the name of the only stream.
	Stream string
	// From is the position after which to begin.
	From Position
	// FromEnd begins at the end of the log, as it is at the first Next.
	FromEnd bool
	// PageSize is the most events of a page. 0 means 512.
	PageSize int
}

const defaultPageSize = 512

func (c FeedConfig) validate() error {
	switch {
	case c.PageSize < 0:
		return fmt.Errorf("feed: page size %d is negative", c.PageSize)
	case c.FromEnd && c.From != 0:
		return errors.New("feed: begins at a position or at the end, not both")
	case (c.Stream == "") == (len(c.Prefixes) == 0):
		return errors.New("feed: either prefixes or a stream is needed")
	}
	for _, name := range append(slices.Clone(c.Prefixes), c.Stream) {
		if strings.HasPrefix(name, "$") {
			return fmt.Errorf("feed: %q is for the store's own streams", name)
		}
	}
	if slices.Contains(c.Prefixes, "") {
		return errors.New("feed: an empty prefix would be every stream, those of the store included")
	}
	return nil
}

func (c FeedConfig) filter() *esdb.SubscriptionFilter {
	filter := &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: c.Prefixes}
	if c.Stream != "" {
		filter.Regex = "^" + regexp.QuoteMeta(c.Stream) + "$"
	}
	return filter
}

// Page is some events in the order of the log, none left out.
type Page struct {
	// Events may be none: then the log grew by events of other streams, or its
	// end was reached.
	Events []Recorded
	// Through is how far the log is dealt with once this page is: every event
	// up to there is in this page or an earlier one, or in none. It is what to
	// begin From again.
	Through Position
	// Live tells that nothing more was in the log when the page was handed over.
	Live bool
}

// Feed hands over the events of some streams in the order of the log. It never
// loses or repeats one, however often the connection breaks. A feed has one
// reader, and begins to read at the first Next.
type Feed struct {
	client *Client
	config FeedConfig
	buffer *buffer

	starting sync.Once
	stop     context.CancelFunc
	stopping sync.Mutex
	stopped  bool
	reading  sync.WaitGroup
}

// Feed returns a feed. Close it after use.
func (c *Client) Feed(config FeedConfig) *Feed {
	if config.PageSize == 0 {
		config.PageSize = defaultPageSize
	}
	return &Feed{client: c, config: config, buffer: newBuffer(config.From, config.PageSize)}
}

// Next waits until there is something and returns it: up to a page of events,
// without waiting for more. It waits as long as the store is away. The error
// is that of the context, or says that the feed cannot work: it is closed,
// configured wrongly, or begins at a position that is none.
func (f *Feed) Next(ctx context.Context) (Page, error) {
	if err := f.config.validate(); err != nil {
		return Page{}, err
	}
	f.starting.Do(func() { f.start(ctx) })
	return f.buffer.take(ctx, f.config.PageSize)
}

// start begins to read. The reading outlives the context of the first Next,
// but keeps its values.
func (f *Feed) start(ctx context.Context) {
	f.stopping.Lock()
	defer f.stopping.Unlock()
	if f.stopped {
		return
	}
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	f.reading.Go(func() {
		s := subscription{client: f.client, config: f.config, buffer: f.buffer}
		f.buffer.fail(s.run(ctx))
	})
}

// Close ends the feed, and a Next that waits. It may be called more than once.
func (f *Feed) Close() {
	f.stopping.Lock()
	f.stopped = true
	if f.stop != nil {
		f.stop()
	}
	f.stopping.Unlock()
	f.buffer.fail(errFeedClosed)
	f.reading.Wait()
}

var errFeedClosed = errors.New("feed is closed")
