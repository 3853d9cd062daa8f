package router

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/eventstore"
)

// Backlog tells of each handler what waits for it. It asks the store when it is
// asked, so that one process is enough to look at them all.
type Backlog struct {
	Client   *eventstore.Client
	Handlers []string // their names
	Now      func() time.Time
}

// Describe implements [prometheus.Collector]. Nothing is described, because a
// store that is away has no numbers.
func (*Backlog) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (b *Backlog) Collect(out chan<- prometheus.Metric) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience) //nolint:forbidigo // a registry gives none
	defer cancel()
	for _, name := range b.Handlers {
		status, err := b.Client.GroupStatus(ctx, name)
		if err != nil {
			return
		}
		gauge := func(metric, help string, v float64) {
			desc := prometheus.NewDesc("waybill_effect_"+metric, help, []string{"handler"}, nil)
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, name)
		}
		gauge("in_flight", "Events that are being handled, in all processes.", float64(status.InFlight))
		gauge("subscribers", "Processes that handle events.", float64(status.Subscribers))
		gauge("behind_bytes", "How much of the log has events that are not done.", float64(max(status.End, status.Checkpoint)-status.Checkpoint))
		gauge("parked", "Events that were put aside for a person.", float64(status.Parked))
		gauge("parked_oldest_seconds", "For how long the oldest of them is.", b.oldest(ctx, name, status.Parked).Seconds())
	}
}

func (b *Backlog) oldest(ctx context.Context, handler string, parked int64) time.Duration {
	if parked == 0 {
		return 0
	}
	for p, err := range b.Client.Parked(ctx, handler, 0) {
		if err == nil && !p.At.IsZero() {
			return max(b.Now().Sub(p.At), 0)
		}
		break
	}
	return 0
}
