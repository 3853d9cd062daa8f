package webhooks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
)

// pull reads one piece of the public log.
func (p *platform) pull(d *process, after string, most int, wait time.Duration, what webhooks.Selection) webhooks.Pulled {
	p.tb.Helper()
	puller, err := d.Pull(p.tb.Context(), after, what)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer puller.Close()
	puller.Impatient = wait == 0
	ctx, stop := context.WithTimeout(p.tb.Context(), max(wait, 10*time.Second))
	defer stop()
	pulled, err := puller.Next(ctx, most)
	if err != nil {
		p.tb.Fatal(err)
	}
	return pulled
}

func (p *platform) started() *process {
	p.tb.Helper()
	d := p.start()
	eventually(p.tb, "the dispatcher", func() bool {
		puller, err := d.Pull(p.tb.Context(), webhooks.Beginning, webhooks.Selection{})
		if err == nil {
			puller.Close()
		}
		return err == nil
	})
	return d
}

func TestPullingYieldsWhatIsPushed(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	all, some := newReceiver(t, nil), newReceiver(t, nil)
	p.endpoint(all.URL, "*")
	noted := p.endpoint(some.URL, "order.noted")
	d := p.started()
	p.history("a", 40)
	eventually(t, "everything", func() bool { return all.count() == 120 && some.count() == 80 })
	for name, c := range map[string]struct {
		what   webhooks.Selection
		pushed []received
	}{
		"everything":        {webhooks.Selection{}, all.all()},
		"of a type":         {webhooks.Selection{EventTypes: []string{"order.noted"}}, some.all()},
		"as an endpoint is": {webhooks.Selection{EndpointID: noted.ID}, some.all()},
	} {
		want := map[string]string{}
		for _, m := range c.pushed {
			want[m.ID] = string(m.Body)
		}
		got, after := map[string]string{}, webhooks.Beginning
		for len(got) < len(want) {
			piece := p.pull(d, after, 7, 0, c.what)
			if after = piece.Through; len(piece.Messages) > 7 || (len(piece.Messages) == 0 && !piece.More) {
				t.Fatalf("%s: %d messages of %d, more %t", name, len(piece.Messages), len(got), piece.More)
			}
			for _, m := range piece.Messages {
				if got[m.ID] != "" {
					t.Errorf("%s: %s came twice", name, m.ID)
				}
				got[m.ID] = string(m.Body)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-pushed +pulled):\n%s", name, diff)
		}
		if last := p.pull(d, after, 7, 0, c.what); len(last.Messages) > 0 || last.More {
			t.Errorf("%s: after the end %+v", name, last)
		}
	}
}

func TestAReceiverSwitchesBetweenPushAndPull(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	down := make(chan struct{})
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if m.Header.Get("Webhook-Run") == "live" && m.Aggregate.ID >= "o3" {
			select {
			case <-down: // it is down from then on
				return 503
			default:
			}
		}
		return 200
	})
	created := p.endpoint(r.URL, "*")
	d := p.started()
	want := map[string][]string{}
	place := func(i int) {
		order := fmt.Sprint("o", i)
		want[order] = p.append(order, eventstore.NoStream, placed{}, noted{1})
	}
	for i := range 3 {
		place(i)
	}
	eventually(t, "what is pushed first", func() bool { return r.count() == 6 })
	close(down)
	for i := 3; i < 6; i++ {
		place(i)
	}
	// The receiver gives up being pushed to and pulls after the cursor of the
	// last message that it got of those without a gap.
	last := ""
	for _, m := range r.all() {
		if m.Status == 200 {
			last = latest(t, p, last, m.Cursor)
		}
	}
	pulled := map[string][]string{}
	for n := 0; n < 6; {
		piece := p.pull(d, last, 4, time.Second, webhooks.Selection{EndpointID: created.ID})
		for _, m := range piece.Messages {
			var body Message
			if err := json.Unmarshal(m.Body, &body); err != nil {
				t.Fatal(err)
			}
			pulled[body.Aggregate.ID] = append(pulled[body.Aggregate.ID], m.ID)
			n++
		}
		last = piece.Through
	}
	// It goes back: a replay after the last cursor it pulled, which is pushed.
	for i := 6; i < 9; i++ {
		place(i)
	}
	eventually(t, "the log to have it", func() bool { return len(p.pull(d, last, 10, 0, webhooks.Selection{}).Messages) == 6 })
	replay := p.replay(d, created.ID, webhooks.NewReplay{From: last})
	p.completes(d, replay)
	got := r.accepted()
	for order, ids := range pulled {
		got[order] = append(got[order], ids...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pushed and pulled (-want +got):\n%s", diff)
	}
}

// latest returns which of two cursors is further; an empty one is none.
func latest(tb testing.TB, p *platform, a, b string) string {
	tb.Helper()
	if a == "" {
		return b
	}
	x, err := p.cursors().Decode(webhooks.CursorScope, a)
	y, other := p.cursors().Decode(webhooks.CursorScope, b)
	if err != nil || other != nil {
		tb.Fatal(err, other)
	}
	if x > y {
		return a
	}
	return b
}

func TestPullingGoesOnAfterDisconnects(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.config.Ring = 16 // who reconnects is often behind what is in memory
	d := p.started()
	const orders = 150
	want := map[string][]string{}
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		for i := range orders {
			order := fmt.Sprint("o", i)
			p.append(order, eventstore.NoStream, placed{}, hidden{}, noted{1})
		}
	})
	for i := range orders {
		stream := fmt.Sprint("order-o", i)
		want[fmt.Sprint("o", i)] = []string{eventstore.EventID(stream, "test", 0).String(), eventstore.EventID(stream, "test", 2).String()}
	}
	got, n, after := map[string][]string{}, 0, webhooks.Beginning
	for n < 2*orders {
		puller, err := d.Pull(t.Context(), after, webhooks.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		for range rand.IntN(4) { //nolint:gosec // chance, no secret
			ctx, stop := context.WithTimeout(t.Context(), time.Duration(rand.IntN(30))*time.Millisecond) //nolint:gosec // chance, no secret
			piece, err := puller.Next(ctx, 1+rand.IntN(20))                                              //nolint:gosec // chance, no secret
			stop()
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range piece.Messages {
				var body Message
				if err := json.Unmarshal(m.Body, &body); err != nil {
					t.Fatal(err)
				}
				got[body.Aggregate.ID] = append(got[body.Aggregate.ID], m.ID)
				n++
			}
			after = piece.Through
		}
		puller.Close()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPullingBeginsWhereItIsAsked(t *testing.T) {
	t.Parallel()
	for name, ring := range map[string]int{"in memory": 1000, "by reading": 1} {
		p := newPlatform(t)
		p.config.Ring = ring
		d := p.started()
		p.history("a", 5)
		time.Sleep(2 * time.Millisecond) // the log's clock
		middle := time.Now()
		time.Sleep(2 * time.Millisecond)
		p.history("b", 5)
		eventually(t, "all of it", func() bool { return len(p.pull(d, webhooks.Beginning, 100, 0, webhooks.Selection{}).Messages) == 30 })
		for from, want := range map[string]int{
			webhooks.Beginning: 30, "": 30, webhooks.End: 0, middle.Format(time.RFC3339Nano): 15,
			"2000-01-01T00:00:00Z": 30, "2100-01-01T00:00:00Z": 0,
		} {
			if got := p.pull(d, from, 100, 0, webhooks.Selection{}).Messages; len(got) != want {
				t.Errorf("%s, after %q: %d, want %d", name, from, len(got), want)
			}
		}
		if _, err := d.Pull(t.Context(), "c1.x", webhooks.Selection{}); err == nil {
			t.Error("a cursor of nobody's is a place")
		}
	}
}
