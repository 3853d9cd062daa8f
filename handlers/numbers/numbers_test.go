package numbers_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/numbers"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNoNumberIsGivenTwice(t *testing.T) {
	t.Parallel()
	address := nodetest.Start(t)
	seen := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 3 {
		process := &numbers.Allocator{Store: handlertest.Connect(t, address), Tenant: "default", NewID: uuid.NewString}
		for range 4 {
			wg.Go(func() {
				for range 150 {
					number, err := process.Next(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[number] {
						t.Errorf("%s was given twice", number)
					}
					seen[number] = true
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	if len(seen) != 1800 || !seen["100001"] {
		t.Errorf("%d numbers, the first among them: %v", len(seen), seen["100001"])
	}
}

func TestTheStoreIsAway(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{})
	a := &numbers.Allocator{Store: handlertest.Connect(t, node.ConnectionString()), Tenant: "default", NewID: uuid.NewString}
	node.Stop()
	if _, err := a.Next(t.Context()); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}
