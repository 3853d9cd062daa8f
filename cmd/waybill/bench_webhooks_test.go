package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/waybill-dev/waybill/bench"
)

// benched runs a bench and reads its report.
func benched[T any](t *testing.T, args ...string) (report T) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), binary, append(append([]string{"bench"}, args...), "--json")...)
	command.Stderr = t.Output()
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// TestABenchOfWebhooksCountsWhatComes: also where it comes to a receiver in a
// process of its own. How fast that is is not judged.
func TestABenchOfWebhooksCountsWhatComes(t *testing.T) {
	t.Parallel()
	const missed, neighbours, perSecond = 300, 9, 50
	report := benched[bench.WebhookReport](t, "webhooks", "--only", "behind,backfill", "--behind", "300", "--backfill", "300", "--duration", "1s", "--dir", t.TempDir())
	for name, n := range map[string]*bench.Neighbours{"behind": report.Behind, "backfill": report.Backfill} {
		if n == nil || n.Backlog != missed || n.PerSecond <= 0 || n.Alone.Received != neighbours*perSecond || n.Beside.Received == 0 {
			t.Errorf("%s: %+v", name, n)
		}
	}
	if report.Lost != 0 || report.OutOfOrder != 0 || report.Repeated != 0 {
		t.Errorf("%d lost, %d out of order, %d repeated", report.Lost, report.OutOfOrder, report.Repeated)
	}
	if b := report.Backfill; b == nil || b.Replay == nil || !b.Replay.Completed || b.Replay.Delivered != missed || b.Replay.Ahead != 0 || b.Replay.Backwards != 0 {
		t.Errorf("the replay: %+v", b)
	}
}

func TestABenchOfThePlatformPlacesOrders(t *testing.T) {
	t.Parallel()
	report := benched[bench.Report](t, "platform", "--callers", "3", "--duration", "1s", "--rate", "0", "--starts", "1")
	if n := report.Throughput; len(n) != 1 || n[0].Callers != 3 || n[0].Orders < 3 || n[0].Pending != 0 || n[0].P99 <= 0 {
		t.Errorf("%+v", report)
	}
}
