// Package numbers gives orders their numbers. It promises that no two orders
// get the same, in however many processes; numbers may be skipped, and those
// of different processes are not in the order of time.
package numbers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/domain/numbers"
	"github.com/waybill-dev/waybill/eventstore"
)

// timeout bounds taking a block, which goes on when the caller who found the
// numbers short has gone.
const timeout = 5 * time.Second

// Allocator hands out the numbers of one tenant. It takes a block of them from
// the log at a time, and the next one while half a block is left.
type Allocator struct {
	Store  eventstore.Store
	Tenant string
	// NewID makes ids, never the same twice.
	NewID func() string

	mu       sync.Mutex
	ranges   []numbers.OrderNumbersReserved // what is left
	refill   *refill                        // under way, or nil
	snapshot *eventstore.Snapshot[numbers.State]
}

// refill is the taking of a block. err is set before done is closed.
type refill struct {
	done chan struct{}
	err  error
}

// Next returns a number nobody has.
func (a *Allocator) Next(ctx context.Context) (string, error) {
	for {
		number, wait := a.take(ctx)
		if wait == nil {
			return strconv.FormatInt(number, 10), nil
		}
		select {
		case <-wait.done:
			if wait.err != nil {
				return "", fmt.Errorf("take order numbers: %w", wait.err)
			}
		case <-ctx.Done():
			return "", fmt.Errorf("take order numbers: %w", errors.Join(eventstore.ErrUnavailable, context.Cause(ctx)))
		}
	}
}

// take returns a number, or what to wait for.
func (a *Allocator) take(ctx context.Context) (int64, *refill) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var left int64
	for _, r := range a.ranges {
		left += r.To - r.From + 1
	}
	if left <= numbers.Block/2 && a.refill == nil {
		a.refill = &refill{done: make(chan struct{})}
		go a.fill(context.WithoutCancel(ctx), a.refill)
	}
	if left == 0 {
		return 0, a.refill
	}
	first := &a.ranges[0]
	number := first.From
	if first.From++; first.From > first.To {
		a.ranges = a.ranges[1:]
	}
	return number, nil
}

func (a *Allocator) fill(ctx context.Context, r *refill) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	block, err := a.block(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.ranges = append(a.ranges, block)
	}
	a.refill, r.err = nil, err
	close(r.done)
}

// block takes the next block, again while other processes come first. Only one
// goroutine at a time is here.
func (a *Allocator) block(ctx context.Context) (numbers.OrderNumbersReserved, error) {
	if a.snapshot == nil {
		a.snapshot = &eventstore.Snapshot[numbers.State]{Revision: eventstore.NoStream}
	}
	meta := eventstore.Metadata{CommandID: a.NewID(), Actor: eventstore.Actor{Type: "system", ID: "numbers"}}
	stream := numbers.Decider.Stream(a.Tenant)
	for read := a.snapshot.Revision == eventstore.NoStream; ; read = true {
		if read {
			state, revision, err := eventstore.Resume(ctx, a.Store, numbers.Decider, a.Tenant, *a.snapshot)
			if err != nil {
				return numbers.OrderNumbersReserved{}, err
			}
			a.snapshot.State, a.snapshot.Revision = state, revision
		}
		events, err := numbers.Decider.Decide(a.snapshot.State, numbers.Reserve{})
		if err != nil {
			return numbers.OrderNumbersReserved{}, err
		}
		done, err := a.Store.Append(ctx, stream, a.snapshot.Revision, eventstore.NewEvents(stream, meta, events...)...)
		if errors.Is(err, eventstore.ErrConflict) {
			continue
		}
		if err != nil {
			a.snapshot = nil // what was asked for may have happened
			return numbers.OrderNumbersReserved{}, err
		}
		a.snapshot.State, a.snapshot.Revision = numbers.Decider.Fold(a.snapshot.State, events...), done.Revision
		block, _ := events[0].(numbers.OrderNumbersReserved)
		return block, nil
	}
}
