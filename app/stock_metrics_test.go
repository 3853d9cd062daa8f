package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/handlers/stock"
)

func TestStockIsCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(newStockGauges(func() stock.Stats { return stock.Stats{Waiting: 3, Conflicts: 2, Refused: 7} })); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"waybill_stock_queue_depth": 3, "waybill_stock_batch_conflicts_total": 2, "waybill_stock_refused_total": 7}
	for _, f := range families {
		value := f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		if value != want[f.GetName()] {
			t.Errorf("%s is %v, want %v", f.GetName(), value, want[f.GetName()])
		}
		delete(want, f.GetName())
	}
	if len(want) > 0 {
		t.Errorf("nobody tells %v", want)
	}
}

func TestBatchesOfStockAreMeasured(t *testing.T) {
	t.Parallel()
	batches := newStockBatches()
	for _, n := range []int{1, 3, 300} {
		batches.observe(stock.Batch{Commands: n})
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(batches.size); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	h := families[0].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 3 || h.GetSampleSum() != 304 || h.GetBucket()[1].GetCumulativeCount() != 1 || h.GetBucket()[8].GetCumulativeCount() != 2 {
		t.Errorf("%v", h)
	}
}
