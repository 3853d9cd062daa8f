package eventstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func shared(client *eventstore.Client, from eventstore.Position, pageSize int, prefixes ...string) *eventstore.Feed {
	return client.Feed(eventstore.FeedConfig{Prefixes: prefixes, From: from, PageSize: pageSize, Shared: true})
}

// untilLive reads until the end of the log, and returns the names.
func untilLive(ctx context.Context, tb testing.TB, feed *eventstore.Feed) (all []string) {
	tb.Helper()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range page.Events {
			all = append(all, name(tb, r))
		}
		if page.Live {
			return all
		}
	}
}

// Feeds of all kinds follow one writer while connections are cut under them.
func TestSharedFeedsLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	address := nodetest.Start(t)
	proxy := newProxy(t, address)
	direct, client := connect(t, address), connect(t, proxy.connectionString())
	ctx := within(t, 30*time.Second)
	const before, count = 300, 3000
	streams := []string{"order-1", "stock-1", "payment-1", "order-2"}
	var wanted [count]string // the stream of each
	var middle eventstore.Position
	write := func(i int) {
		wanted[i] = streams[rand.IntN(len(streams))]
		done := mustAppend(t, direct, wanted[i], eventstore.Any, events(wanted[i], fmt.Sprint(i), i, 1)...)
		if i == before/2 {
			middle = done.Position
		}
	}
	for i := range before {
		write(i)
	}
	var readers, writer sync.WaitGroup
	results := make([][]string, 5)
	read := func(n int, pause time.Duration, feed *eventstore.Feed, last string) {
		readers.Go(func() {
			defer feed.Close()
			for !slices.Contains(results[n], last) {
				page, err := feed.Next(ctx)
				if err != nil {
					t.Errorf("feed %d after %d events: %v", n, len(results[n]), err)
					return
				}
				for _, r := range page.Events {
					results[n] = append(results[n], name(t, r))
				}
				time.Sleep(pause)
			}
		})
	}
	// The last of every stream is written at the end, so that all of them stop.
	read(0, 0, shared(client, 0, 16, "order-"), "end of order-2")
	read(1, time.Millisecond, shared(client, 0, 7, "order-", "stock-"), "end of stock-1")
	read(2, 20*time.Millisecond, shared(client, middle, 512, "payment-"), "end of payment-1")
	read(3, 0, shared(client, middle, 1, "stock-"), "end of stock-1")
	read(4, 0, client.Feed(eventstore.FeedConfig{Stream: "order-1", From: middle, Shared: true}), "end of order-1")
	writer.Go(func() {
		for i := before; i < count; i++ {
			write(i)
			if i%700 == 0 {
				proxy.cut()
			}
		}
	})
	writer.Wait()
	for _, stream := range streams {
		event := eventstore.NewEvent{ID: eventstore.EventID(stream, "end", 0), Event: Named{Name: "end of " + stream}}
		mustAppend(t, direct, stream, eventstore.Any, event)
	}
	readers.Wait()
	for n, wants := range []func(i int, stream string) bool{
		func(_ int, stream string) bool { return strings.HasPrefix(stream, "order-") },
		func(_ int, stream string) bool { return !strings.HasPrefix(stream, "payment-") },
		func(i int, stream string) bool { return i > before/2 && stream == "payment-1" },
		func(i int, stream string) bool { return i > before/2 && stream == "stock-1" },
		func(i int, stream string) bool { return i > before/2 && stream == "order-1" },
	} {
		var want []string
		for i, stream := range wanted {
			if wants(i, stream) {
				want = append(want, fmt.Sprint(i))
			}
		}
		got := slices.DeleteFunc(results[n], func(name string) bool { return strings.HasPrefix(name, "end of") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("feed %d (-want +got)\n%s", n, diff)
		}
	}
}

func TestASharedFeedThatLagsReadsForItself(t *testing.T) {
	t.Parallel()
	client := start(t)
	ctx := within(t, 20*time.Second)
	feed := shared(client, 0, 100, "order-")
	defer feed.Close()
	untilLive(ctx, t, feed)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "first", 0, 1)...)
	follow(ctx, t, feed, 1) // from now on from the tail
	const count = 10_000    // more than is held
	for i := range count / 1000 {
		mustAppend(t, client, "order-1", eventstore.Any, events("order-1", fmt.Sprint(i), 1000*i, 1000)...)
	}
	got := follow(ctx, t, feed, count)
	for i, name := range got {
		if name != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, name)
		}
	}
	mustAppend(t, client, "order-1", eventstore.Any, events("order-1", "last", 42, 1)...)
	if diff := cmp.Diff([]string{"42"}, follow(ctx, t, feed, 1)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What two feeds hand over lies at one place in memory: it was received once.
func TestSharedFeedsReceiveOnce(t *testing.T) {
	t.Parallel()
	client := start(t)
	ctx := within(t, 10*time.Second)
	feeds := []*eventstore.Feed{shared(client, 0, 0, "order-"), shared(client, 0, 0, "order-", "stock-")}
	for _, feed := range feeds {
		defer feed.Close()
		untilLive(ctx, t, feed)
	}
	var data [2]*byte
	for i := 0; data[0] == nil || data[0] != data[1]; i++ {
		mustAppend(t, client, "order-1", eventstore.Any, events("order-1", fmt.Sprint(i), i, 1)...)
		for n, feed := range feeds {
			for data[n] = nil; data[n] == nil; {
				page, err := feed.Next(ctx)
				if err != nil {
					t.Fatalf("the feeds have not come together after %d events: %v", i, err)
				}
				for _, r := range page.Events {
					data[n] = &r.Data[0]
				}
			}
		}
	}
}

func TestASharedFeedIsSilentAboutOtherStreams(t *testing.T) {
	t.Parallel()
	client := start(t)
	ctx := within(t, 10*time.Second)
	feed := shared(client, 0, 0, "order-")
	defer feed.Close()
	untilLive(ctx, t, feed)
	mustAppend(t, client, "order-1", eventstore.Any, events("order-1", "0", 0, 1)...)
	follow(ctx, t, feed, 1)
	const others = 4000
	var early eventstore.Position // to be passed long before all are
	for i := range others / 500 {
		done := mustAppend(t, client, "stock-1", eventstore.Any, events("stock-1", fmt.Sprint(i), 0, 500)...)
		if i == 1 {
			early = done.Position
		}
	}
	pages := 0
	for through := eventstore.Position(0); through < early; pages++ {
		page, err := feed.Next(ctx)
		if err != nil || len(page.Events) > 0 {
			t.Fatalf("%+v, %v", page, err)
		}
		through = page.Through
	}
	if pages > 10 {
		t.Errorf("%d pages about nothing", pages)
	}
}

func TestASharedFeedIsClosedWhileItWaits(t *testing.T) {
	t.Parallel()
	client := start(t)
	ctx := within(t, 10*time.Second)
	feed, other := shared(client, 0, 0, "order-"), shared(client, 0, 0, "order-")
	untilLive(ctx, t, feed)
	untilLive(ctx, t, other)
	mustAppend(t, client, "order-1", eventstore.Any, events("order-1", "0", 0, 1)...)
	follow(ctx, t, feed, 1)
	follow(ctx, t, other, 1)
	ended := make(chan error)
	go func() {
		for {
			if _, err := feed.Next(ctx); err != nil {
				ended <- err
				return
			}
		}
	}()
	feed.Close()
	if err := <-ended; err == nil || ctx.Err() != nil {
		t.Errorf("Next returned %v", err)
	}
	mustAppend(t, client, "order-1", eventstore.Any, events("order-1", "1", 1, 1)...)
	follow(ctx, t, other, 1)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := other.Next(ctx); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		t.Error("a feed of a closed client waits for ever")
	}
	other.Close()
}
