package projections_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

const day = 24 * time.Hour

// list is the to-do list of a log made by hand.
type list struct {
	t *testing.T
	h *history
	e databasetest.Engine
	p projections.Tasks
}

func newList(t *testing.T, e databasetest.Engine) *list {
	t.Helper()
	return &list{t: t, e: e, h: newHistory(t)}
}

// order, payment, stock and process record events about the order o, its
// payment p and the item main.A.
func (l *list) order(events ...domain.Event)   { l.record("order-o", events) }
func (l *list) payment(events ...domain.Event) { l.record("payment-p", events) }
func (l *list) stock(events ...domain.Event)   { l.record("stock-main.A", events) }

func (l *list) record(stream string, events []domain.Event) {
	for _, e := range events {
		l.h.record(stream, "c", e)
	}
}

// of returns a task as the n-th last event of the log opened it.
func (l *list) of(kind process.Kind, ref string, back int) process.Task {
	return process.Task{Kind: kind, Ref: ref, OpenedBy: l.h.events[len(l.h.events)-back].ID.String()}
}

func (l *list) done(task process.Task) {
	l.record("orderpm-o", []domain.Event{process.ProcessTaskDone{OrderID: "o", Task: task}})
}

func (l *list) failed(task process.Task, attempt int, retry time.Time) {
	l.record("orderpm-o", []domain.Event{process.ProcessTaskFailed{OrderID: "o", Task: task, Attempt: attempt, Cause: "late", RetryAt: retry}})
}

func (l *list) queries() projections.TaskQueries {
	l.t.Helper()
	r := l.h.open(l.p, l.e.Another(l.t))
	l.t.Cleanup(func() { _ = r.Close() })
	if err := r.Apply(l.t.Context(), l.h.page(l.p, 0, len(l.h.events))); err != nil {
		l.t.Fatal(err)
	}
	if blocked, err := r.Blocked(l.t.Context()); err != nil || len(blocked) > 0 {
		l.t.Fatalf("blocked: %+v, %v", blocked, err)
	}
	return projections.TaskQueries{DB: r.Read()}
}

// open returns the tasks of an order in words: what, and when it is tried next
// after the last event.
func (l *list) open(orderID string) (words []string) {
	l.t.Helper()
	rows, err := l.queries().Of(l.t.Context(), orderID)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, row := range rows {
		text := fmt.Sprintf("%s %s", row.Task.Kind, row.Task.Ref)
		if wait := row.NextAt.Sub(historyStart).Truncate(time.Minute); wait > 0 {
			text += " in " + wait.String()
		}
		if row.Failures > 0 {
			text += fmt.Sprintf(", %d failures", row.Failures)
		}
		if !row.Alarmed.IsZero() {
			text += ", alarm"
		}
		words = append(words, text)
	}
	return words
}

func (l *list) expect(name string, want ...string) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.open("o")); diff != "" {
		l.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// pay records an authorisation of 100 that expires in a week.
func (l *list) pay() {
	l.payment(payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o"},
		payment.PaymentAuthorised{PaymentID: "p", Amount: eur(100), ExpiresAt: historyStart.Add(7 * day)})
}

func (l *list) place() { l.order(order.OrderPlaced{OrderID: "o", PaymentID: "p"}) }

func TestEveryKindOfTaskIsOpenedByItsEvent(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := newList(t, e)
		l.order(
			order.OrderShipped{OrderID: "o", ShipmentID: "s1"},
			order.OrderFulfilmentRequested{OrderID: "o", RequestID: "f1"},
			order.OrderCancelRequested{OrderID: "o", RequestID: "x1"},
			order.OrderRefundRequested{OrderID: "o", RefundID: "r1"},
			order.OrderEdited{OrderID: "o", EditID: "e1"},
			order.OrderHeld{OrderID: "o", HoldID: "h1", Until: historyStart.Add(2 * time.Hour)},
			order.OrderHeld{OrderID: "o", HoldID: "h2"},
			order.OrderNoteAdded{OrderID: "o"}, order.OrderTagged{OrderID: "o"}, order.OrderAddressChanged{OrderID: "o"},
			order.OrderShipmentFailed{OrderID: "o"}, order.OrderReturnRequested{OrderID: "o"}, order.OrderCancelled{OrderID: "o"},
			order.OrderCancelRefused{OrderID: "o"}, order.OrderCompleted{OrderID: "o"}, order.OrderPaymentUpdated{OrderID: "o"},
			order.OrderReturnReceived{OrderID: "o", ReturnID: "t1"},
		)
		l.expect("of an order",
			"capture s1", "ship-stock s1", "fulfil f1", "reconcile-job f1 in 1h0m0s", "cancel x1", "refund r1", "edit e1", "release-hold h1 in 2h0m0s",
			"complete order in 336h0m0s", "return t1")
		l.order(order.OrderHoldReleased{OrderID: "o"})
		l.expect("released", "capture s1", "ship-stock s1", "fulfil f1", "reconcile-job f1 in 1h0m0s", "cancel x1", "refund r1", "edit e1",
			"complete order in 336h0m0s", "return t1")
		l.stock(stock.StockReceived{SKU: "A", Location: "main", Quantity: 1}, stock.StockShortfallDetected{SKU: "A", Location: "main", Reservations: []stock.Shortfall{
			{ReservationID: "r1", OrderID: "o1"}, {ReservationID: "r2"}, {ReservationID: "r3", OrderID: "o3"},
		}})
		for _, id := range []string{"o1", "o3"} {
			if diff := cmp.Diff([]string{"hold-shortage main.A#1"}, l.open(id)); diff != "" {
				t.Errorf("shortage of %s (-want +got):\n%s", id, diff)
			}
		}
		l.stock(stock.StockCommitted{SKU: "A", Location: "main", ReservationID: "r4", OrderID: "o4"},
			stock.StockCommitted{SKU: "A", Location: "main", ReservationID: "edit:r4", OrderID: "o4"})
		if diff := cmp.Diff([]string{"edit-stock main.A#edit:r4 in 5m0s"}, l.open("o4")); diff != "" {
			t.Errorf("units for an edit (-want +got):\n%s", diff)
		}
	})
}

func TestTheMoneyOfAnOrderIsTakenAtOnceWhereItSaysSo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for policy, want := range map[order.Capture][]string{order.CapturePlaced: {"capture order"}, order.CaptureShipped: nil} {
			l := newList(t, e)
			l.order(order.OrderPlaced{OrderID: "o", PaymentID: "p", Capture: policy})
			l.expect(string(policy), want...)
		}
	})
}

func TestAnOrderIsCompleteSomeTimeAfterTheLastThingThatHappened(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for name, event := range map[string]domain.Event{
			"received": order.OrderReturnReceived{OrderID: "o", ReturnID: "t"}, "rejected": order.OrderReturnRejected{OrderID: "o"},
			"refunded": order.OrderRefunded{OrderID: "o"}, "refund failed": order.OrderRefundFailed{OrderID: "o"}, "reopened": order.OrderReopened{OrderID: "o"},
		} {
			l := newList(t, e)
			l.p.CompleteAfter = 3 * day
			l.order(event)
			if got := l.open("o"); got[0] != "complete order in 72h0m0s" {
				t.Errorf("%s: %q", name, got)
			}
		}
		l := newList(t, e)
		l.order(order.OrderDelivered{OrderID: "o", At: historyStart.Add(5 * day)})
		first := l.of(process.Complete, "order", 1)
		l.expect("delivered", "complete order in 456h0m0s")
		l.order(order.OrderDelivered{OrderID: "o", At: historyStart.Add(-99 * day)})
		l.expect("an earlier delivery that is told later does not bring it forward", "complete order in 456h0m0s")
		l.done(first)
		l.expect("what was done before that is not the end", "complete order in 456h0m0s")
		l.done(l.of(process.Complete, "order", 2))
		l.expect("done")
		l.order(order.OrderReopened{OrderID: "o"})
		l.expect("opened again", "complete order in 336h0m0s")
	})
}

func TestATaskIsClosedByWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := newList(t, e)
		l.order(order.OrderShipped{OrderID: "o", ShipmentID: "s1"})
		capture, ship := l.of(process.Capture, "s1", 1), l.of(process.ShipStock, "s1", 1)
		l.failed(capture, 1, historyStart.Add(time.Hour))
		l.expect("failed", "capture s1 in 1h0m0s, 1 failures", "ship-stock s1")
		l.failed(capture, 5, historyStart.Add(2*time.Hour))
		l.record("orderpm-o", []domain.Event{process.ProcessAlarmRaised{OrderID: "o", Task: capture, Failures: 5}})
		l.expect("alarm", "capture s1 in 2h0m0s, 5 failures, alarm", "ship-stock s1")
		q := l.queries()
		if rows, err := q.Alarmed(t.Context(), 9); err != nil || len(rows) != 1 || rows[0].Task != capture || rows[0].Cause != "late" {
			t.Errorf("alarmed: %+v, %v", rows, err)
		}
		counts, err := q.Count(t.Context(), historyStart.Add(time.Minute))
		want := []projections.TaskCount{
			{Kind: process.Capture, Due: 1, Failing: 1, Alarmed: 1, Oldest: historyStart.Add(time.Millisecond)},
			{Kind: process.ShipStock, Due: 1, Oldest: historyStart.Add(time.Millisecond)},
		}
		if diff := cmp.Diff(want, counts); err != nil || diff != "" {
			t.Errorf("counts (-want +got), %v:\n%s", err, diff)
		}
		l.record("orderpm-o", []domain.Event{process.ProcessTaskRetried{OrderID: "o", Task: capture}})
		l.expect("retried", "capture s1, 5 failures, alarm", "ship-stock s1")
		l.done(ship)
		l.expect("done", "capture s1, 5 failures, alarm")
		l.record("orderpm-o", []domain.Event{process.ProcessTaskAbandoned{OrderID: "o", Task: capture, Reason: "by hand"}})
		l.expect("given up")
	})
}

func TestThePaymentOfAPlacedOrderIsCopied(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		captured := payment.PaymentCaptured{PaymentID: "p", CaptureID: "m1", Amount: eur(10)}
		requested := payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "m1", Amount: eur(10)}
		const looksAfter = "reauthorise p in 144h0m0s"

		l := newList(t, e)
		l.pay()
		l.expect("nothing of an order that is not there")
		l.place()
		l.expect("nothing but looking after the authorisation", looksAfter)
		l.payment(requested)
		l.expect("the gateway is asked", looksAfter, "movement p/m1")
		l.payment(captured)
		l.expect("it answered", looksAfter, "copy-payment p")
		first := l.of(process.CopyPayment, "p", 1)
		l.failed(first, 1, historyStart.Add(time.Hour))
		l.payment(payment.PaymentChargedBack{PaymentID: "p", Amount: eur(1)})
		l.expect("two events are one task", looksAfter, "copy-payment p in 1h0m0s, 1 failures")
		l.done(first)
		l.expect("the second is still to be copied", looksAfter, "copy-payment p")
		l.done(l.of(process.CopyPayment, "p", 2))
		l.expect("copied", looksAfter)
		l.payment(payment.PaymentRefundRequested{PaymentID: "p", RefundID: "r1"})
		l.expect("a refund", looksAfter, "movement p/r1")
		l.payment(payment.PaymentRefundFailed{PaymentID: "p", RefundID: "r1"})
		l.expect("answered too", looksAfter, "copy-payment p")

		l = newList(t, e)
		l.pay()
		l.place()
		l.payment(requested, captured, payment.PaymentChargedBack{PaymentID: "p", Amount: eur(1)})
		l.order(order.OrderPaymentUpdated{OrderID: "o", PaymentID: "p", PaymentRevision: 3})
		l.expect("the order has heard of one event", looksAfter, "copy-payment p")
		l.order(order.OrderPaymentUpdated{OrderID: "o", PaymentID: "p", PaymentRevision: 4})
		l.expect("and of both: nobody need copy them", looksAfter)
		l.order(order.OrderRefundRequested{OrderID: "o", RefundID: "r1"}, order.OrderRefundRequested{OrderID: "o", RefundID: "r2"}, order.OrderRefundRequested{OrderID: "o", RefundID: "r3"},
			order.OrderRefunded{OrderID: "o", RefundID: "r1"}, order.OrderRefundFailed{OrderID: "o", RefundID: "r2"})
		l.expect("refunds have ended", looksAfter, "refund r3", "complete order in 336h0m0s")

		l = newList(t, e)
		l.pay()
		l.payment(requested, captured)
		l.expect("captured before there is an order")
		l.place()
		l.expect("and copied when there is one", "copy-payment p", looksAfter)

		l = newList(t, e)
		l.place()
		l.pay()
		l.expect("another payment of an order is copied from its authorisation on", "copy-payment p", looksAfter)

		for name, events := range map[string][]domain.Event{
			"capture failed": {requested, payment.PaymentCaptureFailed{PaymentID: "p", CaptureID: "m1"}},
			"refunded":       {payment.PaymentRefundRequested{PaymentID: "p", RefundID: "r"}, payment.PaymentRefunded{PaymentID: "p", RefundID: "r"}},
			"void failed":    {payment.PaymentVoidRequested{PaymentID: "p"}, payment.PaymentVoidFailed{PaymentID: "p"}},
		} {
			l := newList(t, e)
			l.pay()
			l.place()
			l.payment(events...)
			l.expect(name, looksAfter, "copy-payment p")
		}
	})
}

func TestAPaymentThatSomebodyAskedForIsLookedAfter(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := newList(t, e)
		l.place()
		l.payment(payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o", ByHand: true})
		first := l.of(process.Pay, "p", 1)
		if rows, err := l.queries().Of(t.Context(), "o"); err != nil || len(rows) != 1 || rows[0].Task != first || rows[0].NextAt.Sub(rows[0].OpenedAt) != 15*time.Second {
			t.Errorf("asked for: %+v, %v", rows, err)
		}
		l.payment(payment.PaymentOutcomeUnknown{PaymentID: "p"})
		l.failed(first, 1, historyStart.Add(time.Hour))
		l.expect("unknown", "pay p in 1h0m0s, 1 failures")
		l.payment(payment.PaymentAuthorised{PaymentID: "p", Amount: eur(100)})
		second := l.of(process.Pay, "p", 1)
		l.expect("authorised: the order goes on at once", "pay p, 1 failures", "copy-payment p")
		l.done(first)
		l.expect("what was done before is not what follows from it", "copy-payment p", "pay p")
		l.done(second)
		l.expect("done", "copy-payment p")

		l = newList(t, e)
		l.place()
		l.payment(payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o", ByHand: true})
		l.done(l.of(process.Pay, "p", 1))
		l.payment(payment.PaymentAuthorised{PaymentID: "p", Amount: eur(100)})
		l.expect("authorised after it was given up", "copy-payment p", "pay p")
	})
}

// Whoever asks for a capture may not know of an edit of the same moment.
func TestACaptureAfterAnEditIsLookedAt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		heard := func(kind order.PaymentKind) domain.Event {
			return order.OrderPaymentUpdated{OrderID: "o", PaymentID: "p", Kind: kind, PaymentRevision: 9}
		}
		l := newList(t, e)
		l.place()
		l.order(heard(order.PaymentCaptured))
		l.expect("nothing was edited")
		l.order(order.OrderEdited{OrderID: "o", EditID: "e1"}, order.OrderEdited{OrderID: "o", EditID: "e2"})
		first, last := l.of(process.Edit, "e1", 2), l.of(process.Edit, "e2", 1)
		l.done(first)
		l.done(last)
		l.order(heard(order.PaymentRefunded))
		l.expect("nothing was captured")
		l.order(heard(order.PaymentCaptured))
		again := l.of(process.Edit, "e2", 1)
		l.expect("captured", "edit e2")
		l.order(heard(order.PaymentCaptured))
		l.done(again)
		l.expect("and captured once more meanwhile", "edit e2")
		l.done(l.of(process.Edit, "e2", 2))
		l.expect("done")
	})
}

// What is held for a short time only is not renewed over and over.
func TestWhatIsHeldForAShortTimeIsRenewedWhenHalfOfItIsOver(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for held, due := range map[time.Duration]string{2 * time.Hour: " in 1h0m0s", 30 * time.Hour: " in 15h0m0s", 72 * time.Hour: " in 48h0m0s", -time.Hour: ""} {
			l := newList(t, e)
			l.place()
			l.payment(payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o"})
			l.payment(payment.PaymentAuthorised{PaymentID: "p", Amount: eur(100), ExpiresAt: historyStart.Add(held)})
			l.expect(held.String(), "copy-payment p", "reauthorise p"+due)
		}
	})
}

func TestAnAuthorisationIsLookedAfterWhileItHoldsMoney(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		part := func(id string, final bool) []domain.Event {
			return []domain.Event{
				payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: id, Amount: eur(50), Final: final},
				payment.PaymentCaptured{PaymentID: "p", CaptureID: id, Amount: eur(50)},
			}
		}
		for name, c := range map[string]struct {
			events []domain.Event
			want   []string
		}{
			"captured in part":        {part("m1", false), []string{"reauthorise p in 144h0m0s", "copy-payment p"}},
			"captured as a whole":     {append(part("m1", false), part("m2", false)...), []string{"copy-payment p"}},
			"captured for the last":   {part("m1", true), []string{"copy-payment p"}},
			"a last one that failed":  {[]domain.Event{part("m1", true)[0], payment.PaymentCaptureFailed{PaymentID: "p", CaptureID: "m1"}}, []string{"reauthorise p in 144h0m0s", "copy-payment p"}},
			"voided":                  {[]domain.Event{payment.PaymentVoided{PaymentID: "p"}}, []string{"copy-payment p"}},
			"expired":                 {[]domain.Event{payment.PaymentAuthorisationExpired{PaymentID: "p"}}, []string{"copy-payment p"}},
			"a void that is asked of": {[]domain.Event{payment.PaymentVoidRequested{PaymentID: "p"}}, []string{"reauthorise p in 144h0m0s"}},
		} {
			after := newList(t, e)
			after.pay()
			after.place()
			after.payment(c.events...)
			after.expect(name, c.want...)
			before := newList(t, e)
			before.pay()
			before.payment(c.events...)
			before.place()
			if diff := cmp.Diff(len(c.want), len(before.open("o"))); diff != "" {
				t.Errorf("%s, before the order: %q", name, before.open("o"))
			}
		}
		l := newList(t, e)
		l.payment(payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o"},
			payment.PaymentAuthorised{PaymentID: "p", Amount: eur(100), ExpiresAt: historyStart.Add(time.Hour)})
		l.place()
		l.expect("one that expires soon, when half of its time is over", "reauthorise p in 30m0s")
		rows, err := l.queries().Due(t.Context(), historyStart.Add(31*time.Minute), projections.TaskRow{}, 9)
		if err != nil || len(rows) != 1 || rows[0].DueAt != historyStart.Add(30*time.Minute+time.Millisecond) {
			t.Errorf("due: %+v, %v", rows, err)
		}
		l = newList(t, e)
		l.payment(payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o"}, payment.PaymentAuthorised{PaymentID: "p", Amount: eur(100)})
		l.place()
		l.expect("one that never expires")
	})
}

// A stream that waits for a repair is applied later than what depends on it.
func TestATaskThatWasClosedBeforeItWasSeenStaysClosed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := newList(t, e)
		l.order(order.OrderShipped{OrderID: "o", ShipmentID: "s1"})
		capture := l.of(process.Capture, "s1", 1)
		l.done(capture)
		events := l.h.events
		l.h.events = []eventstore.Recorded{events[1], events[0]}
		for i := range l.h.events {
			l.h.events[i].Position = eventstore.Position(i + 1)
		}
		l.expect("the other way round", "ship-stock s1")
	})
}

func TestDueTasksComeInPagesTheLongestDueFirst(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := newList(t, e)
		for i := range 7 {
			id := fmt.Sprint("o", i)
			l.record("order-"+id, []domain.Event{order.OrderRefundRequested{OrderID: id, RefundID: "r"}})
		}
		l.order(order.OrderHeld{OrderID: "o", HoldID: "h", Until: historyStart.Add(time.Hour)})
		q := l.queries()
		due := func(now time.Time) (ids []string) {
			var after projections.TaskRow
			for {
				rows, err := q.Due(t.Context(), now, after, 3)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					ids = append(ids, row.OrderID)
				}
				if len(rows) < 3 {
					return ids
				}
				after = rows[2]
			}
		}
		if diff := cmp.Diff([]string{"o0", "o1", "o2", "o3"}, due(historyStart.Add(4*time.Millisecond))); diff != "" {
			t.Errorf("some (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"o0", "o1", "o2", "o3", "o4", "o5", "o6", "o"}, due(historyStart.Add(time.Hour))); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
	})
}

// What does a task goes on where the event stands that asked for it last.
func TestATaskKnowsTheTraceOfItsOpener(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := newList(t, e)
		l.pay()
		l.place()
		l.order(order.OrderShipped{OrderID: "o", ShipmentID: "s1"}, order.OrderRefundRequested{OrderID: "o", RefundID: "r1"},
			order.OrderDelivered{OrderID: "o", ShipmentID: "s1", At: historyStart})
		l.payment(
			payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c1", Amount: eur(50)},
			payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c2", Amount: eur(50)},
			payment.PaymentCaptured{PaymentID: "p", CaptureID: "c1", Amount: eur(50)})
		l.order(order.OrderReopened{OrderID: "o"})
		rows, err := l.queries().Of(t.Context(), "o")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, row := range rows {
			got[string(row.Task.Kind)+" "+row.Task.Ref] = row.TraceParent
		}
		want := map[string]string{
			"reauthorise p": "p-3", "ship-stock s1": "p-4", "capture s1": "p-4", "refund r1": "p-5",
			"movement p/c2": "p-8", "copy-payment p": "p-9", "complete order": "p-10",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAHoldTakesWhatItKeepsWaitingOffTheListOfWhatIsDue(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		asked := []domain.Event{
			order.OrderPlaced{OrderID: "o", Capture: order.CapturePlaced},
			order.OrderFulfilmentRequested{OrderID: "o", RequestID: "f1"},
			order.OrderRefundRequested{OrderID: "o", RefundID: "r1"},
		}
		held := append(asked[:3:3], order.OrderHeld{OrderID: "o", HoldID: "h"})
		for name, c := range map[string]struct {
			events []domain.Event
			want   []process.Kind
		}{
			"not held":       {asked, []process.Kind{process.Capture, process.Fulfil, process.ReconcileJob, process.Refund}},
			"held":           {held, []process.Kind{process.Refund}},
			"held and freed": {append(held[:4:4], order.OrderHoldReleased{OrderID: "o"}), []process.Kind{process.Capture, process.Fulfil, process.ReconcileJob, process.Refund}},
			"cancelled": {
				append(held[:4:4], order.OrderCancelRequested{OrderID: "o", RequestID: "x"}),
				[]process.Kind{process.Cancel, process.Capture, process.Fulfil, process.ReconcileJob, process.Refund},
			},
		} {
			l := newList(t, e)
			l.order(c.events...)
			q := l.queries()
			rows, err := q.Due(t.Context(), historyStart.Add(2*time.Hour), projections.TaskRow{}, 9)
			if err != nil {
				t.Fatal(err)
			}
			var due, counted []process.Kind
			for _, row := range rows {
				due = append(due, row.Task.Kind)
			}
			counts, err := q.Count(t.Context(), historyStart.Add(2*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range counts {
				counted = append(counted, c.Kind)
			}
			slices.Sort(due)
			slices.Sort(counted)
			if diff := cmp.Diff(c.want, due) + cmp.Diff(c.want, counted); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if all, err := q.Of(t.Context(), "o"); err != nil || len(all) < 3 {
				t.Errorf("%s: the order's list has %d tasks, %v", name, len(all), err)
			}
		}
	})
}
