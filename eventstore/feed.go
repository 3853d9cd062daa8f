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
	// Shared receives and decodes the end of the log once for all shared feeds
	// of a client. It is for feeds that want most of what is written, one of
	// which alone gains nothing: the server does not choose what to send.
	Shared bool

	all   bool     // every stream but those of the store itself
	types []string // of events, in the place of streams
}

const defaultPageSize = 512

func (c FeedConfig) validate() error {
	switch {
	case c.PageSize < 0:
		return fmt.Errorf("feed: page size %d is negative", c.PageSize)
	case c.FromEnd && c.From != 0:
		return errors.New("feed: begins at a position or at the end, not both")
	case (c.Stream == "") == (len(c.Prefixes) == 0) && len(c.types) == 0:
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
	switch {
	case len(c.types) > 0:
		return &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: anyOf(c.types)}
	case c.all:
		filter.Regex = `^[^\$]`
	case c.Stream != "":
		filter.Regex = "^" + regexp.QuoteMeta(c.Stream) + "$"
	}
	return filter
}

// wants tells what filter tells the server.
func (c *FeedConfig) wants(stream string) bool {
	if c.Stream != "" {
		return stream == c.Stream
	}
	return slices.ContainsFunc(c.Prefixes, func(prefix string) bool { return strings.HasPrefix(stream, prefix) })
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

	// Of the reader.
	following bool
	place     place

	closing sync.Mutex // guards what follows
	tail    *tail      // of a shared feed that has begun
	buffer  *buffer
	stop    context.CancelFunc
	closed  chan struct{}
	reading sync.WaitGroup
}

// Feed returns a feed. Close it after use.
func (c *Client) Feed(config FeedConfig) *Feed {
	if config.PageSize == 0 {
		config.PageSize = defaultPageSize
	}
	return &Feed{client: c, config: config, closed: make(chan struct{})}
}

// Next waits until there is something and returns it: up to a page of events,
// without waiting for more. It waits as long as the store is away. The error
// is that of the context, or says that the feed cannot work: it is closed,
// configured wrongly, or begins at a position that is none.
func (f *Feed) Next(ctx context.Context) (Page, error) {
	if err := f.config.validate(); err != nil {
		return Page{}, err
	}
	for {
		page, err := f.next(ctx)
		switch {
		case errors.Is(err, errJoined):
			f.following = true
		case errors.Is(err, errBehind):
			f.following = false
			f.config.From, f.config.FromEnd = f.place.from, false
			f.forget()
		default:
			return page, err
		}
	}
}

// next takes a page from where the feed is: its own subscription, or the tail.
func (f *Feed) next(ctx context.Context) (Page, error) {
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	if f.following {
		return f.tail.take(ctx, f.closed, &f.place, &f.config)
	}
	b, err := f.begin(ctx)
	if err != nil {
		return Page{}, err
	}
	page, err := b.take(ctx, f.config.PageSize)
	switch {
	case err == nil:
		f.place.live = page.Live
	case errors.Is(err, errJoined):
		f.place.from, f.place.passed = b.end(), 0
	}
	return page, err
}

// begin subscribes, if the feed has not done so. The subscription outlives the
// context, but keeps its values.
func (f *Feed) begin(ctx context.Context) (*buffer, error) {
	f.closing.Lock()
	defer f.closing.Unlock()
	if f.isClosed() {
		return nil, errFeedClosed
	}
	if f.buffer != nil {
		return f.buffer, nil
	}
	if f.config.Shared && f.tail == nil {
		f.tail = f.client.tails.join(ctx, f.client)
	}
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	f.buffer = newBuffer(f.config.From, f.config.PageSize)
	s := subscription{client: f.client, config: f.config, sink: f.buffer, tail: f.tail}
	b := f.buffer
	f.reading.Go(func() {
		if err := s.run(ctx); errors.Is(err, errJoined) {
			b.join()
		} else {
			b.fail(err)
		}
	})
	return b, nil
}

// forget lets the feed subscribe anew, from where it got.
func (f *Feed) forget() {
	f.closing.Lock()
	defer f.closing.Unlock()
	f.stop()
	f.buffer = nil
}

// Close ends the feed, and a Next that waits. It may be called more than once.
func (f *Feed) Close() {
	f.closing.Lock()
	defer f.closing.Unlock()
	if f.isClosed() {
		return
	}
	close(f.closed)
	if f.buffer != nil {
		f.stop()
		f.buffer.fail(errFeedClosed)
	}
	f.reading.Wait()
	if f.tail != nil {
		f.client.tails.leave()
	}
}

func (f *Feed) isClosed() bool {
	select {
	case <-f.closed:
		return true
	default:
		return false
	}
}

var errFeedClosed = errors.New("feed is closed")
