package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/sandbox"
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

// authorised starts a gateway that holds 1,000 under the key "k". Its ledger is
// audited when the test ends.
func authorised(t *testing.T, method string) (*sandbox.Server, *sandbox.Client) {
	t.Helper()
	return authorisedOn(t, databasetest.SQLite(t), method)
}

func authorisedOn(t *testing.T, e databasetest.Engine, method string) (*sandbox.Server, *sandbox.Client) {
	t.Helper()
	s := startOn(t, e)
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	t.Cleanup(func() {
		if err := s.Audit(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	c := gatewayOn(t, e, s)
	if _, err := c.Authorise(t.Context(), pay("k", method, 1000)); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestMoneyIsCapturedAndRefundedWithinLimits(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		_, c := authorisedOn(t, e, "sandbox:approved")
		for _, step := range []struct {
			name   string
			do     func() (payment.Movement, error)
			status payment.MovementStatus
			code   string
		}{
			{"a part", capture(t, c, "c1", 600, false), payment.Done, ""},
			{"the same again", capture(t, c, "c1", 600, false), payment.Done, ""},
			{"more than is left", capture(t, c, "c2", 401, false), payment.Failed, "amount-too-large"},
			{"what failed, again", capture(t, c, "c2", 401, false), payment.Failed, "amount-too-large"},
			{"more than was captured", refund(t, c, "r1", 601), payment.Failed, "amount-too-large"},
			{"a part back", refund(t, c, "r2", 500), payment.Done, ""},
			{"the same part back again", refund(t, c, "r2", 500), payment.Done, ""},
			{"more back than is left", refund(t, c, "r3", 101), payment.Failed, "amount-too-large"},
			{"the last part", capture(t, c, "c3", 300, true), payment.Done, ""},
			{"after the last part", capture(t, c, "c4", 1, false), payment.Failed, "amount-too-large"},
			{"nothing", capture(t, c, "c5", 0, false), payment.Failed, "amount-invalid"},
		} {
			got, err := step.do()
			if err != nil || got.Status != step.status || got.Code != step.code {
				t.Errorf("%s: %+v, %v; want %s %s", step.name, got, err, step.status, step.code)
			}
		}
		if _, err := capture(t, c, "c1", 1, false)(); err == nil || errors.Is(err, payment.ErrUnknownOutcome) {
			t.Errorf("an id for another amount: %v", err)
		}
		found, err := c.Find(t.Context(), "k")
		if err != nil || found.Captured != eur(900) || found.Refunded != eur(500) || found.Status != payment.Authorised {
			t.Errorf("afterwards: %+v, %v", found, err)
		}
		var refused *payment.RefusedError
		if _, err := c.Void(t.Context(), "k"); !errors.As(err, &refused) || refused.Code != "already-captured" {
			t.Errorf("void of what was captured: %v", err)
		}
	})
}

// Shops call the captures of all their orders by the same names.
func TestPaymentsHaveMovementsOfTheSameNames(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		_, c := authorisedOn(t, e, "sandbox:approved")
		if _, err := c.Authorise(t.Context(), payment.Authorise{Key: "other", Amount: eur(1000), Method: "sandbox:approved"}); err != nil {
			t.Fatal(err)
		}
		refs := map[string]bool{}
		for _, key := range []string{"k", "other", "k"} {
			taken, err := c.Capture(t.Context(), payment.Capture{Key: key, ID: "first", Amount: eur(400)})
			if err != nil || taken.Status != payment.Done {
				t.Errorf("capture of %s: %+v, %v", key, taken, err)
			}
			back, err := c.Refund(t.Context(), payment.Refund{Key: key, ID: "first", Amount: eur(100)})
			if err != nil || back.Status != payment.Done {
				t.Errorf("refund of %s: %+v, %v", key, back, err)
			}
			refs[taken.Ref], refs[back.Ref] = true, true
		}
		if len(refs) != 4 {
			t.Errorf("names at the gateway: %v", refs)
		}
		for _, key := range []string{"k", "other"} {
			if found, err := c.Find(t.Context(), key); err != nil || found.Captured != eur(400) || found.Refunded != eur(100) {
				t.Errorf("%s afterwards: %+v, %v", key, found, err)
			}
		}
	})
}

func capture(t *testing.T, c payment.Provider, id string, amount int64, final bool) func() (payment.Movement, error) {
	t.Helper()
	return func() (payment.Movement, error) {
		return c.Capture(t.Context(), payment.Capture{Key: "k", ID: id, Amount: eur(amount), Final: final})
	}
}

func refund(t *testing.T, c payment.Provider, id string, amount int64) func() (payment.Movement, error) {
	t.Helper()
	return func() (payment.Movement, error) {
		return c.Refund(t.Context(), payment.Refund{Key: "k", ID: id, Amount: eur(amount)})
	}
}

func TestTheRestIsVoidedAfterACapture(t *testing.T) {
	t.Parallel()
	_, c := authorised(t, "sandbox:approved")
	if _, err := capture(t, c, "c", 600, false)(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Void(t.Context(), "k"); err != nil || got.Status != payment.Voided || got.Captured != eur(600) {
		t.Errorf("void: %+v, %v", got, err)
	}
	if got, err := capture(t, c, "d", 1, false)(); err != nil || got.Code != "not-authorised" {
		t.Errorf("capture after the void: %+v, %v", got, err)
	}
	if got, err := refund(t, c, "r", 600)(); err != nil || got.Status != payment.Done {
		t.Errorf("refund after the void: %+v, %v", got, err)
	}
}

func TestEachVerbMayBeLateFailOrBeDeclined(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method string
		err    error
		found  payment.MovementStatus // afterwards in the ledger; empty is nothing
	}{
		{"sandbox:capture-timeout", payment.ErrUnknownOutcome, payment.Done},
		{"sandbox:capture-error", payment.ErrUnknownOutcome, ""},
		{"sandbox:capture-declined", nil, payment.Failed},
		{"sandbox:refund-timeout", payment.ErrUnknownOutcome, payment.Done},
		{"sandbox:refund-error", payment.ErrUnknownOutcome, ""},
		{"sandbox:refund-declined", nil, payment.Failed},
	} {
		t.Run(row.method, func(t *testing.T) {
			t.Parallel()
			_, c := authorised(t, row.method)
			got, err := capture(t, c, "c", 600, false)()
			find := func() (payment.Movement, error) {
				return c.FindCapture(t.Context(), payment.Capture{Key: "k", ID: "c"})
			}
			if row.method[:14] == "sandbox:refund" {
				if err != nil {
					t.Fatal(err)
				}
				got, err = refund(t, c, "r", 600)()
				find = func() (payment.Movement, error) { return c.FindRefund(t.Context(), payment.Refund{Key: "k", ID: "r"}) }
			}
			if !errors.Is(err, row.err) || err == nil && got.Status != row.found {
				t.Errorf("%+v, %v; want %v", got, err, row.err)
			}
			found, err := find()
			if found.Status != row.found || (row.found == "") != errors.Is(err, payment.ErrNotFound) {
				t.Errorf("afterwards: %+v, %v; want %q", found, err, row.found)
			}
		})
	}
	for method, want := range map[string]payment.Status{"sandbox:void-timeout": payment.Voided, "sandbox:void-error": payment.Authorised, "sandbox:void-declined": payment.Authorised} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			_, c := authorised(t, method)
			_, err := c.Void(t.Context(), "k")
			var refused *payment.RefusedError
			if errors.Is(err, payment.ErrUnknownOutcome) == errors.As(err, &refused) {
				t.Errorf("void: %v", err)
			}
			if found, err := c.Find(t.Context(), "k"); err != nil || found.Status != want {
				t.Errorf("afterwards: %+v, %v; want %s", found, err, want)
			}
		})
	}
}

func TestAShopperConfirmsOrNot(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]payment.Status{"approve": payment.Authorised, "decline": payment.Declined} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			s := start(t, filepath.Join(t.TempDir(), "ledger.db"))
			t.Cleanup(func() { _ = s.Stop(t.Context()) })
			c := gateway(t, s)
			request := pay("k", "sandbox:action", 1000)
			if got, err := c.Authorise(t.Context(), pay("j", "sandbox:action", 1000)); err != nil || got.Code != "authentication-required" {
				t.Errorf("without a way back: %+v, %v", got, err)
			}
			request.ReturnURL = "https://shop.example/back"
			asked, err := c.Authorise(t.Context(), request)
			if err != nil || asked.Status != payment.ActionRequired {
				t.Fatalf("%+v, %v", asked, err)
			}
			if got, err := capture(t, c, "c", 1, false)(); err != nil || got.Status != payment.Failed {
				t.Errorf("captured before anybody confirmed: %+v, %v", got, err)
			}
			browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			if page, err := browser.Get(asked.ActionURL); err != nil || page.StatusCode != http.StatusOK {
				t.Errorf("the page: %v, %v", page, err)
			}
			for range 2 {
				back, err := browser.PostForm(asked.ActionURL, url.Values{"outcome": {outcome}})
				if err != nil || back.Header.Get("Location") != request.ReturnURL {
					t.Errorf("the way back: %v, %v", back, err)
				}
			}
			if found, err := c.Find(t.Context(), "k"); err != nil || found.Status != want || found.ActionURL != "" {
				t.Errorf("afterwards: %+v, %v; want %s", found, err, want)
			}
		})
	}
}

func TestTimeIsUp(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := noon
	s, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{
		Ledger: filepath.Join(t.TempDir(), "ledger.db"), Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	c := gateway(t, s)
	action := pay("action", "sandbox:action", 1000)
	action.ReturnURL = "https://shop.example/back"
	for _, request := range []payment.Authorise{action, pay("k", "sandbox:approved", 1000)} {
		if _, err := c.Authorise(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	now = now.Add(7 * 24 * time.Hour)
	mu.Unlock()
	for key, want := range map[string]payment.Status{"k": payment.Expired, "action": payment.Declined} {
		if got, err := c.Find(t.Context(), key); err != nil || got.Status != want {
			t.Errorf("%s: %+v, %v; want %s", key, got, err, want)
		}
	}
	if got, err := capture(t, c, "c", 1, false)(); err != nil || got.Code != "not-authorised" {
		t.Errorf("capture: %+v, %v", got, err)
	}
	if got, err := c.Void(t.Context(), "k"); err != nil || got.Status != payment.Expired {
		t.Errorf("void: %+v, %v", got, err)
	}
}

// inbox keeps callbacks, and may refuse some first.
type inbox struct {
	*httptest.Server
	refuse int
	got    chan payment.Callback
}

func open(t *testing.T, client func() payment.Provider, refuse int) *inbox {
	t.Helper()
	in := &inbox{refuse: refuse, got: make(chan payment.Callback, 16)}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if in.refuse > 0 {
			in.refuse--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		got, err := client().Callback(r.Context(), r.Header, body)
		if err != nil {
			t.Error(err)
		}
		changed := append(bytes.Clone(body), ' ')
		if _, err := client().Callback(r.Context(), r.Header, changed); !errors.Is(err, payment.ErrBadSignature) {
			t.Errorf("a changed body: %v", err)
		}
		in.got <- got
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) next(t *testing.T) payment.Callback {
	t.Helper()
	select {
	case c := <-in.got:
		return c
	case <-time.After(5 * time.Second):
		t.Fatal("no callback came")
	}
	return payment.Callback{}
}

func told(t *testing.T, refuse int) (*sandbox.Server, *sandbox.Client, *inbox) {
	t.Helper()
	return telling(t, refuse, true)
}

func telling(t *testing.T, refuse int, all bool) (*sandbox.Server, *sandbox.Client, *inbox) {
	t.Helper()
	var c *sandbox.Client
	in := open(t, func() payment.Provider { return c }, refuse)
	s, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{
		Ledger: filepath.Join(t.TempDir(), "ledger.db"), Delay: time.Minute, Now: func() time.Time { return noon },
		CallbackURL: in.URL, CallbackSecret: "s3cret", TellAll: all,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	c = sandbox.Connect(sandbox.ClientConfig{
		URL: s.URL(), Protection: payment.Protection{Timeout: 300 * time.Millisecond}, Secret: "s3cret", Now: func() time.Time { return noon },
	})
	t.Cleanup(c.Close)
	return s, c, in
}

func TestEveryChangeIsToldInOrderUntilItIsTaken(t *testing.T) {
	t.Parallel()
	s, c, in := told(t, 2)
	authorised, err := c.Authorise(t.Context(), pay("k", "sandbox:timeout", 1000))
	if !errors.Is(err, payment.ErrUnknownOutcome) {
		t.Fatal(authorised, err)
	}
	for _, do := range []func() (payment.Movement, error){capture(t, c, "c", 600, false), capture(t, c, "c", 600, false), capture(t, c, "d", 601, false), refund(t, c, "r", 100)} {
		if _, err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ChargeBack(t.Context(), "k", "case", 50); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 6 {
		c := in.next(t)
		if c.Key != "k" || c.Ref == "" || c.ID == "" {
			t.Errorf("%+v", c)
		}
		got = append(got, fmt.Sprint(c.Kind, " ", c.Authorisation.Status, " ", c.Movement.ID, " ", c.Movement.Status, " ", c.Chargeback.Amount.Amount))
	}
	want := []string{
		"authorisation authorised   0", "movement authorised c done 0", "movement authorised d failed 0",
		"movement authorised r done 0", "chargeback authorised   50", "authorisation expired   0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callbacks (-want +got):\n%s", diff)
	}
}

// Whoever was answered need not be told, unless he wants to.
func TestOnlyWhatNoAnswerSaidIsTold(t *testing.T) {
	t.Parallel()
	s, c, in := telling(t, 0, false)
	ignore := func(payment.Movement, error) {}
	authorise := func(key, method string) {
		a := pay(key, "sandbox:"+method, 1000)
		a.ReturnURL = "https://shop.example"
		_, _ = c.Authorise(t.Context(), a) // some are too late
	}
	for _, method := range []string{
		"approved", "declined", "timeout", "timeout-declined", "action", "callback-first", "capture-timeout", "refund-timeout", "void-timeout", "capture-declined",
	} {
		authorise(method, method)
	}
	for _, key := range []string{"approved", "capture-timeout", "refund-timeout", "capture-declined"} {
		ignore(c.Capture(t.Context(), payment.Capture{Key: key, ID: "c " + key, Amount: eur(1000)}))
		ignore(c.Refund(t.Context(), payment.Refund{Key: key, ID: "r " + key, Amount: eur(1000)}))
	}
	for _, key := range []string{"callback-first", "void-timeout"} {
		_, _ = c.Void(t.Context(), key)
	}
	_, acted := s.Act(t.Context(), "action", true)
	if err := errors.Join(acted, s.Expire(t.Context(), "action")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for last := false; !last; { // they come in order
		c := in.next(t)
		got = append(got, fmt.Sprint(c.Key, " ", c.Authorisation.Status, " ", c.Movement.ID))
		last = c.Authorisation.Status == payment.Expired
	}
	slices.Sort(got)
	want := []string{
		"action authorised ", "action expired ", "callback-first authorised ", "capture-timeout authorised c capture-timeout",
		"refund-timeout authorised r refund-timeout", "timeout authorised ", "timeout-declined declined ", "void-timeout voided ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callbacks (-want +got):\n%s", diff)
	}
}

func TestACallbackComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	_, c, in := told(t, 0)
	if _, err := c.Authorise(t.Context(), pay("k", "sandbox:callback-first", 1000)); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-in.got:
		if got.Key != "k" || got.Authorisation.Status != payment.Authorised {
			t.Errorf("%+v", got)
		}
	default:
		t.Error("the answer came first")
	}
}

func TestCallbacksThatAreOldOrNotOursAreRefused(t *testing.T) {
	t.Parallel()
	_, c, in := told(t, 0)
	var header http.Header
	var body []byte
	in.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		body, _ = io.ReadAll(r.Body)
		in.got <- payment.Callback{}
	})
	if _, err := c.Authorise(t.Context(), pay("k", "sandbox:approved", 1000)); err != nil {
		t.Fatal(err)
	}
	in.next(t)
	read := func(secret string, at time.Time) error {
		client := sandbox.Connect(sandbox.ClientConfig{URL: "http://127.0.0.1:1", Secret: secret, Now: func() time.Time { return at }})
		_, err := client.Callback(t.Context(), header, body)
		return err
	}
	for name, row := range map[string]struct {
		secret string
		at     time.Time
		want   error
	}{
		"ours":          {"s3cret", noon.Add(5 * time.Minute), nil},
		"old":           {"s3cret", noon.Add(5*time.Minute + time.Second), payment.ErrBadSignature},
		"of the future": {"s3cret", noon.Add(-6 * time.Minute), payment.ErrBadSignature},
		"another's":     {"other", noon, payment.ErrBadSignature},
		"no secret":     {"", noon, payment.ErrBadSignature},
	} {
		if err := read(row.secret, row.at); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
}

// Whoever asks at once for captures and refunds never gets more than there is.
func TestManyAtOnceNeverExceedWhatThereIs(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		s, _ := authorisedOn(t, e, "sandbox:approved")
		c := sandbox.NewClient(s.URL(), time.Minute)
		t.Cleanup(c.Close)
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				if _, err := capture(t, c, fmt.Sprint("c", i%15), 100, false)(); err != nil {
					t.Error(err)
				}
				if _, err := refund(t, c, fmt.Sprint("r", i%15), 90)(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		entries, err := s.Entries(t.Context())
		if err != nil || len(entries) != 1 || entries[0].Captured != 1000 || entries[0].Refunded > 1000 {
			t.Errorf("%+v, %v", entries, err)
		}
		movements, err := s.Movements(t.Context())
		want := sandbox.Movement{Kind: "capture", ID: "c0", Key: "k", Status: "done", Amount: 100, Currency: "EUR", Asked: 2}
		if err != nil || len(movements) != 30 {
			t.Fatalf("%d movements, %v", len(movements), err)
		}
		if diff := cmp.Diff(want, movements[0], cmpopts.IgnoreFields(sandbox.Movement{}, "Ref", "Status", "Code", "Message")); diff != "" {
			t.Errorf("the first (-want +got):\n%s", diff)
		}
	})
}
