package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A tally is how long events took from their append to their receivers.
type tally struct {
	received            int
	all, after, appends *hdrhistogram.Histogram
}

func newTally() tally {
	return tally{all: newHistogram(), after: newHistogram(), appends: newHistogram()}
}

func (t *tally) add(other tally) {
	t.received += other.received
	t.all.Merge(other.all)
	t.after.Merge(other.after)
	t.appends.Merge(other.appends)
}

func (t *tally) latency(rate int) WebhookLatency {
	return WebhookLatency{
		Rate: rate, Received: t.received,
		P50: quantile(t.all, 50), P95: quantile(t.all, 95), P99: quantile(t.all, 99),
		AppendP99: quantile(t.appends, 99), AfterP99: quantile(t.after, 99),
	}
}

// WebhookLatency is the time from the append of an event to its receiver.
type WebhookLatency struct {
	Rate          int
	Received      int
	P50, P95, P99 time.Duration
	// AppendP99 is that of the append itself, of which the larger part belongs
	// to those times: it waits for the disk, whatever the dispatcher does.
	// AfterP99 is that of what came after: from when whoever appended heard that
	// it is done to the receiver; nothing where the receiver was faster.
	AppendP99, AfterP99 time.Duration `json:",omitempty"`
	Statements          float64
}
