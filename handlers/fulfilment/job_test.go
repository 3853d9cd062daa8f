package fulfilment_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	jobs "github.com/waybill-dev/waybill/gateways/warehouse/sandbox"
	"github.com/waybill-dev/waybill/handlers/process"
)

// warehouse is one with a system.
func startWarehouse(t *testing.T) (*jobs.Server, *warehouse.Client) {
	t.Helper()
	s, err := jobs.Listen(t.Context(), "127.0.0.1:0", jobs.Config{Ledger: filepath.Join(t.TempDir(), "jobs.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	client := warehouse.Connect(warehouse.Config{URL: s.URL()})
	t.Cleanup(client.Close)
	return s, client
}

// A cancellation is killed at every gap, while a picker may be faster at any
// moment: in the end the warehouse stopped what was cancelled, and goes on with
// what was not.
func TestTheWarehouseAndTheOrderAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	yard, client := startWarehouse(t)
	for gap := range 40 {
		random := rand.New(rand.NewPCG(uint64(gap), 9)) //nolint:gosec // small
		c := basic(fmt.Sprint("o", gap))
		s := w.shop(t)
		s.Warehouse = client
		s.place(t, c)
		first, second := c.id+"-1", c.id+"-2"
		s.tell(t, c.id, request(first, 3, 0))
		s.tell(t, c.id, request(second, 0, 2))
		s.must(t, c.id, process.Fulfil, first)
		s.must(t, c.id, process.Fulfil, second)
		s.tell(t, c.id, cancelled)

		picked := random.IntN(12)
		steps, dead := killAfter(gap)
		s.Fault = func(step string) error {
			if picked--; picked == 0 {
				if _, err := yard.Pick(t.Context(), second); err != nil {
					t.Error(err)
				}
			}
			return steps(step)
		}
		err := s.do(t.Context(), c.id, process.Cancel, "x")
		if dead() != errors.Is(err, errKilled) {
			t.Fatalf("killed at gap %d: %v", gap, err)
		}
		last := s.again(t)
		if err := last.work(t, c.id); err != nil {
			t.Errorf("not finished: %v", err)
		}
		want := jobs.Stopped
		o := last.order(t, c.id)
		if o.Status != domainorder.StatusCancelled {
			want = jobs.Submitted
		}
		all, err := yard.Jobs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range all {
			refused := j.Status == jobs.Picked && o.CancelRefused.Reason == "picked"
			if j.OrderID == c.id && j.Status != want && !refused {
				t.Errorf("the order is %s, its job %s is %s", o.Status, j.RequestID, j.Status)
			}
		}
		if last.agree(t, c); t.Failed() {
			t.Fatalf("killed at gap %d", gap)
		}
	}
}
