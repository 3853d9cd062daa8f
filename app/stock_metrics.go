package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/handlers/stock"
)

// stockGauges reads what the writer of stock has done and has to do, when it is
// asked for.
type stockGauges struct {
	stats func() stock.Stats
	all   []stockGauge
}

type stockGauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(stock.Stats) float64
}

func newStockGauges(stats func() stock.Stats) stockGauges {
	g := stockGauges{stats: stats}
	add := func(name, help string, kind prometheus.ValueType, of func(stock.Stats) float64) {
		g.all = append(g.all, stockGauge{prometheus.NewDesc("waybill_stock_"+name, help, nil, nil), kind, of})
	}
	total := func(name, help string, of func(stock.Stats) int64) {
		add(name, help, prometheus.CounterValue, func(s stock.Stats) float64 { return float64(of(s)) })
	}
	add("queue_depth", "Commands that wait for a stock item, over all items.", prometheus.GaugeValue,
		func(s stock.Stats) float64 { return float64(s.Waiting) })
	add("items", "Stock items in memory.", prometheus.GaugeValue, func(s stock.Stats) float64 { return float64(s.Lanes) })
	add("remembered", "Reservations and references of the stock items in memory.", prometheus.GaugeValue, func(s stock.Stats) float64 { return float64(s.Remembered) })
	total("batches_total", "Batches of commands that were decided together.", func(s stock.Stats) int64 { return s.Batches })
	total("batch_commands_total", "Commands in batches: divided by the batches it is their size.", func(s stock.Stats) int64 { return s.Commands })
	total("batch_conflicts_total", "Appends that somebody else's came before.", func(s stock.Stats) int64 { return s.Conflicts })
	total("refused_total", "Commands that a rule refused, such as reservations of what is sold out.", func(s stock.Stats) int64 { return s.Refused })
	total("busy_total", "Commands that found a queue full.", func(s stock.Stats) int64 { return s.Busy })
	total("dropped_total", "Commands whose callers had gone.", func(s stock.Stats) int64 { return s.Dropped })
	total("snapshots_total", "Snapshots that were written.", func(s stock.Stats) int64 { return s.Snapshots })
	total("snapshots_ignored_total", "Snapshots that could not be written or used.", func(s stock.Stats) int64 { return s.Ignored })
	return g
}

// Describe implements [prometheus.Collector].
func (g stockGauges) Describe(to chan<- *prometheus.Desc) {
	for _, gauge := range g.all {
		to <- gauge.desc
	}
}

// Collect implements [prometheus.Collector].
func (g stockGauges) Collect(to chan<- prometheus.Metric) {
	stats := g.stats()
	for _, gauge := range g.all {
		to <- prometheus.MustNewConstMetric(gauge.desc, gauge.kind, gauge.of(stats))
	}
}

// stockBatches counts how many commands were decided together.
type stockBatches struct{ size prometheus.Histogram }

func newStockBatches() stockBatches {
	return stockBatches{prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "waybill_stock_batch_size", Help: "Commands of a stock item that were decided together.",
		Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
	})}
}

func (b stockBatches) observe(batch stock.Batch) { b.size.Observe(float64(batch.Commands)) }
