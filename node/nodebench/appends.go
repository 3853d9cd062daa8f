package nodebench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Appends is a run of callers that append one event of 256 bytes at a time, five
// to a stream, each with the revision it expects. In turns with it, the storage
// engine alone writes groups of the same size to the same disk: how long a disk
// takes to sync changes from one second to the next.
type Appends struct {
	Client               string // by which they append
	Callers, Connections int
	Events               int64
	PerSecond            float64
	P50, P99             time.Duration
	Group                float64       // appends synced together, on average
	Sync                 time.Duration // median time to write and sync a group
	Processor            Processor
	// Raw is what the storage engine alone did, appends per second, and RawSync
	// its median time to write and sync a group.
	Raw     float64
	RawSync time.Duration
}

// turn is how long the callers and the storage engine alone take turns for.
const turn = 500 * time.Millisecond

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

func (o *Options) appends(ctx context.Context, connects Connect, a *Appends) error {
	name := fmt.Sprintf("appends-%d", a.Callers)
	o.Say(fmt.Sprintf("appends by %d callers with the %s, in turns with the storage engine alone, %s each", a.Callers, a.Client, o.Duration))
	err := o.on(ctx, name, func(n Node) (err error) {
		raw, err := openRaw(filepath.Join(o.Dir, name+"-raw"), o.Now)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, raw.close()) }()
		clients := make([]Appender, a.Connections)
		for i := range clients {
			if clients[i], err = connects(n.ConnectionString()); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, clients[i].Close()) }()
		}
		return o.inTurns(ctx, n, clients, raw, a)
	})
	return errors.Join(err, o.remove(name), o.remove(name+"-raw"))
}

// inTurns goes on until both had their time.
func (o *Options) inTurns(ctx context.Context, n Node, clients []Appender, raw *raw, a *Appends) error {
	all := newCallers(clients, a.Callers, o.Now)
	for all.took < o.Duration {
		p, err := processor(n, func() error { return all.call(ctx, min(turn, o.Duration)) })
		if err != nil {
			return err
		}
		a.Processor.add(p)
		if err := a.groups(ctx, n); err != nil {
			return err
		}
		if err := raw.write(min(turn, o.Duration), max(1, int(math.Round(a.Group)))); err != nil {
			return err
		}
	}
	a.Events = all.latencies.TotalCount()
	a.Processor.share(a.Events)
	a.PerSecond = float64(a.Events) / all.took.Seconds()
	a.P50, a.P99 = quantile(all.latencies, 50), quantile(all.latencies, 99)
	a.Raw, a.RawSync = raw.perSecond(), quantile(raw.syncs, 50)
	return nil
}

// groups asks the node how large its groups were, and how long they took.
func (a *Appends) groups(ctx context.Context, n Node) error {
	m, err := scrape(ctx, n)
	if err != nil {
		return err
	}
	if groups := m["waybill_node_group_requests_count"]; groups > 0 {
		a.Group = m["waybill_node_group_requests_sum"] / groups
	}
	a.Sync = time.Duration(medianOf(m, "waybill_node_sync_seconds") * float64(time.Second))
	return nil
}

func newLatencies() *hdrhistogram.Histogram {
	return hdrhistogram.New(1000, int64(time.Minute), 3)
}

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(q))
}
