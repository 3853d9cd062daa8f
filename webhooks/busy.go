package webhooks

import (
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// busy is how busy the machine was for a while.
type busy struct {
	waited time.Duration // until they ran, of 19 of 20 goroutines at most
	used   float64       // share of the processors that this process used; 0 where that is not known
}

// gauge reads how busy the machine is.
type gauge struct {
	waits schedulerWaits
	used  time.Duration
}

// read returns what was since the last call, which is so long ago.
func (g *gauge) read(passed time.Duration) busy {
	before := g.used
	g.used = processorTime()
	m := busy{waited: g.waits.since()}
	if passed > 0 {
		m.used = float64(g.used-before) / float64(passed) / float64(runtime.GOMAXPROCS(0))
	}
	return m
}

// schedulerWaits reads how long goroutines had to wait until they ran.
type schedulerWaits struct {
	sample [1]metrics.Sample
	before []uint64
}

// since returns how long 19 of 20 had to wait at most since the last call.
func (w *schedulerWaits) since() time.Duration {
	w.sample[0].Name = "/sched/latencies:seconds"
	metrics.Read(w.sample[:])
	if w.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := w.sample[0].Value.Float64Histogram()
	if w.before == nil {
		w.before = make([]uint64, len(h.Counts))
	}
	all := uint64(0)
	for i, count := range h.Counts {
		all += count - w.before[i]
	}
	slow := all / 20
	at := time.Duration(0)
	for i, now := range slices.Backward(h.Counts) {
		count := now - w.before[i]
		if count > slow {
			at = time.Duration(h.Buckets[i] * float64(time.Second))
			break
		}
		slow -= count
	}
	copy(w.before, h.Counts)
	return max(at, 0)
}
