package app

import (
	"context"
	"log/slog"
	"os/exec"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// TestAProcessThatDiesAtOnceIsStartedEverLater, also where endpoints are set
// aside anew for it all the time.
func TestAProcessThatDiesAtOnceIsStartedEverLater(t *testing.T) {
	t.Parallel()
	for name, anew := range map[string]bool{"needed all the time": false, "needed anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				var starts []int // seconds
				began := time.Now()
				deaths := prometheus.NewCounter(prometheus.CounterOpts{Name: "deaths"})
				b := newBacklogProcess(func() *exec.Cmd {
					starts = append(starts, int(time.Since(began).Seconds()))
					time.Sleep(10 * time.Millisecond) // so long it lives
					return exec.CommandContext(context.WithoutCancel(ctx), "false")
				}, func() backlogTask { return backlogTask{} }, deaths, slog.New(slog.DiscardHandler))
				b.Need(true)
				var beside sync.WaitGroup
				defer beside.Wait()
				beside.Go(func() {
					for anew && ctx.Err() == nil {
						time.Sleep(100 * time.Millisecond)
						b.Need(false)
						b.Need(true)
					}
				})
				if err := b.run(ctx); err != nil {
					t.Fatal(err)
				}
				want := []int{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}
				if diff := cmp.Diff(want, starts); diff != "" {
					t.Errorf("started after seconds (-want +got):\n%s", diff)
				}
				var counted dto.Metric
				if err := deaths.Write(&counted); err != nil || counted.GetCounter().GetValue() != float64(len(want)) {
					t.Errorf("%v, deaths are counted: %v", err, &counted)
				}
			})
		})
	}
}
