package webhooks_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// besides is an endpoint in virtual time with a past, replays of all of it, and
// live events meanwhile.
func besides(t *testing.T, perSecond, replays int, answer func(run string, age time.Duration) reply) (d *process, r *distant, asked []webhooks.Replay) {
	t.Helper()
	var p *platform
	var id string
	p, r, id, d = longer(t, func(time.Duration, string) reply { return reply{status: 200} })
	p.history("past", 40)
	time.Sleep(time.Minute)
	_, err := p.endpoints(nil).Change(t.Context(), webhooks.Request{ID: id, Meta: meta()}, func(s endpoint.Settings) (endpoint.Settings, error) {
		s.RatePerSecond = perSecond
		return s, nil
	}, webhooks.Private{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	r.mu.Lock()
	r.calls, r.began = nil, time.Now()
	r.byRun = answer
	r.mu.Unlock()
	for range replays {
		asked = append(asked, p.replay(d, id, webhooks.NewReplay{From: webhooks.Beginning}))
	}
	for i := range 30 {
		p.append(fmt.Sprint("live", i), eventstore.NoStream, placed{})
		time.Sleep(333 * time.Millisecond)
	}
	time.Sleep(5 * time.Minute)
	return d, r, asked
}

func TestLiveAndReplaysTogetherKeepTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rate = 20
		d, receiver, replays := besides(t, rate, 4, nil)
		defer d.stop()
		calls, perRun := receiver.all(), map[string]int{}
		first := 0
		for last, c := range calls {
			perRun[c.Run]++
			for c.Age-calls[first].Age >= time.Second {
				first++
			}
			if got := last - first + 1; got > rate+rate/10 {
				t.Fatalf("%d attempts in the second before %s, the rate is %d", got, c.Age, rate)
			}
		}
		if perRun[ledger.Live] != 30 {
			t.Errorf("%d live attempts, want 30", perRun[ledger.Live])
		}
		for _, replay := range replays {
			if perRun[replay.ReplayID] != 120 {
				t.Errorf("%d attempts of a replay, want 120", perRun[replay.ReplayID])
			}
		}
	})
}

// TestARetryAfterHoldsLiveAndReplays: whoever hears it. What was under way at
// that moment may still arrive.
func TestARetryAfterHoldsLiveAndReplays(t *testing.T) {
	t.Parallel()
	for _, byReplay := range []bool{true, false} {
		t.Run(fmt.Sprint("heard by a replay: ", byReplay), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var heard time.Duration
				d, receiver, _ := besides(t, 10, 2, func(run string, age time.Duration) reply {
					if heard == 0 && age > 2*time.Second && (run != ledger.Live) == byReplay {
						heard = age
						return reply{status: 429, header: http.Header{"Retry-After": {"60"}}}
					}
					return reply{status: 200}
				})
				defer d.stop()
				runs := map[string]int{}
				for _, c := range receiver.all() {
					if c.Age > heard && c.Age < heard+time.Minute {
						t.Errorf("an attempt of run %s %s after the wish to wait a minute", c.Run, c.Age-heard)
					}
					if c.Age > heard {
						runs[c.Run]++
					}
				}
				if heard == 0 || len(runs) != 3 {
					t.Errorf("heard after %s, then %d runs went on", heard, len(runs))
				}
			})
		})
	}
}
