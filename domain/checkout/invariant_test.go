package checkout_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

// outcomes is what has happened to a checkout that has no second time.
type outcomes struct {
	authorised, compensating, over bool
	payments                       map[string]int
}

// follow reports what must not come after what there was.
func (o *outcomes) follow(e checkout.Event) error {
	_, late := e.(checkout.CheckoutLatePaymentVoided)
	if o.over && !late {
		return errors.New("the checkout was over")
	}
	switch e := e.(type) {
	case checkout.CheckoutPaymentRequested:
		if o.payments[e.PaymentID]++; o.payments[e.PaymentID] > 1 || e.Attempt != len(o.payments) {
			return fmt.Errorf("attempt %d is of %s", e.Attempt, e.PaymentID)
		}
	case checkout.CheckoutPaymentAuthorised:
		o.authorised = true
	case checkout.CheckoutCompensating:
		o.compensating = true
	case checkout.CheckoutCompleted:
		o.over = true
		if !o.authorised {
			return errors.New("an order that nobody has paid")
		}
	case checkout.CheckoutFailed:
		o.over = true
		if !o.compensating {
			return errors.New("it failed, and nothing was given back")
		}
	case checkout.CheckoutAbandoned:
		if o.over = true; len(o.payments) > 0 {
			return errors.New("abandoned with a payment")
		}
	default:
	}
	if o.authorised && o.compensating {
		return errors.New("paid for, and undone")
	}
	return nil
}

// Whatever is asked in whichever order: a checkout has one outcome, is either
// paid for or undone, and asks for no payment twice nor for too many.
func TestACheckoutHasOneOutcome(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(1500) {
		random := rand.New(rand.NewPCG(seed, 6))
		at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
		o := outcomes{payments: map[string]int{}}
		decidertest.Walk(t, checkout.Decider, 40, func(s checkout.State) checkout.Command {
			at = at.Add(time.Second)
			if s.Step == "" && random.IntN(2) == 0 {
				return checkout.Start{CheckoutID: "c", OrderID: "o", Fingerprint: "f", Totals: checkout.Totals{Grand: domain.Money{Amount: 100, Currency: "EUR"}}, At: at}
			}
			return anyCommand(random, s.Attempt, at)
		}, func(s decidertest.Step[checkout.State, checkout.Command, checkout.Event]) {
			for _, e := range s.Events {
				seen[e.EventName()]++
				if err := o.follow(e); err != nil {
					t.Fatalf("seed %d: %T of %+v: %v", seed, s.Command, s.Before, err)
				}
			}
			if s.After.Attempt != len(o.payments) || s.After.Attempt > checkout.MaxPayments || s.After.Step.Open() == (o.over || s.After.Step == "") {
				t.Fatalf("seed %d: %+v after %+v", seed, s.After, o)
			}
		})
	}
	for _, e := range checkout.EventTypes() {
		if name := e.Zero.EventName(); seen[name] < 5 {
			t.Errorf("%d %s: too few to show anything", seen[name], name)
		}
	}
}

func anyCommand(random *rand.Rand, attempt int, at time.Time) checkout.Command {
	id := fmt.Sprint("p", attempt+random.IntN(2)) // the last payment, or the next
	switch random.IntN(24) {
	case 0:
		return checkout.RefuseStock{Shortages: []checkout.Shortage{{SKU: "A", Requested: 2, Available: 1}}, At: at}
	case 1:
		return checkout.Compensate{Reason: checkout.ErrStockLost, At: at}
	case 2:
		return checkout.Fail{Voided: true, Unseen: random.IntN(2) == 0, At: at}
	case 3:
		return checkout.Abandon{Reason: "interrupted", At: at}
	case 4:
		return checkout.VoidLate{PaymentID: id, At: at}
	case 5:
		return checkout.Complete{At: at}
	case 6:
		return checkout.AuthorisePayment{At: at}
	case 7, 8:
		return checkout.LoseSight{At: at}
	case 9, 10:
		return checkout.RequireAction{URL: "https://bank.example/" + id, ExpiresAt: at.Add(time.Hour), At: at}
	case 11, 12, 13, 14:
		return checkout.DeclinePayment{Code: "card-declined", RetryUntil: at.Add(time.Minute), At: at}
	case 15, 16:
		return checkout.ReserveStock{ExpiresAt: at.Add(time.Hour), At: at}
	}
	return checkout.RequestPayment{PaymentID: id, Method: "sandbox:approved", RequestID: id, At: at}
}
