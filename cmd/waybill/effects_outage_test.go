package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
)

// mailOutageEnv says how long the mail server is away, and how long it was there
// before: seconds by default.
const mailOutageEnv = "WAYBILL_TEST_MAIL_OUTAGE"

// TestMailsWaitForTheirServer takes the mail server away while orders are
// placed: orders do not notice, no event is put aside, and afterwards every
// customer has each mail once.
func TestMailsWaitForTheirServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Minute)
	defer cancel()
	away, openFor := 3*time.Second, time.Second
	if text := os.Getenv(mailOutageEnv); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		openFor = 30 * time.Second
	}
	mails, node := smtptest.New(t, nil), freeAddr(t)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{
		"--node-addr", node, "--effects-smtp", mails.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example", "--effects-open-for", openFor.String(),
	}}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	f := &fleet{t: t, mails: mails}
	f.groups(ctx, openLog(t, node), "email")
	if err := bench.Stock(ctx, platform.api()); err != nil {
		t.Fatal(err)
	}
	there, thereKeys := f.placeFor(ctx, platform.api(), "there", away)
	mails.Stop()
	sent := len(mails.Sent())
	gone, goneKeys := f.placeFor(ctx, platform.api(), "gone", away)
	if n := len(mails.Sent()); n != sent {
		t.Fatalf("%d mails were sent by a server that was away", n-sent)
	}
	eventually(ctx, t, time.Minute, func() error { return metricIs(ctx, platform.addr, `waybill_effect_circuit_open{handler="email"}`, "1") })
	mails.Start()
	began := time.Now()
	back, backKeys := f.placeFor(ctx, platform.api(), "back", time.Second)
	keys := slices.Concat(thereKeys, goneKeys, backKeys)
	var repeats int
	eventually(ctx, t, 10*time.Minute, func() (err error) {
		repeats, err = f.mailed(keys)
		return err
	})
	caughtUp := time.Since(began)
	if repeats > 0 {
		t.Errorf("%d mails were sent more than once", repeats)
	}
	if err := metricIs(ctx, platform.addr, `waybill_effect_parked{handler="email"}`, "0"); err != nil {
		t.Error(err)
	}
	if letters, err := platform.api().DeadLetters(ctx, nil); err != nil || len(letters.Items) > 0 {
		t.Errorf("put aside: %v %v", letters.Items, err)
	}
	t.Logf("mail server there and away for %s each; placing an order: %s there, %s away (p99 %.2f times), %s while %d mails were caught up in %s",
		away, there, gone, float64(gone.p99)/float64(there.p99), back, len(keys)-sent, caughtUp.Round(time.Millisecond))
}

// TestMailsThatAreRefusedForNowArriveLater has a mail server that asks for some
// patience: with each recipient, or with all of them for longer than one event
// is tried.
func TestMailsThatAreRefusedForNowArriveLater(t *testing.T) {
	t.Parallel()
	const attempts = 3
	for name, row := range map[string]struct {
		begin, end func(*smtptest.Server)
		enough     int // attempts until the end
	}{
		"greylisting":        {begin: (*smtptest.Server).Greylist, end: func(*smtptest.Server) {}, enough: 1},
		"nobody for a while": {begin: func(s *smtptest.Server) { s.Refuse("RCPT", 451) }, end: func(s *smtptest.Server) { s.Refuse("RCPT", 0) }, enough: 10 * attempts},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			mails, node := smtptest.New(t, nil), freeAddr(t)
			row.begin(mails)
			platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{
				"--node-addr", node, "--effects-smtp", mails.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example",
				"--effects-attempts", strconv.Itoa(attempts), "--effects-first-retry", "20ms", "--effects-last-retry", "40ms", "--effects-open-for", "50ms",
			}}
			platform.start(ctx)
			t.Cleanup(platform.stop)
			f := &fleet{t: t, mails: mails}
			f.groups(ctx, openLog(t, node), "email")
			if err := bench.Stock(ctx, platform.api()); err != nil {
				t.Fatal(err)
			}
			keys := []string{"one", "two", "three"}
			for _, key := range keys {
				if err := f.place(ctx, platform.api(), key); err != nil {
					t.Fatal(err)
				}
			}
			eventually(ctx, t, time.Minute, func() error {
				if n := mails.Attempts(); n < row.enough {
					return fmt.Errorf("%d mails were begun, not yet %d", n, row.enough)
				}
				return nil
			})
			row.end(mails)
			eventually(ctx, t, time.Minute, func() error {
				_, err := f.mailed(keys)
				return err
			})
			if sent, begun := len(mails.Sent()), mails.Attempts(); sent != len(keys) || begun < 2*sent {
				t.Errorf("%d mails were sent and %d begun", sent, begun)
			}
			if letters, err := platform.api().DeadLetters(ctx, nil); err != nil || len(letters.Items) > 0 {
				t.Errorf("put aside: %v %v", letters.Items, err)
			}
		})
	}
}

// latencies are how long placing an order took.
type latencies struct {
	n             int
	p50, p95, p99 time.Duration
}

func (l latencies) String() string {
	return fmt.Sprintf("%d, p50 %s, p95 %s, p99 %s", l.n, l.p50.Round(10*time.Microsecond), l.p95.Round(10*time.Microsecond), l.p99.Round(10*time.Microsecond))
}

func latenciesOf(all []time.Duration) latencies {
	slices.Sort(all)
	at := func(percent int) time.Duration { return all[(len(all)-1)*percent/100] }
	return latencies{len(all), at(50), at(95), at(99)}
}

// placeFor places orders at a steady rate, or as fast as the machine can. What
// is refused for the moment is asked for again, as a shop would.
func (f *fleet) placeFor(ctx context.Context, api *client.Client, name string, lasting time.Duration) (latencies, []string) {
	f.t.Helper()
	const callers, every = 4, 200 * time.Millisecond
	var mu sync.Mutex
	var group sync.WaitGroup
	var took []time.Duration
	var keys []string
	end := time.Now().Add(lasting)
	for caller := range callers {
		group.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
				key, began := fmt.Sprintf("%s-%d-%d", name, caller, n), time.Now()
				for err := f.place(ctx, api, key); err != nil && ctx.Err() == nil; err = f.place(ctx, api, key) {
					problem, ok := errors.AsType[*client.Problem](err)
					if !errors.Is(err, errUndecided) && (!ok || problem.Status != http.StatusServiceUnavailable && problem.Status != http.StatusConflict) {
						f.t.Errorf("place %s: %v", key, err)
						return
					}
					<-tick.C
				}
				mu.Lock()
				took, keys = append(took, time.Since(began)), append(keys, key)
				mu.Unlock()
				<-tick.C
			}
		})
	}
	group.Wait()
	return latenciesOf(took), keys
}

var errNotOne = errors.New("one is wanted")

// metricIs compares one line of a process's metrics.
func metricIs(ctx context.Context, addr, line, want string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if !strings.Contains("\n"+string(text), "\n"+line+" "+want+"\n") {
		return fmt.Errorf("the metrics do not have %s %s", line, want)
	}
	return nil
}

// TestAPoisonEventIsPutAsideAlertedEditedAndReplayed has one event that a system
// refuses for good, among others that it takes.
func TestAPoisonEventIsPutAsideAlertedEditedAndReplayed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const poison, cure = `"amount":6660`, `"amount":6661`
	var mu sync.Mutex
	refused, taken := 0, map[string]string{}
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(string(body), "6660") {
			refused++
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		taken[r.Header.Get("Idempotency-Key")] = string(body)
	}))
	t.Cleanup(outside.Close)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--effects-collector-url", outside.URL}}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	api := platform.api()
	for sku, amount := range map[string]int64{"GOOD-1": 1250, "POISON-1": 6660, "GOOD-2": 990} {
		if err := api.CreateProduct(ctx, client.Product{SKU: sku, Title: "T", Prices: []client.Money{{Amount: amount, Currency: "EUR"}}}); err != nil {
			t.Fatal(err)
		}
	}
	var letter client.DeadLetter
	eventually(ctx, t, time.Minute, func() error {
		all, err := api.DeadLetters(ctx, url.Values{"handler": {"analytics"}})
		if err != nil || len(all.Items) != 1 {
			return fmt.Errorf("%d are put aside: %w", len(all.Items), errors.Join(err, errNotOne))
		}
		letter, err = api.DeadLetter(ctx, "analytics", all.Items[0].Number)
		return err
	})
	mu.Lock()
	if refused != 1 || letter.Attempts != 1 {
		t.Errorf("asked %d times, put aside after %d attempts", refused, letter.Attempts)
	}
	mu.Unlock()
	// What the alert looks at, see configs/alerts.
	if err := metricIs(ctx, platform.addr, `waybill_effect_parked{handler="analytics"}`, "1"); err != nil {
		t.Error(err)
	}
	edited := json.RawMessage(strings.ReplaceAll(string(letter.Data), poison, cure))
	if string(edited) == string(letter.Data) {
		t.Fatalf("the event does not say %s: %s", poison, letter.Data)
	}
	if _, err := api.EditDeadLetter(ctx, "analytics", letter.Number, "edit", edited, "wrong_price"); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, time.Minute, func() error {
		l, err := api.DeadLetter(ctx, "analytics", letter.Number)
		if err == nil && l.Status != "handled" {
			err = fmt.Errorf("it is %s: %v", l.Status, l.Errors)
		}
		letter = l
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	if body := taken["ana:"+letter.EventID]; !strings.Contains(body, "6661") || refused != 1 {
		t.Errorf("refused %d times; in the end the other system got %s", refused, body)
	}
	var kinds []string
	for _, c := range letter.Changes {
		kinds = append(kinds, c.Kind)
	}
	if want := []string{"edited", "retried", "handled"}; !slices.Equal(want, kinds) {
		t.Errorf("on record: %v, want %v", kinds, want)
	}
	if err := metricIs(ctx, platform.addr, `waybill_effect_parked{handler="analytics"}`, "0"); err != nil {
		t.Error(err)
	}
}
