package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
)

// collector refuses orders that were placed until it is mended, and keeps what
// it took by key.
type collector struct {
	mu     sync.Mutex
	mended bool
	taken  map[string]string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	placed := strings.Contains(string(body), `"OrderPlaced"`)
	if err != nil || placed && !c.mended {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if placed {
		c.taken[r.Header.Get("Idempotency-Key")] = string(body)
	}
}

func (c *collector) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mended = true
}

func (c *collector) orders() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.taken)
}

// TestDeadLettersAreLookedAfterFromTheCommandLine has four orders refused by the
// system that is told of them: one is retried, one edited, one discarded, and
// the last one retried by its type.
func TestDeadLettersAreLookedAfterFromTheCommandLine(t *testing.T) {
	t.Parallel()
	outside := &collector{taken: map[string]string{}}
	server := httptest.NewServer(outside)
	t.Cleanup(server.Close)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), env: []string{"WAYBILL_EFFECTS_COLLECTOR_URL=" + server.URL}}
	platform.start(t.Context())
	t.Cleanup(func() { platform.stop() })
	if err := bench.Stock(t.Context(), platform.api()); err != nil {
		t.Fatal(err)
	}
	const orders = 4
	placeOrders(t, platform.api(), "k", orders)
	do := func(want int, args ...string) string {
		out, _ := says(t, want, append(append([]string{"deadletters"}, args...), "--url", platform.addr, "--api-key", bench.AdminKey)...)
		return out
	}
	listed := func(args ...string) (all []client.DeadLetter) {
		parse(t, do(exitDone, append([]string{"list", "--json"}, args...)...), &all)
		return all
	}
	var all []client.DeadLetter
	expect := func(what string, want int) {
		t.Helper()
		eventually(t.Context(), t, 2*time.Minute, func() error {
			if all = listed(); len(all) != want {
				return fmt.Errorf("%s: %d are listed, want %d", what, len(all), want)
			}
			return nil
		})
	}
	expect("all are refused", orders)
	first := all[0]
	if first.Handler != "analytics" || first.EventType != "OrderPlaced" || first.TraceID == "" || !strings.Contains(first.Error, "400") {
		t.Errorf("listed: %+v", first)
	}
	number := func(i int) string { return strconv.FormatInt(all[i].Number, 10) }
	var shown client.DeadLetter
	parse(t, do(exitDone, "show", "analytics", number(0)), &shown)
	if len(shown.Data) == 0 || len(shown.Errors) == 0 {
		t.Errorf("shown: %+v", shown)
	}
	do(exitFailed, "show", "analytics", "999999")
	do(exitUsage, "retry", "analytics")

	do(exitDone, "discard", "analytics", number(3), "--reason", "test_order")
	outside.mend()
	do(exitDone, "retry", "analytics", number(0))
	do(exitDone, "edit", "analytics", number(1), "--data", edited(t, all[1].Number, do), "--reason", "wrong_number")
	expect("one is left", 1)
	do(exitDone, "retry", "analytics", "--type", "OrderPlaced")
	expect("none is left", 0)
	taken := outside.orders()
	if len(taken) != orders-1 || !strings.Contains(fmt.Sprint(taken), "edited-by-hand") {
		t.Errorf("%d orders were taken: %v", len(taken), taken)
	}
	if discarded := listed("--status", "discarded"); len(discarded) != 1 || discarded[0].EventID == first.EventID {
		t.Errorf("discarded: %+v", discarded)
	}
}

// edited returns a file with a copy of an event whose order has another number.
func edited(t *testing.T, number int64, do func(want int, args ...string) string) string {
	t.Helper()
	var shown client.DeadLetter
	parse(t, do(exitDone, "show", "analytics", strconv.FormatInt(number, 10)), &shown)
	var data map[string]any
	if err := json.Unmarshal(shown.Data, &data); err != nil {
		t.Fatal(err)
	}
	data["number"] = "edited-by-hand"
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
