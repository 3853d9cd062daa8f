package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Traffic is how live orders went at a steady rate: each is placed when its
// time has come, whether or not earlier ones were answered, then looked for in
// the list, and then an earlier one is read.
type Traffic struct {
	Orders    int
	Placing   Times
	Reading   Times // an earlier order, from the list
	Listed    Times // from the answer until the list shows the order, which is waited for
	Failed    int   // requests that were not answered as they should
	Wrong     int   // answers that were not what was placed
	Failure   string
	Processor float64 // of the platform, in processors
}

// Times are quantiles.
type Times struct{ P50, P99, Max time.Duration }

// String implements [fmt.Stringer].
func (t Times) String() string { return fmt.Sprintf("%s, %s, %s", ms(t.P50), ms(t.P99), ms(t.Max)) }

func timesOf(h *hdrhistogram.Histogram) Times {
	return Times{P50: quantile(h, 50), P99: quantile(h, 99), Max: time.Duration(h.Max()) * time.Microsecond}
}

// measured is Traffic while it is on.
type measured struct {
	mu                       sync.Mutex
	placing, reading, listed *hdrhistogram.Histogram
	result                   Traffic
}

func (m *measured) took(h *hdrhistogram.Histogram, since time.Time) {
	d := time.Since(since)
	m.mu.Lock()
	defer m.mu.Unlock()
	record(h, d)
}

func (m *measured) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if errors.Is(err, errWrong) {
		m.result.Wrong++
	} else {
		m.result.Failed++
	}
	m.result.Failure = err.Error()
}

// mostUnanswered is how many orders may be on their way at once: more say that
// the rate is beyond the platform, and what is measured nothing.
const mostUnanswered = 5000

// traffic places orders until it is told to stop.
func (s *shop) traffic(ctx context.Context, rate int, stop <-chan struct{}) (Traffic, error) {
	m := &measured{placing: newHistogram(), reading: newHistogram(), listed: newHistogram()}
	var unanswered atomic.Int64
	var shopping sync.WaitGroup
	first := s.next
	before, err := s.platform.processorTimes()
	if err != nil {
		return m.result, err
	}
	began, over := time.Now(), false
	n := 0
	for ; !over; n++ {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(rate))
		timer := time.NewTimer(time.Until(due))
		select {
		case <-timer.C:
		case <-stop:
			over = true
		case <-ctx.Done():
			over = true
		}
		timer.Stop()
		if over {
			break
		}
		if unanswered.Add(1) > mostUnanswered {
			return m.result, fmt.Errorf("%d orders are not answered: the platform cannot take %d a second here", mostUnanswered, rate)
		}
		number := first + n
		shopping.Go(func() {
			defer unanswered.Add(-1)
			s.visit(ctx, m, number, due)
		})
	}
	shopping.Wait()
	s.next = first + n
	after, err := s.platform.processorTimes()
	m.result.Processor = (after.platform - before.platform).Seconds() / time.Since(began).Seconds()
	m.result.Placing, m.result.Reading, m.result.Listed = timesOf(m.placing), timesOf(m.reading), timesOf(m.listed)
	return m.result, errors.Join(err, ctx.Err())
}

// visit places one order, waits until it is listed, and reads another.
func (s *shop) visit(ctx context.Context, m *measured, n int, due time.Time) {
	k, position, err := s.place(ctx, n)
	if err != nil {
		m.failed(err)
		return
	}
	m.took(m.placing, due)
	if k.id == "" {
		return // the payment is not decided yet
	}
	m.mu.Lock()
	m.result.Orders++
	m.mu.Unlock()
	answered := time.Now()
	if err := s.look(ctx, k, position); err != nil {
		m.failed(err)
	} else {
		m.took(m.listed, answered)
	}
	other := s.earlier(n)
	s.remember(k)
	reading := time.Now()
	if err := s.look(ctx, other, 0); err != nil {
		m.failed(err)
		return
	}
	m.took(m.reading, reading)
}
