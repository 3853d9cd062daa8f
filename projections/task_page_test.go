package projections_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/projections"
)

// What is written together must not show where payments are told in another
// order than usual, are several, or had their tasks closed before they were
// opened.
func TestTasksOfPaymentsDoNotDependOnPages(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		random := rand.New(rand.NewPCG(11, 1))
		var running [][]func()
		for n := range 60 {
			running = append(running, h.payments(fmt.Sprint(n), random))
		}
		for len(running) > 0 {
			i := random.IntN(min(len(running), 6))
			running[i][0]()
			if running[i] = running[i][1:]; len(running[i]) == 0 {
				running = append(running[:i], running[i+1:]...)
			}
		}
		want := h.replay(t, e, alone{projections.Tasks{}}, 1, 0)
		for _, size := range []int{1, 2, 3, 5, 17, 512} {
			if diff := cmp.Diff(want, h.replay(t, e, projections.Tasks{}, size, 0)); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", size, diff)
			}
		}
	})
}

// payments are the steps of an order that is paid somehow.
func (h *history) payments(id string, random *rand.Rand) []func() {
	o, first, second := "o"+id, "p"+id+"-1", "p"+id+"-2"
	requested := func(p string) func() {
		return func() { h.record("payment-"+p, o, payment.PaymentAuthorisationRequested{PaymentID: p, OrderID: o}) }
	}
	authorised := func(p string) func() {
		return func() {
			h.record("payment-"+p, o, payment.PaymentAuthorised{
				PaymentID: p, Amount: domain.Money{Amount: 5, Currency: "EUR"}, ExpiresAt: historyStart.Add(7 * 24 * time.Hour),
			})
		}
	}
	voided := func() { h.record("payment-"+first, o, payment.PaymentVoided{PaymentID: first}) }
	closed := func() {
		opened := h.events[len(h.events)-1].ID.String()
		h.record("orderpm-"+o, o, process.ProcessTaskDone{OrderID: o, Task: process.Task{Kind: process.Reauthorise, Ref: first, OpenedBy: opened}})
	}
	place := func() {
		e := placed(o, id, "A", 1)
		if random.IntN(2) == 0 {
			e.Capture = order.CapturePlaced
		}
		h.record("order-"+o, o, e)
	}
	return [][]func(){
		{requested(first), authorised(first), place},
		{requested(first), authorised(first), voided, requested(second), authorised(second), place},
		{requested(first), place, authorised(first)},
		{place, requested(first), authorised(first)},
		{requested(first), authorised(first), place, requested(second), authorised(second), voided},
		{requested(first), authorised(first), closed, place},
		{requested(first), requested(second), authorised(second), place, authorised(first)},
		{authorised(first), requested(first), place},
	}[random.IntN(8)]
}
