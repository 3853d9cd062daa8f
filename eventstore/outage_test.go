package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/tracing/logtest"
)

func TestCallsFailFastWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{Dir: t.TempDir()})
	log := &logtest.Journal{}
	client := connectWith(t, eventstore.Config{
		ConnectionString: node.ConnectionString(),
		Logger:           slog.New(slog.NewTextHandler(log, nil)),
		Timeout:          time.Minute,
	})
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 1)...)
	node.Stop()

	// Long enough for more than the ten discoveries after which the client
	// library gives up for ever.
	begin := time.Now()
	for i := 0; time.Since(begin) < 2*time.Second; i++ {
		one := time.Now()
		_, err := client.Append(t.Context(), "order-1", 0, events("order-1", "d", 1, 1)...)
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("append %d: %v", i, err)
		}
		if took := time.Since(one); took > 20*time.Second { // a busy machine is slow, a wait for the store is a minute
			t.Errorf("append %d took %v", i, took)
		}
		for _, err := range client.ReadStream(t.Context(), "order-1", 0) {
			if !errors.Is(err, eventstore.ErrUnavailable) {
				t.Fatalf("read %d: %v", i, err)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := client.Ping(t.Context()); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}

	node.Restart()
	eventually(t, func() bool { return client.Ping(t.Context()) == nil })
	eventually(t, func() bool {
		_, err := client.Append(t.Context(), "order-1", 0, events("order-1", "d", 1, 1)...)
		return err == nil
	})
	if diff := cmp.Diff([]string{"0", "1"}, names(t, client, "order-1")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	eventually(t, func() bool { return strings.Count(log.String(), "back") == strings.Count(log.String(), "away") })
	if strings.Count(log.String(), "\n") > 4 {
		t.Errorf("%d lines of log for one outage", strings.Count(log.String(), "\n"))
	}
}

// eventually waits until something holds.
func eventually(tb testing.TB, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(longEnough); !holds(); {
		if time.Now().After(deadline) {
			tb.Fatal("does not come true")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestFeedLosesAndRepeatsNothingOverOutages(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{Dir: t.TempDir()})
	client := connect(t, node.ConnectionString())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	const count = 600
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range count {
			for ctx.Err() == nil {
				_, err := client.Append(ctx, "order-1", eventstore.Revision(i-1), events("order-1", fmt.Sprint(i), i, 1)...)
				if err == nil {
					break
				}
				if !errors.Is(err, eventstore.ErrUnavailable) {
					t.Errorf("append %d: %v", i, err)
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	writer.Go(func() {
		for range 3 {
			time.Sleep(100 * time.Millisecond)
			node.Stop()
			time.Sleep(300 * time.Millisecond)
			node.Restart()
		}
	})
	feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}, PageSize: 16})
	defer feed.Close()
	got := follow(ctx, t, feed, count)
	writer.Wait()
	var want []string
	for i := range count {
		want = append(want, fmt.Sprint(i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Many callers at the moment of the outage are where the client library blocks
// for ever or panics.
func TestManyCallersSurviveOutages(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{Dir: t.TempDir()})
	client := connect(t, node.ConnectionString())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const callers, each = 32, 100
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			stream := fmt.Sprintf("order-%d", caller)
			for i := range each {
				for ctx.Err() == nil {
					_, err := client.Append(ctx, stream, eventstore.Revision(i-1), events(stream, fmt.Sprint(i), i, 1)...)
					if err == nil {
						break
					}
					if !errors.Is(err, eventstore.ErrUnavailable) {
						t.Errorf("append %d: %v", i, err)
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	for range 4 {
		time.Sleep(50 * time.Millisecond)
		node.Stop()
		time.Sleep(100 * time.Millisecond)
		node.Restart()
	}
	all.Wait()
	for caller := range callers {
		stream := fmt.Sprintf("order-%d", caller)
		if got := len(names(t, client, stream)); got != each {
			t.Errorf("%s has %d events, want %d", stream, got, each)
		}
	}
}

func TestClientOfNoStore(t *testing.T) {
	t.Parallel()
	client := connectWith(t, eventstore.Config{ConnectionString: "esdb://127.0.0.1:1?tls=false", Timeout: time.Minute})
	begin := time.Now()
	_, err := client.Append(t.Context(), "order-1", eventstore.NoStream, events("order-1", "c", 0, 1)...)
	if !errors.Is(err, eventstore.ErrUnavailable) || time.Since(begin) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}})
	defer feed.Close()
	if _, err := feed.Next(within(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("next: %v", err)
	}
}
