package sandbox_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/sandbox"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func start(t *testing.T, ledger string) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{Ledger: ledger, Delay: time.Minute, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func startOn(t *testing.T, e databasetest.Engine) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{
		Ledger: filepath.Join(e.Dir, "ledger.db"), Server: e.Server, Delay: time.Minute, Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func gateway(t *testing.T, s *sandbox.Server) *sandbox.Client {
	t.Helper()
	c := sandbox.NewClient(s.URL(), 300*time.Millisecond)
	t.Cleanup(c.Close)
	return c
}

// gatewayOn waits longer where the ledger is in another process.
func gatewayOn(t *testing.T, e databasetest.Engine, s *sandbox.Server) *sandbox.Client {
	t.Helper()
	if e.Server == nil {
		return gateway(t, s)
	}
	c := sandbox.NewClient(s.URL(), 3*time.Second)
	t.Cleanup(c.Close)
	return c
}

func pay(key, method string, amount int64) payment.Authorise {
	return payment.Authorise{Key: key, Method: method, Amount: domain.Money{Amount: amount, Currency: "EUR"}}
}

func TestEachMethodDoesWhatItSaysAndTheLedgerKnows(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		s := startOn(t, e)
		t.Cleanup(func() { _ = s.Stop(t.Context()) })
		c := gatewayOn(t, e, s)
		for _, row := range []struct {
			method string
			status payment.Status // of the answer
			err    error
			found  payment.Status // afterwards in the ledger; empty is nothing
		}{
			{"sandbox:approved", payment.Authorised, nil, payment.Authorised},
			{"sandbox:declined", payment.Declined, nil, payment.Declined},
			{"sandbox:timeout", "", payment.ErrUnknownOutcome, payment.Authorised},
			{"sandbox:error", "", payment.ErrUnknownOutcome, ""},
			{"sandbox:magic", "", payment.ErrUnsupportedMethod, ""},
			{"card:visa", "", payment.ErrUnsupportedMethod, ""},
		} {
			got, err := c.Authorise(t.Context(), pay(row.method, row.method, 100))
			if !errors.Is(err, row.err) || got.Status != row.status {
				t.Errorf("%s: %v, %v; want %v, %v", row.method, got.Status, err, row.status, row.err)
			}
			found, err := c.Find(t.Context(), row.method)
			if found.Status != row.found || (row.found == "") != errors.Is(err, payment.ErrNotFound) {
				t.Errorf("%s afterwards: %v, %v; want %v", row.method, found.Status, err, row.found)
			}
		}
	})
}

func TestAKeyChargesOnceEvenAfterARestart(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		first := startOn(t, e)
		before, err := gatewayOn(t, e, first).Authorise(t.Context(), pay("k", "sandbox:approved", 100))
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := startOn(t, e)
		t.Cleanup(func() { _ = second.Stop(t.Context()) })
		c := gatewayOn(t, e, second)
		after, err := c.Authorise(t.Context(), pay("k", "sandbox:approved", 100))
		if err != nil || after != before {
			t.Errorf("the second answer is %+v, %v; want %+v", after, err, before)
		}
		if _, err := c.Authorise(t.Context(), pay("k", "sandbox:approved", 101)); err == nil {
			t.Error("the key was taken for another amount")
		}
		entries, err := second.Entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []sandbox.Entry{{
			Key: "k", Status: "authorised", Amount: 100, Currency: "EUR", Method: "sandbox:approved",
			ExpiresAt: noon.Add(7 * 24 * time.Hour), Asked: 3,
		}}
		if diff := cmp.Diff(want, entries, cmpopts.IgnoreFields(sandbox.Entry{}, "Ref")); diff != "" {
			t.Errorf("ledger (-want +got):\n%s", diff)
		}
	})
}

func TestVoidingTwiceIsHarmlessAndADeclinedPaymentStaysDeclined(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		s := startOn(t, e)
		t.Cleanup(func() { _ = s.Stop(t.Context()) })
		c := gatewayOn(t, e, s)
		for method, want := range map[string]payment.Status{"sandbox:approved": payment.Voided, "sandbox:declined": payment.Declined} {
			if _, err := c.Authorise(t.Context(), pay(method, method, 1)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got, err := c.Void(t.Context(), method); err != nil || got.Status != want {
					t.Errorf("void of %s: %v, %v; want %v", method, got.Status, err, want)
				}
			}
		}
		if _, err := c.Void(t.Context(), "nothing"); !errors.Is(err, payment.ErrNotFound) {
			t.Errorf("void of nothing: %v", err)
		}
	})
}

func TestAGatewayThatIsDownIsNotAskedAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := start(t, filepath.Join(t.TempDir(), "ledger.db"))
	c := gateway(t, s)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range 11 {
		_, err := c.Authorise(t.Context(), pay("k", "sandbox:approved", 1))
		if !errors.Is(err, payment.ErrNotSent) {
			t.Errorf("error %d is %v, want %v", n+1, err, payment.ErrNotSent)
		}
	}
}

func TestTenFailuresInARowOpenTheCircuitAndCallersWhoLeaveDoNot(t *testing.T) {
	t.Parallel()
	s := start(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	c := gateway(t, s)
	for range 20 {
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, leave)
		if _, err := c.Authorise(ctx, pay("left", "sandbox:timeout", 1)); err == nil {
			t.Fatal("an answer came")
		}
	}
	for n := range 11 {
		want := payment.ErrUnknownOutcome
		if n == 10 {
			want = payment.ErrNotSent
		}
		if _, err := c.Authorise(t.Context(), pay("failing", "sandbox:error", 1)); !errors.Is(err, want) {
			t.Errorf("error %d is %v, want %v", n+1, err, want)
		}
	}
}
