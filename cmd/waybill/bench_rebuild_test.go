package main

import (
	"testing"

	"github.com/waybill-dev/waybill/bench"
)

// TestRebuildsBesideLiveOrdersLoseAndChangeNothing lets the bench place orders
// while the list of orders is built anew again and again: every order it placed
// is looked for as soon as it is acknowledged, and again later. How fast that
// is is not judged.
func TestRebuildsBesideLiveOrdersLoseAndChangeNothing(t *testing.T) {
	t.Parallel()
	report := benched[bench.Beside](t, "rebuild", "--live", "20", "--orders", "40", "--duration", "2s", "--dir", t.TempDir())
	for name, traffic := range map[string]bench.Traffic{"alone": report.Alone, "beside": report.Beside} {
		if traffic.Orders == 0 || traffic.Failed != 0 || traffic.Wrong != 0 {
			t.Errorf("%s: %+v", name, traffic)
		}
	}
	if report.Missing != 0 || report.Wrong != 0 || len(report.Rebuilds) == 0 || len(report.Verified) != 1 {
		t.Errorf("%+v", report)
	}
	for _, r := range report.Rebuilds {
		if !r.Equal || !r.Swapped || r.Error != "" || r.Events < 40 {
			t.Errorf("rebuilt: %+v", r)
		}
	}
	if r := report.Verified[0]; !r.Equal || r.Swapped {
		t.Errorf("compared afterwards: %+v", r)
	}
}
