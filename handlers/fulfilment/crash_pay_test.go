package fulfilment_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/process"
)

// paidByHand has an order whose renewal was refused, shipped in part perhaps,
// and somebody who pays it by another method, with whatever outcome. Whatever
// dies meanwhile, who asks again under the same key gets the same payment.
func paidByHand() saga {
	method := map[string]string{} // of each order
	return saga{
		begin: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
			t.Helper()
			if random.IntN(2) == 0 {
				s.randomParcel(t, c.id, "first", random)
				if err := s.work(t, c.id); err != nil {
					t.Fatal(err)
				}
			}
			s.refuseRenewal(t, c.id, random)
			if random.IntN(3) == 0 { // somebody lets it go on, unpaid
				s.world.advance(week)
				_, _ = s.try(t.Context(), c.id, domainorder.ReleaseHold{By: "me"})
				s.randomParcel(t, c.id, "second", random)
			}
			methods := []string{"approved", "approved", "timeout", "error", "declined", "timeout-declined", "action", "action", "callback-first", "capture-timeout"}
			s.pays, s.method = true, methods[random.IntN(len(methods))]
			method[c.id] = s.method
		},
		act: func(t *testing.T, s *shop, c cart) error {
			t.Helper()
			_, err := s.Pay(t.Context(), asking(c.id, "k"), by(s.method))
			if errors.Is(err, fulfilment.ErrPaid) || errors.Is(err, fulfilment.ErrPending) { // captured before, or the renewal was not answered
				return nil
			}
			return err
		},
		meanwhile: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
			t.Helper()
			if random.IntN(2) == 0 {
				_, _ = s.Pay(t.Context(), asking(c.id, "k"), by(s.method))
			}
			for id := range s.chain(t, s.order(t, c.id)) {
				if choice := random.IntN(3); choice < 2 {
					_, _ = s.world.sandbox.Act(t.Context(), id, choice == 0) // the shopper
				}
			}
		},
		finish: func(t *testing.T, s *shop, c cart) error {
			t.Helper()
			s.pays = true
			for i := range 4 {
				_ = s.work(t, c.id) // captures fail while nobody pays
				_, err := s.Pay(t.Context(), asking(c.id, fmt.Sprint("again", i)), by("approved"))
				if errors.Is(err, fulfilment.ErrPaid) {
					break
				}
				if err != nil && !errors.Is(err, fulfilment.ErrPending) {
					return err
				}
			}
			return s.work(t, c.id)
		},
		ended: func(t *testing.T, s *shop, c cart) {
			t.Helper()
			o := s.order(t, c.id)
			var held, captured int64
			for _, p := range s.chain(t, o) {
				held += p.Capturable().Amount
				captured += p.Captured().Amount
			}
			if len(o.Holds) > 0 || held+captured != o.Totals.Grand.Amount {
				t.Errorf("paid by %s: %d held, %d captured for an order of %s, held for %+v", method[c.id], held, captured, o.Totals.Grand, o.Holds)
			}
		},
	}
}

// refuseRenewal lets the authorisations of an order be about to run out, and
// their renewals be refused.
func (s *shop) refuseRenewal(t *testing.T, id string, random *rand.Rand) {
	t.Helper()
	s.world.advance(week - 23*time.Hour)
	open := s.Gateways
	sandboxed, err := open.Provider("sandbox")
	if err != nil {
		t.Fatal(err)
	}
	refuses := &refusing{Provider: sandboxed}
	refuses.from([]payment.Status{payment.Declined, payment.ActionRequired}[random.IntN(2)])
	s.Gateways = gateways{"sandbox": refuses}
	for key, p := range s.chain(t, s.order(t, id)) {
		if p.Capturable().Amount > 0 {
			_ = s.do(t.Context(), id, process.Reauthorise, key) // it fails once
		}
	}
	s.Gateways = open
}
