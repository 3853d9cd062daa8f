package nodebench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Appends is a run of callers that append one event of 256 bytes at a time, five
// to a stream, each with the revision it expects.
type Appends struct {
	Callers, Connections int
	Events               int64
	PerSecond            float64
	P50, P99             time.Duration
	Group                float64       // appends synced together, on average
	Sync                 time.Duration // to write and sync a group, on average
	Processor            Processor
	// Raw is what the storage engine alone did, appends per second in groups of
	// that size.
	Raw float64
}

const eventBytes = 256

// refill writes text into data that no compression makes much smaller than
// that of real events.
func refill(data []byte, random *rand.Rand) {
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	for i := 0; i < len(data); i += 8 {
		bits := random.Uint64()
		for j := i; j < min(i+8, len(data)); j++ {
			data[j] = letters[bits&31]
			bits >>= 5
		}
	}
}

func payload(random *rand.Rand) []byte {
	data := make([]byte, eventBytes)
	refill(data, random)
	return data
}

func source(seed int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), 1)) //nolint:gosec // filler, no secret
}

func (o *Options) appends(ctx context.Context, a *Appends) error {
	name := fmt.Sprintf("appends-%d", a.Callers)
	o.Say(fmt.Sprintf("appends by %d callers, %s", a.Callers, o.Duration))
	err := o.on(ctx, name, func(n Node) error {
		clients, err := connect(n.ConnectionString(), a.Connections)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		a.Processor, err = processor(n, func() (int64, error) {
			err := o.call(ctx, clients, a)
			return a.Events, err
		})
		if err != nil {
			return err
		}
		return a.groups(ctx, n)
	})
	if err != nil {
		return err
	}
	o.Say(fmt.Sprintf("the storage engine alone, %s", o.Duration))
	a.Raw, err = o.raw(filepath.Join(o.Dir, name+"-raw"), max(1, int(math.Round(a.Group))))
	return errors.Join(err, o.remove(name), o.remove(name+"-raw"))
}

func (o *Options) call(ctx context.Context, clients []*esdb.Client, a *Appends) error {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		total  = newLatencies()
		failed error
	)
	began := o.Now()
	end := began.Add(o.Duration)
	for caller := range a.Callers {
		wait.Go(func() {
			own, err := o.caller(ctx, clients[caller%len(clients)], caller, end)
			mu.Lock()
			defer mu.Unlock()
			total.Merge(own)
			failed = errors.Join(failed, err)
		})
	}
	wait.Wait()
	a.Events = total.TotalCount()
	a.PerSecond = float64(a.Events) / o.Now().Sub(began).Seconds()
	a.P50, a.P99 = quantile(total, 50), quantile(total, 99)
	return failed
}

func (o *Options) caller(ctx context.Context, c *esdb.Client, caller int, end time.Time) (*hdrhistogram.Histogram, error) {
	const perStream = 5
	latencies, random := newLatencies(), source(caller)
	for i := 0; ; i++ {
		before := o.Now()
		if before.After(end) {
			return latencies, nil
		}
		var expected esdb.ExpectedRevision = esdb.NoStream{}
		if i%perStream > 0 {
			expected = esdb.Revision(uint64(i%perStream - 1))
		}
		_, err := c.AppendToStream(ctx, "bench-"+strconv.Itoa(caller)+"."+strconv.Itoa(i/perStream),
			esdb.AppendToStreamOptions{ExpectedRevision: expected},
			esdb.EventData{EventType: "OrderPlaced", ContentType: esdb.ContentTypeJson, Data: payload(random)})
		if err != nil {
			return latencies, fmt.Errorf("append: %w", err)
		}
		_ = latencies.RecordValue(int64(o.Now().Sub(before))) // longer than a minute is not recorded
	}
}

// groups asks the node how large its groups were.
func (a *Appends) groups(ctx context.Context, n Node) error {
	m, err := scrape(ctx, n)
	if err != nil {
		return err
	}
	if groups := m["waybill_node_group_requests_count"]; groups > 0 {
		a.Group = m["waybill_node_group_requests_sum"] / groups
	}
	if syncs := m["waybill_node_sync_seconds_count"]; syncs > 0 {
		a.Sync = time.Duration(m["waybill_node_sync_seconds_sum"] / syncs * float64(time.Second))
	}
	return nil
}

func newLatencies() *hdrhistogram.Histogram {
	return hdrhistogram.New(1000, int64(time.Minute), 3)
}

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(q))
}
