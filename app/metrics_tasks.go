package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// taskGauges reads what is on the to-do list of orders.
type taskGauges struct {
	app                           *App
	due, oldest, failing, alarmed *prometheus.Desc
}

func newTaskGauges(a *App) *taskGauges {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("waybill_tasks_"+name, help, []string{"kind"}, nil)
	}
	return &taskGauges{
		app:     a,
		due:     desc("due", "Tasks of orders whose time has come and that are not done."),
		oldest:  desc("oldest_seconds", "For how long the oldest of them is due."),
		failing: desc("failing", "Those of them that were tried in vain."),
		alarmed: desc("alarmed", "Those of them that failed five times in a row or more."),
	}
}

// Describe implements [prometheus.Collector].
func (g *taskGauges) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{g.due, g.oldest, g.failing, g.alarmed} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (g *taskGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now := g.app.now()
	counts, err := g.app.models.tasks.Count(ctx, now)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.due, err)
		return
	}
	for _, c := range counts {
		for _, m := range []struct {
			desc  *prometheus.Desc
			value float64
		}{
			{g.due, float64(c.Due)}, {g.oldest, now.Sub(c.Oldest).Seconds()}, {g.failing, float64(c.Failing)}, {g.alarmed, float64(c.Alarmed)},
		} {
			metrics <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.value, string(c.Kind))
		}
	}
}
