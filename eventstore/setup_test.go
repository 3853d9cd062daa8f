package eventstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestMain(m *testing.M) {
	// Watermill's own tests leave these behind: they stop reading before the
	// subscribers they multiplied are closed.
	multiplied := "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe."
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplied+"func2"), goleak.IgnoreAnyFunction(multiplied+"func3"))
}

// connect returns a client of the store at that address.
func connect(tb testing.TB, address string) *eventstore.Client {
	tb.Helper()
	return connectWith(tb, eventstore.Config{ConnectionString: address})
}

func connectWith(tb testing.TB, config eventstore.Config) *eventstore.Client {
	tb.Helper()
	config.Codec = newCodec(tb)
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := eventstore.NewClient(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// start returns a client of a fresh node.
func start(tb testing.TB) *eventstore.Client {
	tb.Helper()
	return connect(tb, nodetest.Start(tb))
}

// events returns events of one command, named by their number from first on.
func events(stream, command string, first, count int) []eventstore.NewEvent {
	all := make([]eventstore.NewEvent, count)
	for i := range all {
		all[i] = eventstore.NewEvent{
			ID:       eventstore.EventID(stream, command, i),
			Event:    Named{Name: fmt.Sprint(first + i)},
			Metadata: eventstore.Metadata{CommandID: command, CorrelationID: stream},
		}
	}
	return all
}

// mustAppend appends and returns what the store answered.
func mustAppend(
	tb testing.TB, client *eventstore.Client, stream string, expected eventstore.Revision, news ...eventstore.NewEvent,
) eventstore.Appended {
	tb.Helper()
	done, err := client.Append(tb.Context(), stream, expected, news...)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

// names reads the whole stream.
func names(tb testing.TB, client *eventstore.Client, stream string) []string {
	tb.Helper()
	var all []string
	for r, err := range client.ReadStream(tb.Context(), stream, 0) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, name(tb, r))
	}
	return all
}

func name(tb testing.TB, r eventstore.Recorded) string {
	tb.Helper()
	event, err := r.Decode()
	if err != nil {
		tb.Fatal(err)
	}
	return event.(Named).Name
}

// follow reads pages until so many events are there.
func follow(ctx context.Context, tb testing.TB, feed *eventstore.Feed, count int) []string {
	tb.Helper()
	var all []string
	for len(all) < count {
		page, err := feed.Next(ctx)
		if err != nil {
			tb.Fatalf("after %d events: %v", len(all), err)
		}
		for _, r := range page.Events {
			all = append(all, name(tb, r))
		}
	}
	return all
}

// within is a context that ends, so that a test that waits in vain fails.
func within(tb testing.TB, limit time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), limit)
	tb.Cleanup(cancel)
	return ctx
}
