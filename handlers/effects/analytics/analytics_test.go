package analytics_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/analytics"
	"github.com/waybill-dev/waybill/handlers/effects/effectstest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/klauspost/compress/zstd.(*blockDec).startDecoder"))
}

var errKilled = errors.New("the process ended")

// pages feeds events from a position, some at once, and each page twice.
type pages struct {
	events []eventstore.Recorded
	size   int
	again  bool
	ended  chan struct{} // closed when everything was handed over
	once   *sync.Once
}

func (p *pages) Next(ctx context.Context) (eventstore.Page, error) {
	if len(p.events) == 0 {
		p.once.Do(func() { close(p.ended) })
		<-ctx.Done()
		return eventstore.Page{}, ctx.Err()
	}
	n := min(p.size, len(p.events))
	page := eventstore.Page{Events: p.events[:n]}
	if p.again = !p.again; !p.again {
		p.events = p.events[n:]
	}
	return page, nil
}

// days spreads events over days, one every eight hours.
func days(events []eventstore.Recorded) []eventstore.Recorded {
	events = slices.Clone(events)
	for i := range events {
		events[i].Created = effectstest.Noon().Add(time.Duration(i) * 8 * time.Hour)
	}
	return events
}

func exporter(dir string, events []eventstore.Recorded, ended chan struct{}) *analytics.Exporter {
	return &analytics.Exporter{Dir: dir, Logger: slog.New(slog.DiscardHandler), MaxEvents: 5, MaxAge: time.Millisecond, Feed: func(from eventstore.Position) analytics.Feed {
		rest := slices.DeleteFunc(slices.Clone(events), func(e eventstore.Recorded) bool { return e.Position <= from })
		return &pages{events: rest, size: 4, ended: ended, once: &sync.Once{}}
	}}
}

// rows reads every file, in the order of their names, and checks the folders.
func rows(t *testing.T, dir string) []analytics.Row {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "day=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	var all []analytics.Row
	for _, file := range files {
		some, err := parquet.ReadFile[analytics.Row](file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range some {
			if folder := "day=" + r.RecordedAt.UTC().Format(time.DateOnly); !strings.Contains(file, folder) {
				t.Errorf("an event of %s is in %s", folder, file)
			}
		}
		all = append(all, some...)
	}
	return all
}

func want(events []eventstore.Recorded) []analytics.Row {
	all := make([]analytics.Row, len(events))
	for i, e := range events {
		all[i] = analytics.RowOf(e)
	}
	return all
}

func TestEachEventIsInOneFileWheneverTheProcessEnds(t *testing.T) {
	t.Parallel()
	_, events := effectstest.NewHistory(t)
	events = days(events)
	for _, killAt := range []string{"half", "written", "renamed", "done", "never"} {
		dir := t.TempDir()
		for attempt := 0; ; attempt++ {
			if attempt > len(events) {
				t.Fatalf("killed at %s: no end in sight", killAt)
			}
			ended, steps := make(chan struct{}), 0
			x := exporter(dir, events, ended)
			x.Fault = func(step string) error {
				if steps++; step == killAt && (step == "renamed" || step == "done" || steps > 4) { // it gets a file further each time
					return errKilled
				}
				return nil
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- x.Run(ctx) }()
			var err error
			select {
			case err = <-done:
			case <-ended:
				// The last file is written when it is old enough.
				deadline := time.Now().Add(30 * time.Second)
				for err == nil && len(rows(t, dir)) < len(events) && time.Now().Before(deadline) {
					select {
					case err = <-done: // it was killed at this one
					case <-time.After(5 * time.Millisecond):
					}
				}
				stop()
				if err == nil {
					err = <-done
				}
			}
			stop()
			if err == nil {
				break
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want(events), rows(t, dir)); diff != "" {
			t.Errorf("killed at %s (-want +got):\n%s", killAt, diff)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*", "*.tmp")); err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	}
}

func TestTheExportFollowsARealLog(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	dir := t.TempDir()
	x := &analytics.Exporter{Dir: dir, Logger: slog.New(slog.DiscardHandler), MaxAge: 10 * time.Millisecond}
	var feeds []*eventstore.Feed
	x.Feed = func(from eventstore.Position) analytics.Feed {
		feed := w.Store.Feed(eventstore.FeedConfig{Prefixes: []string{"order-", "checkout-", "product-", "stock-"}, From: from})
		feeds = append(feeds, feed)
		return feed
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	deadline := time.Now().Add(30 * time.Second)
	for len(rows(t, dir)) < len(events) && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, feed := range feeds {
		feed.Close()
	}
	if diff := cmp.Diff(want(events), rows(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// collector keeps what it is told by key, and answers as it is told.
type collector struct {
	mu     sync.Mutex
	told   map[string]analytics.Row
	status int
	fails  int // every so many
	calls  int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	var row analytics.Row
	if err == nil {
		err = json.Unmarshal(body, &row)
	}
	key := r.Header.Get("Idempotency-Key")
	before, again := c.told[key]
	switch {
	case err != nil || key != "ana:"+row.EventID || again && !cmp.Equal(before, row):
		w.WriteHeader(http.StatusConflict)
	case c.status != 0:
		w.WriteHeader(c.status)
	default:
		c.told[key] = row
		if c.fails > 0 && c.calls%c.fails == 0 { // it heard, and its answer is lost
			w.WriteHeader(http.StatusBadGateway)
		}
	}
}

func TestACollectorHearsEachEventOnceByItsKey(t *testing.T) {
	t.Parallel()
	_, events := effectstest.NewHistory(t)
	effectstest.OneEffect(t, events, func(t *testing.T) effectstest.Outside {
		t.Helper()
		c := &collector{told: map[string]analytics.Row{}, fails: 3}
		server := httptest.NewServer(c)
		client := remote.Connect(remote.Config{URL: server.URL})
		t.Cleanup(func() { client.Close(); server.Close() })
		return effectstest.Outside{Handle: (&analytics.Collector{Remote: client}).Handle, Effect: func() any { return maps.Clone(c.told) }}
	})
}

func TestACollectorThatIsAwayIsToldLater(t *testing.T) {
	t.Parallel()
	_, events := effectstest.NewHistory(t)
	c := &collector{told: map[string]analytics.Row{}}
	server := httptest.NewServer(c)
	defer server.Close()
	client := remote.Connect(remote.Config{URL: server.URL})
	defer client.Close()
	handle := (&analytics.Collector{Remote: client}).Handle
	for status, permanent := range map[int]bool{503: false, 429: false, 401: false, 422: true} {
		c.status = status
		if err := handle(t.Context(), events[0]); err == nil || effects.IsPermanent(err) != permanent {
			t.Errorf("%d: %v", status, err)
		}
	}
	c.status = 0
	if err := handle(t.Context(), events[0]); err != nil || len(c.told) != 1 {
		t.Errorf("%v, %v", err, c.told)
	}
}
