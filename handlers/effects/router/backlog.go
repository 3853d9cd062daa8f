package router

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
)

// Backlog tells of each handler what waits for it. It asks the store when it is
// asked, so that one process is enough to look at them all.
type Backlog struct {
	Client   *eventstore.Client
	Handlers map[string][]string // the types of events that each wants, by its name
	Now      func() time.Time
	// DeadLetters knows which of what was put aside was handled or discarded
	// since; without it everything counts that the store lists.
	DeadLetters *deadletters.Desk
}

func described(metric, help string) *prometheus.Desc {
	return prometheus.NewDesc("waybill_effect_"+metric, help, []string{"handler"}, nil)
}

// mostCounted bounds what looking at the metrics costs.
const mostCounted = 10_000

type backlogDescs struct{ inFlight, waiting, subscribers, behind, parked, oldest *prometheus.Desc }

func describeBacklog() backlogDescs {
	return backlogDescs{
		inFlight:    described("in_flight", "Events that are being handled, in all processes."),
		subscribers: described("subscribers", "Processes that handle events."),
		waiting:     described("lag_events", "Events that are not done, those in hand included; 10000 is that or more."),
		behind:      described("behind_bytes", "How much of the log has events that are not done."),
		parked:      described("parked", "Events that were put aside for a person, and are neither handled nor discarded."),
		oldest:      described("parked_oldest_seconds", "For how long the oldest of them is."),
	}
}

// Describe implements [prometheus.Collector].
func (*Backlog) Describe(descs chan<- *prometheus.Desc) {
	d := describeBacklog()
	for _, desc := range []*prometheus.Desc{d.inFlight, d.waiting, d.subscribers, d.behind, d.parked, d.oldest} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (b *Backlog) Collect(out chan<- prometheus.Metric) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience) //nolint:forbidigo // a registry gives none
	defer cancel()
	descs := describeBacklog()
	for name, types := range b.Handlers {
		status, err := b.Client.GroupStatus(ctx, name)
		if err != nil {
			return
		}
		if status == (eventstore.GroupStatus{}) {
			continue // it never ran
		}
		waiting := 0
		if status.End > status.Checkpoint {
			if waiting, err = b.Client.Waiting(ctx, types, status.Checkpoint, mostCounted); err != nil {
				return
			}
		}
		parked, oldest, err := b.parked(ctx, name, status.Parked)
		if err != nil {
			return
		}
		for desc, value := range map[*prometheus.Desc]float64{
			descs.inFlight: float64(status.InFlight), descs.waiting: float64(waiting), descs.subscribers: float64(status.Subscribers),
			descs.behind: float64(max(status.End, status.Checkpoint) - status.Checkpoint),
			descs.parked: float64(parked), descs.oldest: oldest.Seconds(),
		} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, name)
		}
	}
}

// parked tells how many wait for a person, and for how long the oldest of them.
func (b *Backlog) parked(ctx context.Context, handler string, listed int64) (size int64, age time.Duration, err error) {
	if listed == 0 {
		return 0, 0, nil
	}
	var oldest time.Time
	if b.DeadLetters != nil {
		var open int
		open, oldest, err = b.DeadLetters.Size(ctx, handler, listed)
		size = int64(open)
	} else {
		size = listed
		for p, err := range b.Client.ParkedLinks(ctx, handler, 0) {
			if err == nil {
				oldest = p.At
			}
			break
		}
	}
	if oldest.IsZero() {
		return size, 0, err
	}
	return size, max(b.Now().Sub(oldest), 0), err
}
