package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/tracing/logtest"
)

// placeOrders places orders under keys that begin with name.
func placeOrders(t *testing.T, api *client.Client, name string, count int) {
	t.Helper()
	for n := range count {
		if _, err := api.PlaceOrder(t.Context(), fmt.Sprint(name, n), benchOrder()); err != nil {
			t.Fatal(err)
		}
	}
}

func startShop(t *testing.T) *restarting {
	t.Helper()
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	platform.start(t.Context())
	t.Cleanup(platform.stop)
	if err := bench.Stock(t.Context(), platform.api()); err != nil {
		t.Fatal(err)
	}
	return platform
}

// TestWebhooksAreLookedAfterFromTheCommandLine does with a partner's key what
// the commands are for.
func TestWebhooksAreLookedAfterFromTheCommandLine(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	platform, partner := startShop(t), startPartner(t)
	api := platform.api()
	partner.subscribe(ctx, api)
	placeOrders(t, api, "k", 3)
	eventually(ctx, t, time.Minute, func() error {
		if got := len(partner.placed()); got != 3 {
			return fmt.Errorf("%d orders came", got)
		}
		return nil
	})
	issued, err := api.IssueKey(ctx, client.NewKey{Name: "cli", Scopes: []string{"webhooks:write"}})
	if err != nil {
		t.Fatal(err)
	}
	do := func(want int, args ...string) string {
		t.Helper()
		return ends(t, want, append(append([]string{"webhooks"}, args...), "--url", "http://"+platform.addr, "--api-key", issued.Key)...)
	}
	has := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("printed without %q:\n%s", part, text)
			}
		}
	}
	var listed []client.Endpoint
	parse(t, do(exitDone, "list", "--json"), &listed)
	if len(listed) != 1 {
		t.Fatalf("endpoints: %+v", listed)
	}
	id := listed[0].ID
	has(do(exitDone, "list"), id, "active", partner.server.URL)
	has(do(exitDone, "show", id), id, partner.server.URL, "*")
	has(do(exitDone, "status"), id, "active", "BEHIND")
	var status []standing
	parse(t, do(exitDone, "status", id, "--json"), &status)
	if len(status) != 1 || status[0].EndpointID != id || status[0].GivenUp != 0 {
		t.Errorf("status: %+v", status)
	}
	var attempts []client.Attempt
	eventually(ctx, t, time.Minute, func() error { // they are written down a moment later
		parse(t, do(exitDone, "attempts", id, "--result", "ok", "--limit", "2", "--json"), &attempts)
		if len(attempts) != 2 || attempts[0].Result != "ok" {
			return fmt.Errorf("attempts: %+v", attempts)
		}
		return nil
	})
	has(do(exitDone, "attempts", id), "TYPE", "live", attempts[0].MessageID)
	has(do(exitDone, "undelivered", id), "NEXT TRY")
	do(exitFailed, "undelivered", id, "--run", "replay_none")

	before := partner.duplicates()
	has(do(exitDone, "replay", id, "--from", "beginning", "--types", "order.placed", "--wait"), "completed", "100 %", "messages 3/3")
	if again := partner.duplicates() - before; again != 3 {
		t.Errorf("%d messages came again, want 3", again)
	}
	var replayed client.Replay
	parse(t, do(exitDone, "replay", id, "--from", "beginning", "--wait", "--json", "--rate", "1000"), &replayed)
	if got := do(exitDone, "undelivered", id, "--run", replayed.ID, "--json"); got != "[]\n" {
		t.Errorf("nothing undelivered is %q", got)
	}
	if !replayed.Ended() || replayed.Delivered < 3 {
		t.Errorf("replayed: %+v", replayed)
	}
	has(do(exitDone, "replays", id), replayed.ID, "completed")
	do(exitDone, "cancel", id, replayed.ID)

	before = partner.duplicates()
	has(do(exitDone, "resend", id, attempts[0].MessageID), "sent again: 1")
	eventually(ctx, t, time.Minute, func() error {
		if partner.duplicates() == before {
			return fmt.Errorf("it did not come again")
		}
		return nil
	})
	has(do(exitDone, "pause", id), "paused")
	has(do(exitDone, "resume", id, "--from", "now"), "active")

	has(do(exitUsage, "replay", id), "--from")
	has(do(exitUsage, "replay", id, "--from", "beginning", "--only", "some"), "--only")
	has(do(exitUsage, "attempts", id, "--limit", "0"), "--limit")
	has(do(exitUsage, "undelivered", id, "--limit", "0"), "--limit")
	has(do(exitFailed, "show", "none"), "404")
	has(do(exitFailed, "replay", id, "--from", "yesterday"), "422")
	has(ends(t, exitFailed, "webhooks", "list", "--url", platform.addr, "--api-key", "wrong-key-of-somebody"), "401")
}

func parse(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// A replay that goes on when who waits for it stops.
func TestWaitingForAReplayMayStop(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	platform, partner := startShop(t), startPartner(t)
	api := platform.api()
	partner.subscribe(ctx, api)
	placeOrders(t, api, "k", 3)
	eventually(ctx, t, time.Minute, func() error {
		if got := len(partner.placed()); got != 3 {
			return fmt.Errorf("%d orders came", got)
		}
		return nil
	})
	list, err := api.Endpoints(ctx)
	if err != nil {
		t.Fatal(err)
	}
	partner.server.Close() // so that the replay cannot end
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	var out, errOut logtest.Journal
	code := make(chan int)
	go func() {
		code <- run(waiting, []string{"webhooks", "replay", list[0].ID, "--from", "beginning", "--wait", "--url", platform.addr, "--api-key", bench.AdminKey}, &out, &errOut)
	}()
	eventually(ctx, t, time.Minute, func() error {
		if text := errOut.String(); !strings.Contains(text, "began") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	stop()
	if got := <-code; got != exitFailed || !strings.Contains(errOut.String(), "the replay goes on") {
		t.Errorf("ended with %d: %s", got, errOut.String())
	}
}
