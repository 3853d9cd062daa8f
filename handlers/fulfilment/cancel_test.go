package fulfilment_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/handlers/process"
)

var cancelled = domainorder.RequestCancel{RequestID: "x", Reason: "changed-mind", By: "me"}

func request(id string, quantities ...int) domainorder.RequestFulfilment {
	return domainorder.RequestFulfilment{RequestID: id, Location: "main", Lines: units(quantities...)}
}

// yard is a warehouse that does as it is told.
type yard struct {
	picked []string
	away   bool
	heard  []string

	revisions []int // of stops and resumes
}

func (y *yard) answer(what, id string) error {
	y.heard = append(y.heard, what+" "+id)
	if y.away {
		return warehouse.ErrAway
	}
	return nil
}

func (y *yard) Submit(_ context.Context, job warehouse.Job) error {
	return y.answer("submit", job.RequestID)
}

func (y *yard) Resume(_ context.Context, id string, revision int) error {
	y.revisions = append(y.revisions, revision)
	return y.answer("resume", id)
}

func (y *yard) Look(_ context.Context, id string) (warehouse.State, error) {
	if y.away {
		return warehouse.State{}, warehouse.ErrAway
	}
	return warehouse.State{RequestID: id, Status: "submitted"}, nil
}

func (y *yard) Stop(_ context.Context, id string, revision int) (warehouse.Stopped, error) {
	y.revisions = append(y.revisions, revision)
	if err := y.answer("stop", id); err != nil {
		return "", err
	}
	if slices.Contains(y.picked, id) {
		return warehouse.Picked, nil
	}
	return warehouse.Done, nil
}

func TestCancelling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before           func(t *testing.T, s *shop)
		refunded, voided int64
		released         []string
		status           domainorder.PaymentStatus
	}{
		"what is only authorised": {
			before: func(*testing.T, *shop) {}, voided: 1901, released: []string{"r-o-0", "r-o-1"}, status: domainorder.Voided,
		},
		"what was captured at once": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.must(t, "o", process.Capture, "order")
			},
			refunded: 1901, released: []string{"r-o-0", "r-o-1"}, status: domainorder.Refunded,
		},
		"what was captured at once, and given back in part": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.must(t, "o", process.Capture, "order")
				s.tell(t, "o", refund("goodwill", 100))
				s.must(t, "o", process.Refund, "goodwill")
			},
			refunded: 1801, released: []string{"r-o-0", "r-o-1"}, status: domainorder.Refunded,
		},
		"what was taken by hand in part": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.pay(t, "p1-o", domainpayment.RequestCapture{CaptureID: "by-hand", Amount: eur(1000)})
			},
			refunded: 1000, voided: 901, released: []string{"r-o-0", "r-o-1"}, status: domainorder.Refunded,
		},
		"the rest of what was shipped": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.parcel(t, "o", "a", 3, 1)
			},
			voided: 251, released: []string{"r-o-1"}, status: domainorder.Captured,
		},
		"the rest of what was captured at once": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.must(t, "o", process.Capture, "order")
				s.parcel(t, "o", "a", 3, 1)
			},
			refunded: 251, released: []string{"r-o-1"}, status: domainorder.PartiallyRefunded,
		},
		"what is on hold": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.tell(t, "o", domainorder.Hold{HoldID: "h", Reason: domainorder.HoldFraud})
			},
			voided: 1901, released: []string{"r-o-0", "r-o-1"}, status: domainorder.Voided,
		},
		"what was edited": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.must(t, "o", process.Capture, "order")
				s.editLine(t, "e", 0, 1)
				s.must(t, "o", process.Edit, "e")
			},
			refunded: 1234, released: []string{"r-o-0", "r-o-1"}, status: domainorder.Refunded,
		},
		"the rest of what was edited": {
			before: func(t *testing.T, s *shop) {
				t.Helper()
				s.must(t, "o", process.Capture, "order")
				s.editLine(t, "e", 0, 1)
				s.must(t, "o", process.Edit, "e")
				s.parcel(t, "o", "a", 0, 1)
			},
			refunded: 584, released: []string{"r-o-0", "r-o-1"}, status: domainorder.PartiallyRefunded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			o := basic("o")
			s.place(t, o)
			c.before(t, s)
			s.tell(t, "o", cancelled)
			s.must(t, "o", process.Cancel, "x")
			got := s.order(t, "o")
			if got.Status != domainorder.StatusCancelled || got.PaymentStatus() != c.status {
				t.Errorf("the order is %s, %s", got.Status, got.PaymentStatus())
			}
			e := got.Cancelled
			if e.Refunded != eur(c.refunded) || e.Voided != eur(c.voided) || !slices.Equal(e.Released, c.released) {
				t.Errorf("undone: %s refunded, %s voided, %v released", e.Refunded, e.Voided, e.Released)
			}
			s.agreeStock(t, o, got)
			if err := s.work(t, "o"); err != nil {
				t.Error(err)
			}
			s.agree(t, o)
		})
	}
}

func TestTheWarehouseIsAskedFirst(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, y *yard) *shop {
		t.Helper()
		s := newWorld(t).shop(t)
		s.Warehouse = y
		s.place(t, basic("o"))
		s.tell(t, "o", request("j1", 3, 0))
		s.tell(t, "o", request("j2", 0, 2))
		s.must(t, "o", process.Fulfil, "j1")
		s.must(t, "o", process.Fulfil, "j2")
		s.tell(t, "o", cancelled)
		return s
	}
	t.Run("it stops", func(t *testing.T) {
		t.Parallel()
		y := &yard{}
		s := start(t, y)
		s.must(t, "o", process.Cancel, "x")
		if o := s.order(t, "o"); o.Status != domainorder.StatusCancelled {
			t.Errorf("%s after %v", o.Status, y.heard)
		}
		s.agree(t, basic("o"))
	})
	t.Run("one job is picked: the other one goes on", func(t *testing.T) {
		t.Parallel()
		y := &yard{picked: []string{"j2"}}
		s := start(t, y)
		s.must(t, "o", process.Cancel, "x")
		if o := s.order(t, "o"); o.Status != domainorder.StatusProcessing || o.CancelRefused.Reason != "picked" {
			t.Errorf("%s, %+v", o.Status, o.CancelRefused)
		}
		if want := []string{"submit j1", "submit j2", "stop j1", "stop j2", "resume j1", "resume j2"}; !slices.Equal(y.heard, want) {
			t.Errorf("the warehouse heard %v", y.heard)
		}
		s.tell(t, "o", domainorder.RequestCancel{RequestID: "x2", Reason: "again", By: "me"})
		s.must(t, "o", process.Cancel, "x2")
		s.must(t, "o", process.Cancel, "x")
		if want := []int{1, 1, 2, 2, 3, 3, 4, 4, 2, 2}; !slices.Equal(y.revisions, want) {
			t.Errorf("the warehouse heard of the revisions %v, want %v", y.revisions, want)
		}
		s.agree(t, basic("o"))
	})
	t.Run("nobody answers for half a minute", func(t *testing.T) {
		t.Parallel()
		y := &yard{}
		s := start(t, y)
		y.away = true
		waits(t, s.do(t.Context(), "o", process.Cancel, "x"))
		s.world.advance(30 * time.Second)
		if err := s.do(t.Context(), "o", process.Cancel, "x"); !errors.Is(err, warehouse.ErrAway) {
			t.Errorf("the jobs are not resumed, got %v", err)
		}
		if o := s.order(t, "o"); o.Status != domainorder.StatusProcessing || o.CancelRefused.Reason != "warehouse-unanswered" {
			t.Errorf("%s, %+v", o.Status, o.CancelRefused)
		}
		y.away = false
		s.must(t, "o", process.Cancel, "x")
		if got := y.heard[len(y.heard)-2:]; !slices.Equal(got, []string{"resume j1", "resume j2"}) {
			t.Errorf("the warehouse heard %v", y.heard)
		}
		s.agree(t, basic("o"))
	})
	t.Run("a job waits for a hold, and is not submitted for a cancelled order", func(t *testing.T) {
		t.Parallel()
		y := &yard{}
		s := newWorld(t).shop(t)
		s.Warehouse = y
		s.place(t, basic("o"))
		s.tell(t, "o", request("j1", 3, 0))
		s.tell(t, "o", domainorder.Hold{HoldID: "h", Reason: domainorder.HoldFraud})
		waits(t, s.do(t.Context(), "o", process.Fulfil, "j1"))
		s.tell(t, "o", cancelled)
		waits(t, s.do(t.Context(), "o", process.Fulfil, "j1"))
		s.must(t, "o", process.Cancel, "x")
		s.must(t, "o", process.Fulfil, "j1")
		if !slices.Equal(y.heard, []string{"stop j1"}) {
			t.Errorf("the warehouse heard %v", y.heard)
		}
	})
}

// A parcel overtakes a cancellation that has undone everything but itself: its
// units leave all the same, their money is authorised and captured anew, and
// what is left waits for stock.
func TestAParcelOvertakesACancellation(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.tell(t, "o", cancelled)
	s.Fault = func(step string) error {
		if step == "released r-o-1" {
			s.Fault = nil
			s.parcel(t, "o", "a", 1, 0)
		}
		return nil
	}
	s.must(t, "o", process.Cancel, "x")
	o := s.order(t, "o")
	if o.Status != domainorder.StatusOnHold || o.Holds[0].Reason != domainorder.HoldStockShortfall {
		t.Fatalf("the order is %s, %+v", o.Status, o.Holds)
	}
	s.must(t, "o", process.ShipStock, "a")
	s.must(t, "o", process.ShipStock, "a")
	if i := s.item(t, "o-0"); i.OnHand != 9 || i.Committed != 0 {
		t.Errorf("%d on hand, %d committed", i.OnHand, i.Committed)
	}
	s.tell(t, "o", domainorder.ReleaseHold{By: "me"})
	s.must(t, "o", process.Capture, "a")
	s.must(t, "o", process.Capture, "a")
	if o := s.order(t, "o"); o.Money().Captured != eur(733) || o.Money().Held != eur(1901) && o.Money().Held != eur(733) {
		t.Errorf("%s captured, %s held", o.Money().Captured, o.Money().Held)
	}
	if err := s.world.sandbox.Audit(t.Context()); err != nil {
		t.Error(err)
	}
}

// editLine leaves a line so many units, at the same price.
func (s *shop) editLine(t *testing.T, edit string, line, quantity int) {
	t.Helper()
	o := s.order(t, "o")
	s.tell(t, "o", fewer(o.Lines[line], edit, quantity))
}

func TestEditing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oneSKU  bool
		atOnce  bool
		edits   []int // what each leaves of the first line
		refunds int64
		held    int64
	}{
		"units are taken out":                        {edits: []int{1}, held: 1901},
		"and more":                                   {edits: []int{2, 1}, held: 1901},
		"a line is taken out":                        {edits: []int{0}, held: 1901},
		"units are taken out that were paid for":     {atOnce: true, edits: []int{1}, refunds: 667, held: 1901},
		"and more that were paid for":                {atOnce: true, edits: []int{2, 1}, refunds: 667, held: 1901},
		"a line is taken out that was paid for":      {atOnce: true, edits: []int{0}, refunds: 1000, held: 1901},
		"units of one of two lines of a SKU":         {oneSKU: true, edits: []int{1}, held: 1901},
		"one of two lines of a SKU that is paid for": {oneSKU: true, atOnce: true, edits: []int{0}, refunds: 1000, held: 1901},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			o := basic("o")
			o.oneSKU = c.oneSKU
			s.place(t, o)
			if c.atOnce {
				s.must(t, "o", process.Capture, "order")
			}
			for i, n := range c.edits {
				s.editLine(t, string(rune('a'+i)), 0, n)
			}
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			if m := s.order(t, "o").Money(); m.Refunded != eur(c.refunds) || m.Held != eur(c.held) {
				t.Errorf("%s given back, %s held", m.Refunded, m.Held)
			}
			s.agree(t, o)
			s.parcel(t, "o", "p", c.edits[len(c.edits)-1], 2)
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			left := s.order(t, "o")
			if m := left.Money(); m.Captured.Amount-m.Refunded.Amount != left.Totals.Grand.Amount {
				t.Errorf("%s captured, %s given back, of %s", m.Captured, m.Refunded, left.Totals.Grand)
			}
			s.agree(t, o)
		})
	}
}

func TestAnEditDuringACancellation(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	s.place(t, basic("o"))
	s.editLine(t, "e", 0, 1)
	s.tell(t, "o", cancelled)
	waits(t, s.do(t.Context(), "o", process.Edit, "e"))
	s.must(t, "o", process.Cancel, "x")
	s.must(t, "o", process.Edit, "e")
	if r, _ := s.item(t, "o-0").Reservation("r-o-0"); r.Status != domainstock.StatusReleased {
		t.Errorf("%+v", r)
	}
	s.agree(t, basic("o"))
}
