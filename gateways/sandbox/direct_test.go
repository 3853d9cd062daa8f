package sandbox_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/sandbox"
)

func directly(t *testing.T, s *sandbox.Server, timeout time.Duration) *sandbox.Client {
	t.Helper()
	c := sandbox.Connect(sandbox.ClientConfig{
		URL: s.URL(), Protection: payment.Protection{Timeout: timeout}, Transport: s.Direct(),
	})
	t.Cleanup(c.Close)
	return c
}

func TestAClientInTheSameProcessIsAnsweredAsOverAConnection(t *testing.T) {
	t.Parallel()
	s := start(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	c, far := directly(t, s, 30*time.Second), sandbox.NewClient(s.URL(), 30*time.Second)
	t.Cleanup(far.Close)
	for _, row := range []struct {
		method string
		status payment.Status // of the answer
		err    error
	}{
		{"sandbox:approved", payment.Authorised, nil},
		{"sandbox:declined", payment.Declined, nil},
		{"sandbox:error", "", payment.ErrUnknownOutcome},
		{"sandbox:magic", "", payment.ErrUnsupportedMethod},
	} {
		got, err := c.Authorise(t.Context(), pay(row.method, row.method, 100))
		if !errors.Is(err, row.err) || got.Status != row.status {
			t.Errorf("%s: %v, %v; want %v, %v", row.method, got.Status, err, row.status, row.err)
		}
		near, nearErr := c.Find(t.Context(), row.method)
		found, err := far.Find(t.Context(), row.method)
		if near != found || !errors.Is(nearErr, payment.ErrNotFound) != !errors.Is(err, payment.ErrNotFound) {
			t.Errorf("%s: found %+v, %v; over a connection %+v, %v", row.method, near, nearErr, found, err)
		}
	}
	capture := payment.Capture{Key: "sandbox:approved", ID: "c/1", Amount: domain.Money{Amount: 100, Currency: "EUR"}}
	if got, err := c.Capture(t.Context(), capture); err != nil || got.Status != payment.Done {
		t.Errorf("capture: %+v, %v", got, err)
	}
	capture.Amount.Amount = 1
	_, near := c.Capture(t.Context(), capture)
	_, err := far.Capture(t.Context(), capture)
	if near == nil || err == nil || near.Error() != err.Error() {
		t.Errorf("another capture of the same name: %v; over a connection %v", near, err)
	}
}

func TestWhoLeavesTheServiceInTheSameProcessFindsWhatWasDone(t *testing.T) {
	t.Parallel()
	s := start(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	if _, err := directly(t, s, 300*time.Millisecond).Authorise(t.Context(), pay("late", "sandbox:timeout", 1)); !errors.Is(err, payment.ErrUnknownOutcome) {
		t.Errorf("an answer that is late: %v, want %v", err, payment.ErrUnknownOutcome)
	}
	c := directly(t, s, 30*time.Second)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.Authorise(gone, pay("gone", "sandbox:approved", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v, want %v", err, context.Canceled)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		found, err := c.Find(t.Context(), "late")
		if err == nil && found.Status == payment.Authorised {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("what answered too late: %+v, %v; want it authorised", found, err)
		}
	}
}

func TestAServiceThatWasStoppedIsNotSentAnything(t *testing.T) {
	t.Parallel()
	s := start(t, filepath.Join(t.TempDir(), "ledger.db"))
	c := directly(t, s, 30*time.Second)
	late := make(chan error, 1)
	go func() {
		_, err := c.Authorise(t.Context(), pay("late", "sandbox:timeout", 1))
		late <- err
	}()
	for {
		if found, err := c.Find(t.Context(), "late"); err == nil && found.Status == payment.Authorised {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := s.Stop(t.Context()); err != nil { // waits for the late answer
		t.Fatal(err)
	}
	if err := <-late; err != nil {
		t.Errorf("the answer that was given up: %v", err)
	}
	if _, err := c.Authorise(t.Context(), pay("k", "sandbox:approved", 1)); !errors.Is(err, payment.ErrNotSent) {
		t.Errorf("after the end: %v, want %v", err, payment.ErrNotSent)
	}
}
