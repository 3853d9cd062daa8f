package persistent

import (
	"slices"
	"time"
)

// measured counts deliveries, and keeps the latencies of the newest ones.
type measured struct {
	total     int64
	lastTotal int64
	lastTime  time.Time
	latencies []int64 // ms; a ring
	oldest    int
}

const maxLatencies = 1000

func (m *measured) start(now time.Time) { m.lastTime = now }

// rate is how many there were since the last time it was asked for, and how
// many in a second. Asked by a bystander it leaves no trace.
func (m *measured) rate(now time.Time, bystander bool) (items int64, perSecond int) {
	items = m.total - m.lastTotal
	if span := now.Sub(m.lastTime); span > 0 {
		perSecond = int(float64(items) / span.Seconds())
	}
	if !bystander {
		m.lastTotal, m.lastTime = m.total, now
	}
	return items, perSecond
}

func (m *measured) latency(d time.Duration) {
	if len(m.latencies) < maxLatencies {
		m.latencies = append(m.latencies, d.Milliseconds())
		return
	}
	m.latencies[m.oldest] = d.Milliseconds()
	m.oldest = (m.oldest + 1) % maxLatencies
}

// A Measurement is a named figure in ms.
type Measurement struct {
	Key   string
	Value int64
}

// measurements is empty before the first message is done.
func (m *measured) measurements() []Measurement {
	if len(m.latencies) == 0 {
		return nil
	}
	sorted := slices.Clone(m.latencies)
	slices.Sort(sorted)
	var sum int64
	for _, v := range sorted {
		sum += v
	}
	part := func(permille int) int64 {
		return sorted[min(len(sorted)*permille/1000, len(sorted)-1)]
	}
	return []Measurement{
		{"Mean", sum / int64(len(sorted))},
		{"Median", sorted[len(sorted)/2]},
		{"Fastest", sorted[0]},
		{"Quintile 1", part(0)},
		{"Quintile 2", part(200)},
		{"Quintile 3", part(400)},
		{"Quintile 4", part(600)},
		{"Quintile 5", part(800)},
		{"90%", part(900)},
		{"95%", part(950)},
		{"99%", part(990)},
		{"99.5%", part(995)},
		{"99.9%", part(999)},
		{"Highest", sorted[len(sorted)-1]},
	}
}
