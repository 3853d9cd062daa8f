package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
)

func TestFeedHandsOverInTheOrderOfTheLog(t *testing.T) {
	t.Parallel()
	client := start(t)
	var want []string
	for i := range 50 {
		stream := []string{"order-a", "stock-b", "payment-c"}[i%3]
		mustAppend(t, client, stream, eventstore.Any, events(stream, fmt.Sprint(i), i, 1)...)
		if i%3 != 2 {
			want = append(want, fmt.Sprint(i))
		}
	}
	feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-", "stock-"}})
	defer feed.Close()
	ctx := within(t, 10*time.Second)
	if diff := cmp.Diff(want, follow(ctx, t, feed, len(want))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	mustAppend(t, client, "stock-b", eventstore.Any, events("stock-b", "later", 50, 1)...)
	if diff := cmp.Diff([]string{"50"}, follow(ctx, t, feed, 1)); diff != "" {
		t.Errorf("live (-want +got)\n%s", diff)
	}
}

func TestFeedOfOneStream(t *testing.T) {
	t.Parallel()
	client := start(t)
	for i, stream := range []string{"order-1", "order-11", "order.1", "order-1"} {
		mustAppend(t, client, stream, eventstore.Any, events(stream, fmt.Sprint(i), i, 1)...)
	}
	feed := client.Feed(eventstore.FeedConfig{Stream: "order-1"})
	defer feed.Close()
	if diff := cmp.Diff([]string{"0", "3"}, follow(within(t, 10*time.Second), t, feed, 2)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFeedGoesOnAfterThrough(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 100)...)
	ctx := within(t, 20*time.Second)
	var got []string
	var from eventstore.Position
	for len(got) < 100 {
		feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}, From: from, PageSize: 7})
		page, err := feed.Next(ctx)
		feed.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) > 7 {
			t.Fatalf("a page of %d", len(page.Events))
		}
		for _, r := range page.Events {
			got = append(got, name(t, r))
		}
		from = page.Through
	}
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint(i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFeedTellsWhenItIsLive(t *testing.T) {
	t.Parallel()
	client := start(t)
	ctx := within(t, 10*time.Second)
	feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}})
	defer feed.Close()
	page, err := feed.Next(ctx)
	if err != nil || !page.Live || len(page.Events) > 0 {
		t.Errorf("an empty log: %+v, %v", page, err)
	}
	done := mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 300)...)
	for page.Through < done.Position {
		if page, err = feed.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !page.Live || page.Through != done.Position {
		t.Errorf("at the end: through %d, live %v", page.Through, page.Live)
	}
}

func TestFeedMovesThroughOtherStreams(t *testing.T) {
	t.Parallel()
	client := start(t)
	const others = 3000
	for i := range others / 500 {
		mustAppend(t, client, "stock-1", eventstore.Any, events("stock-1", fmt.Sprint(i), 0, 500)...)
	}
	feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}})
	defer feed.Close()
	ctx := within(t, 10*time.Second)
	for through := eventstore.Position(0); through == 0; {
		page, err := feed.Next(ctx)
		if err != nil || len(page.Events) > 0 {
			t.Fatalf("%+v, %v", page, err)
		}
		through = page.Through
	}
}

func TestFeedFromEnd(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 10)...)
	feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}, FromEnd: true})
	defer feed.Close()
	ctx := within(t, 10*time.Second)
	if page, err := feed.Next(ctx); err != nil || len(page.Events) > 0 || page.Through == 0 {
		t.Fatalf("first page %+v, %v", page, err)
	}
	mustAppend(t, client, "order-1", 9, events("order-1", "d", 10, 2)...)
	if diff := cmp.Diff([]string{"10", "11"}, follow(ctx, t, feed, 2)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFeedRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	client := start(t)
	for name, config := range map[string]eventstore.FeedConfig{
		"nothing to feed":        {},
		"both kinds":             {Prefixes: []string{"order-"}, Stream: "order-1"},
		"system streams":         {Prefixes: []string{"order-", "$"}},
		"every stream":           {Prefixes: []string{""}},
		"two beginnings":         {Prefixes: []string{"order-"}, From: 7, FromEnd: true},
		"a page of minus events": {Prefixes: []string{"order-"}, PageSize: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			feed := client.Feed(config)
			defer feed.Close()
			if _, err := feed.Next(within(t, time.Second)); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNextObeysTheContextAndClose(t *testing.T) {
	t.Parallel()
	client := start(t)
	feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}})
	if _, err := feed.Next(t.Context()); err != nil { // the page that says live
		t.Fatal(err)
	}
	if _, err := feed.Next(within(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	waiting := make(chan error)
	go func() {
		_, err := feed.Next(t.Context())
		waiting <- err
	}()
	feed.Close()
	if err := <-waiting; err == nil {
		t.Error("Next of a closed feed succeeds")
	}
	feed.Close()
}
