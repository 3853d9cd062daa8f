package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
)

// TestOrdersAreLookedAtFromTheCommandLine travels in time as people do.
func TestOrdersAreLookedAtFromTheCommandLine(t *testing.T) {
	t.Parallel()
	platform := startShop(t)
	api := platform.api()
	placed, err := api.PlaceOrder(t.Context(), "k", benchOrder())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.TagOrder(t.Context(), placed.ID, client.Change{IfMatch: "*", Key: "t"}, client.Tags{Add: []string{"gift"}}); err != nil {
		t.Fatal(err)
	}
	do := func(want int, args ...string) string {
		t.Helper()
		return ends(t, want, append(append([]string{"orders"}, args...), "--url", "http://"+platform.addr, "--api-key", bench.AdminKey)...)
	}
	tags := func(args ...string) string {
		t.Helper()
		var shown client.Order
		parse(t, do(exitDone, append([]string{"show", placed.ID}, args...)...), &shown)
		return strings.Join(shown.Tags, " ")
	}
	if now, before, later := tags(), tags("--revision", "0"), tags("--as-of", time.Now().Add(time.Hour).Format(time.RFC3339)); now != "gift" || before != "" || later != "gift" {
		t.Errorf("tags now %q, before %q, later %q", now, before, later)
	}
	do(exitFailed, "show", placed.ID, "--as-of", "2011-06-30T00:00:00Z")
	do(exitUsage, "show", placed.ID, "--revision", "-1")
	do(exitUsage, "show", placed.ID, "--revision", "1", "--as-of", "2011-06-30T00:00:00Z")
	if text := do(exitDone, "diff", placed.ID); !strings.Contains(text, `"gift"`) || !strings.Contains(text, "OrderTagged") {
		t.Errorf("diff:\n%s", text)
	}
	var diff client.OrderDiff
	parse(t, do(exitDone, "diff", placed.ID, "--from", "1", "--to", "0", "--json"), &diff)
	if diff.From != 1 || diff.To != 0 || len(diff.Changes) != 1 {
		t.Errorf("backwards: %+v", diff)
	}
	eventually(t.Context(), t, time.Minute, func() error {
		if text := do(exitDone, "list", "--query", placed.Number+" gift", "--status", "placed"); !strings.Contains(text, placed.ID) {
			return fmt.Errorf("not listed:\n%s", text)
		}
		return nil
	})
}
