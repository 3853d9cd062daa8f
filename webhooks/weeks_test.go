package webhooks_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing/logtest"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// reply is how a receiver in virtual time answers: with a status and headers,
// or not at all.
type reply struct {
	status int
	header http.Header
	err    error
}

var refusedConnection = reply{err: &net.OpError{Op: "dial", Net: "tcp", Err: net.UnknownNetworkError("refused")}}

// distant is a receiver that is reached without a network, so that time passes
// while nothing happens.
type distant struct {
	mu     sync.Mutex
	began  time.Time
	answer func(age time.Duration, id string) reply
	byRun  func(run string, age time.Duration) reply // if set, instead
	calls  []call
}

type call struct {
	Age     time.Duration
	ID      string
	Attempt int
	Status  int
	Run     string
	Signed  int // signatures
}

// RoundTrip implements http.RoundTripper.
func (d *distant) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	attempt, _ := strconv.Atoi(r.Header.Get("Webhook-Attempt"))
	c := call{Age: time.Since(d.began), ID: r.Header.Get("Webhook-Id"), Attempt: attempt, Run: r.Header.Get("Webhook-Run")}
	c.Signed = len(strings.Fields(r.Header.Get("Webhook-Signature")))
	how := d.answer(c.Age, c.ID)
	if d.byRun != nil {
		how = d.byRun(c.Run, c.Age)
	}
	c.Status = how.status
	d.calls = append(d.calls, c)
	if how.err != nil {
		return nil, how.err
	}
	if how.header == nil {
		how.header = http.Header{}
	}
	return &http.Response{
		StatusCode: how.status, Header: how.header, Body: io.NopCloser(bytes.NewReader(nil)), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

func (d *distant) all() []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// age returns when calls came, without the time they took.
func (d *distant) ages() (ages []time.Duration) {
	for _, c := range d.all() {
		ages = append(ages, c.Age.Round(time.Second))
	}
	return ages
}

// longer is a platform in virtual time with one endpoint at a distant
// receiver, and the dispatcher's own schedule.
func longer(t *testing.T, answer func(time.Duration, string) reply) (*platform, *distant, string, *process) {
	t.Helper()
	p := platformOf(t, newMemoryLog(t))
	p.config.Waits, p.config.BreakerWaits, p.config.Timeout, p.config.Lease = nil, nil, 0, 6*time.Hour
	p.config.CheckpointEvery = 24 * time.Hour
	p.random = func() float64 { return 0.5 } // no jitter
	receiver := &distant{began: time.Now(), answer: answer}
	p.client = resty.NewWithClient(&http.Client{
		Transport: receiver, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).SetDisableWarn(true)
	created := p.endpoint("https://partner.example/", "*")
	d := p.start()
	synctest.Wait()
	return p, receiver, created.ID, d
}

// told returns what was recorded of an endpoint besides its beginning.
func told(t *testing.T, p *platform, id string) (names []string) {
	t.Helper()
	for r, err := range p.log.ReadStream(t.Context(), endpoint.Decider.Stream(id), 1) {
		if err != nil {
			t.Fatal(err)
		}
		event, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		name := r.Type
		if failing, ok := event.(endpoint.Failing); ok {
			name += " " + (time.Duration(failing.AfterMillis) * time.Millisecond).String()
		}
		if disabled, ok := event.(endpoint.Disabled); ok {
			name += " " + disabled.Reason
		}
		names = append(names, name)
	}
	return names
}

func expect(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func hours(n float64) time.Duration { return time.Duration(n * float64(time.Hour)) }

func TestTwelveAttemptsWithinThreeDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, receiver, id, d := longer(t, func(time.Duration, string) reply { return reply{status: 500} })
		defer d.stop()
		p.append("o1", eventstore.NoStream, placed{})
		time.Sleep(hours(14 * 24))
		var want []time.Duration
		at := time.Duration(0)
		for _, wait := range append([]time.Duration{0}, delivery.DefaultWaits()...) {
			at += wait
			want = append(want, at)
		}
		expect(t, "attempts", want, receiver.ages())
		if at.Round(time.Minute) != 75*time.Hour+43*time.Minute || len(want) != 12 {
			t.Errorf("%d attempts within %s", len(want), at)
		}
		expect(t, "told", []string{"EndpointFailing 1h0m0s", "EndpointFailing 24h0m0s", "EndpointFailing 72h0m0s", "EndpointDeliveryExhausted"}, told(t, p, id))
		status, err := d.Status(t.Context(), id)
		if err != nil || status.Dead != 1 || status.Parked != 0 || !status.CaughtUp() {
			t.Errorf("%v, %+v", err, status)
		}
	})
}

func TestAnOrderWaitsForItsFirstMessageForDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first atomic.Pointer[string] // that came at all
		p, receiver, id, d := longer(t, func(age time.Duration, id string) reply {
			first.CompareAndSwap(nil, &id)
			if id == *first.Load() && age < hours(30) {
				return reply{status: 404}
			}
			return reply{status: 204}
		})
		defer d.stop()
		ids := p.append("o1", eventstore.NoStream, placed{}, noted{1})
		time.Sleep(hours(1))
		ids = append(ids, p.append("o2", eventstore.NoStream, placed{})...)
		ids = append(ids, p.append("o1", 1, noted{2})...)
		time.Sleep(hours(7 * 24))
		var delivered []string
		for _, c := range receiver.all() {
			if c.Status == 204 {
				delivered = append(delivered, fmt.Sprint(c.ID, " ", c.Age.Round(time.Hour)))
			}
		}
		// The ninth attempt, after 17 h 42 m 35 s, fails too; the tenth is 14 h later.
		late := 32 * time.Hour
		expect(t, "delivered", []string{
			fmt.Sprint(ids[2], " ", time.Hour), fmt.Sprint(ids[0], " ", late), fmt.Sprint(ids[1], " ", late), fmt.Sprint(ids[3], " ", late),
		}, delivered)
		// A success at another order ends failing; it begins anew with the next
		// attempt at the first.
		expect(t, "told", []string{
			"EndpointFailing 1h0m0s", "EndpointRecovered", "EndpointFailing 1h0m0s", "EndpointFailing 24h0m0s", "EndpointRecovered",
		}, told(t, p, id))
	})
}

func TestRetryAfterIsHeard(t *testing.T) {
	t.Parallel()
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble
	for what, row := range map[string]struct {
		status int
		value  string
		want   []time.Duration
	}{
		"seconds at 429":             {429, "3600", []time.Duration{0, time.Hour}},
		"seconds at 503":             {503, "7200", []time.Duration{0, 2 * time.Hour}},
		"a date":                     {503, began.Add(30 * time.Minute).Format(http.TimeFormat), []time.Duration{0, 30 * time.Minute}},
		"at 500 for this lane":       {500, "3600", []time.Duration{0, time.Hour}},
		"less than the schedule":     {500, "1", []time.Duration{0, 5 * time.Second}},
		"more than a day is one day": {429, "999999999", []time.Duration{0, 24 * time.Hour}},
		"nonsense":                   {503, "soon", []time.Duration{0, 5 * time.Second}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				answers := 0
				p, receiver, _, d := longer(t, func(time.Duration, string) reply {
					if answers++; answers == 1 {
						return reply{status: row.status, header: http.Header{"Retry-After": {row.value}}}
					}
					return reply{status: 200}
				})
				defer d.stop()
				p.append("o1", eventstore.NoStream, placed{})
				time.Sleep(hours(48))
				expect(t, "attempts", row.want, receiver.ages())
			})
		})
	}
}

// TestAnOldSecretSignsUntilItsOverlapIsOver, at an endpoint that is served all
// the time: nothing happens at the end of the overlap but that.
func TestAnOldSecretSignsUntilItsOverlapIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, receiver, id, d := longer(t, func(time.Duration, string) reply { return reply{status: 200} })
		defer d.stop()
		for _, overlap := range []time.Duration{24 * time.Hour, 48 * time.Hour} {
			if _, err := d.Endpoints.Rotate(t.Context(), webhooks.Request{ID: id, Meta: meta()}, overlap); err != nil {
				t.Fatal(err)
			}
		}
		var signed []int
		for n := range 4 {
			time.Sleep(hours(12) + time.Minute)
			p.append(fmt.Sprint("o", n), eventstore.NoStream, placed{})
			time.Sleep(hours(6))
			calls := receiver.all()
			signed = append(signed, calls[len(calls)-1].Signed)
		}
		expect(t, "signatures after 12, 30, 48 and 66 hours", []int{3, 2, 1, 1}, signed)
	})
}

// TestARestartForgetsNeitherARetryAfterNorThatAnEndpointFails: both are saved
// with the cursor.
func TestARestartForgetsNeitherARetryAfterNorThatAnEndpointFails(t *testing.T) {
	t.Parallel()
	t.Run("Retry-After", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p, receiver, _, d := longer(t, func(age time.Duration, _ string) reply {
				if age < hours(2) {
					return reply{status: 503, header: http.Header{"Retry-After": {"7200"}}}
				}
				return reply{status: 200}
			})
			p.append("o1", eventstore.NoStream, placed{})
			time.Sleep(hours(1))
			d.stop()
			defer p.start().stop()
			p.append("o2", eventstore.NoStream, placed{})
			time.Sleep(hours(24))
			expect(t, "attempts", []time.Duration{0, 2 * time.Hour, 2 * time.Hour}, receiver.ages())
		})
	})
	t.Run("failing", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p, receiver, id, d := longer(t, func(time.Duration, string) reply { return refusedConnection })
			p.append("o1", eventstore.NoStream, placed{})
			time.Sleep(hours(24 * 4))
			d.stop()
			defer p.start().stop()
			time.Sleep(hours(24 * 10))
			expect(t, "told", []string{
				"EndpointFailing 1h0m0s", "EndpointFailing 24h0m0s", "EndpointFailing 72h0m0s", "EndpointDisabled failing",
			}, told(t, p, id))
			calls := receiver.all()
			if last := calls[len(calls)-1].Age; last > hours(24*5)+10*time.Minute || last < hours(24*5)-10*time.Minute {
				t.Errorf("the last attempt was after %s", last)
			}
		})
	})
}

func TestAReceiverThatIsGoneIsLeftAloneAndLosesNothing(t *testing.T) {
	t.Parallel()
	for what, how := range map[string]reply{
		"410":                         {status: 410},
		"the header webhook-delivery": {status: 500, header: http.Header{"Webhook-Delivery": {"disable"}}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gone := true
				p, receiver, id, d := longer(t, func(time.Duration, string) reply {
					if gone {
						return how
					}
					return reply{status: 200}
				})
				defer d.stop()
				p.append("o1", eventstore.NoStream, placed{}, noted{1})
				time.Sleep(hours(24))
				p.append("o1", 1, noted{2})
				time.Sleep(hours(24 * 20))
				if calls := receiver.all(); len(calls) != 1 {
					t.Errorf("%d requests to a receiver that is gone", len(calls))
				}
				expect(t, "told", []string{"EndpointGone", "EndpointDisabled gone"}, told(t, p, id))
				gone = false
				if err := d.Endpoints.Enable(t.Context(), id, meta()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if calls := receiver.all(); len(calls) != 4 {
					t.Errorf("%d requests after it was enabled, want 3 deliveries: %v", len(calls), calls)
				}
			})
		})
	}
}

func TestAMessageTheReceiverDoesNotWantIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var unwanted string
		p, receiver, id, d := longer(t, func(_ time.Duration, id string) reply {
			if id == unwanted {
				return reply{status: 422, header: http.Header{"Webhook-Delivery": {"abort-message"}}}
			}
			return reply{status: 200}
		})
		defer d.stop()
		unwanted = eventstore.EventID("order-o1", "test", 0).String()
		p.append("o1", eventstore.NoStream, placed{}, noted{1})
		time.Sleep(hours(24))
		if calls := receiver.all(); len(calls) != 2 {
			t.Errorf("requests %v", calls)
		}
		expect(t, "told", []string{"EndpointDeliveryExhausted"}, told(t, p, id))
	})
}

func TestAnEndpointThatIsDownIsProbedAndGivenUpAfterFiveDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := false
		p, receiver, id, d := longer(t, func(time.Duration, string) reply {
			if up {
				return reply{status: 200}
			}
			return refusedConnection
		})
		defer d.stop()
		for i := range 30 {
			p.append(fmt.Sprint("o", i), eventstore.NoStream, placed{})
		}
		time.Sleep(hours(1) - time.Minute)
		probes := receiver.ages()
		// Five failures to connect open the breaker; the four that count and
		// are due again are no reason to ask more often.
		want := []time.Duration{0, 0, 0, 0, 0}
		at := time.Duration(0)
		for _, wait := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
			at += wait
			want = append(want, at)
		}
		expect(t, "attempts", want, probes[len(probes)-len(want):])
		before, err := d.Status(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(hours(24 * 10))
		after, err := d.Status(t.Context(), id)
		if err != nil || after.Through != before.Through || after.Parked != before.Parked {
			t.Errorf("%v, the cursor moved from %+v to %+v", err, before, after)
		}
		expect(t, "told", []string{
			"EndpointFailing 1h0m0s", "EndpointFailing 24h0m0s", "EndpointFailing 72h0m0s", "EndpointDisabled failing",
		}, told(t, p, id))
		last := receiver.all()
		if age := last[len(last)-1].Age; age < hours(24*5)-10*time.Minute || age > hours(24*5)+10*time.Minute {
			t.Errorf("the last attempt was after %s", age)
		}
		up = true
		if err := d.Endpoints.Enable(t.Context(), id, meta()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(hours(24))
		delivered := map[string]int{}
		for _, c := range receiver.all() {
			if c.Status == 200 {
				delivered[c.ID]++
			}
		}
		if len(delivered) != 30 {
			t.Errorf("%d of 30 delivered", len(delivered))
		}
	})
}

func TestAnEndpointThatIsUpAgainIsToldOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, receiver, id, d := longer(t, func(age time.Duration, _ string) reply {
			if age < hours(30) {
				return reply{status: 503}
			}
			return reply{status: 200}
		})
		defer d.stop()
		for i := range 20 {
			p.append(fmt.Sprint("o", i), eventstore.NoStream, placed{})
		}
		time.Sleep(hours(100))
		expect(t, "told", []string{"EndpointFailing 1h0m0s", "EndpointFailing 24h0m0s", "EndpointRecovered"}, told(t, p, id))
		ok := 0
		for _, c := range receiver.all() {
			if c.Status == 200 {
				ok++
			}
		}
		if ok != 20 {
			t.Errorf("%d of 20 delivered", ok)
		}
	})
}

// A ping that nobody answers is sent for days, and a replay may be in the ledger
// alone, as after the log was restored from a backup: neither is a replay whose
// progress, or end, the log could be told.
func TestWhatTheLogKnowsNoReplayOfIsNoTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		attempts := map[string]int{}
		answer := func(run string, age time.Duration) reply {
			mu.Lock()
			defer mu.Unlock()
			if attempts[run]++; age < hours(2) {
				return reply{status: 500}
			}
			return reply{status: 200}
		}
		p, receiver, id, d := longer(t, nil)
		d.stop()
		receiver.answer, receiver.byRun = func(time.Duration, string) reply { return reply{} }, answer
		var log logtest.Journal
		p.verify, p.warnings, p.config.Lease = webhooks.VerifyPartners, &log, time.Minute
		p.partnersEndpoint("https://stranger.example/")
		p.append("o1", eventstore.NoStream, placed{})
		end, err := p.end(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		db := p.database()
		books := &ledger.Ledger{Write: db.Write, Read: db.Read}
		lost := ledger.Run{Key: ledger.Key{EndpointID: id, RunID: "replay_lost"}, Until: end, Spec: "{}"}
		if err := errors.Join(books.Apply(t.Context(), []ledger.Change{{Started: &lost}}, 0), db.Close()); err != nil {
			t.Fatal(err)
		}
		d = p.start()
		defer d.stop()
		time.Sleep(hours(6))
		for _, run := range []string{"verify_1", "replay_lost"} {
			if attempts[run] < 5 {
				t.Errorf("%d attempts of %s: %v", attempts[run], run, attempts)
			}
		}
		if lines := linesWith(&log, "replay"); len(lines) > 0 {
			t.Errorf("%d complaints, the first: %s", len(lines), lines[0])
		}
	})
}
