package nodebench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// callers append at once, for a while at a time.
type callers struct {
	all       []*caller
	now       func() time.Time
	took      time.Duration // of all turns
	latencies *hdrhistogram.Histogram
}

// A caller appends one event after the other.
type caller struct {
	client    Appender
	name      string
	appended  int
	random    *rand.Rand
	latencies *hdrhistogram.Histogram // of this turn
}

func newCallers(clients []Appender, count int, now func() time.Time) *callers {
	c := &callers{all: make([]*caller, count), now: now, latencies: newLatencies()}
	for i := range c.all {
		c.all[i] = &caller{
			client: clients[i%len(clients)], name: "bench-" + strconv.Itoa(i) + ".",
			random: source(i), latencies: newLatencies(),
		}
	}
	return c
}

func (c *callers) call(ctx context.Context, turn time.Duration) error {
	began, errs := c.now(), make([]error, len(c.all))
	end := began.Add(turn)
	var wait sync.WaitGroup
	for i, one := range c.all {
		wait.Go(func() { errs[i] = one.call(ctx, c.now, end) })
	}
	wait.Wait()
	c.took += c.now().Sub(began)
	for _, one := range c.all {
		c.latencies.Merge(one.latencies)
		one.latencies.Reset()
	}
	return errors.Join(errs...)
}

func (c *caller) call(ctx context.Context, now func() time.Time, end time.Time) error {
	for before := now(); before.Before(end); {
		if err := c.append(ctx); err != nil {
			return err
		}
		after := now()
		_ = c.latencies.RecordValue(int64(after.Sub(before))) // longer than a minute is not recorded
		before = after
	}
	return nil
}

func (c *caller) append(ctx context.Context) error {
	const perStream = 5
	stream, last := c.name+strconv.Itoa(c.appended/perStream), c.appended%perStream-1
	if err := c.client.Append(ctx, stream, int64(last), payload(c.random)); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	c.appended++
	return nil
}
