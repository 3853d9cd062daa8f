package nodebench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Subscribers is a run with live subscriptions to one stream that is appended to
// at a steady rate.
type Subscribers struct {
	Subscribers, Connections int
	Rate                     int // appends per second that were wanted
	Appended                 int
	Received                 int64
	P50, P95, P99            time.Duration // from before the append to the receipt
	Processor                Processor     // of a receipt, its part of the append included
}

const (
	subscriberCount       = 100
	subscriberConnections = 4
	subscriberRate        = 2000
	subscriberStream      = "ticks"
)

func (o *Options) subscribers(ctx context.Context) (s Subscribers, err error) {
	s = Subscribers{Subscribers: subscriberCount, Connections: subscriberConnections, Rate: subscriberRate}
	o.Say(fmt.Sprintf("%d subscribers, %s", s.Subscribers, o.Duration))
	err = o.on(ctx, "subscribers", func(n Node) error {
		clients, err := connect(n.ConnectionString(), s.Connections+1)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		ctx, cancel := context.WithTimeout(ctx, o.Duration+time.Minute)
		defer cancel()
		s.Processor, err = processor(n, func() error { return o.follow(ctx, clients, &s) })
		s.Processor.share(s.Received)
		return err
	})
	return s, errors.Join(err, o.remove("subscribers"))
}

// follow has the last client append while the others receive.
func (o *Options) follow(ctx context.Context, clients []*esdb.Client, s *Subscribers) error {
	last := len(clients) - 1
	subs := make([]*esdb.Subscription, s.Subscribers)
	for i := range subs {
		sub, err := clients[i%last].SubscribeToStream(ctx, subscriberStream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		defer sub.Close()
		subs[i] = sub
	}
	appends := int(o.Duration.Seconds() * float64(s.Rate))
	total, received := newLatencies(), atomic.Int64{}
	var (
		mu      sync.Mutex
		waiting sync.WaitGroup
		failed  error
	)
	for _, sub := range subs {
		waiting.Go(func() {
			own := newLatencies()
			err := o.receive(sub, appends, func(took time.Duration) {
				received.Add(1)
				_ = own.RecordValue(int64(took)) // longer than a minute is not recorded
			})
			mu.Lock()
			defer mu.Unlock()
			total.Merge(own)
			failed = errors.Join(failed, err)
		})
	}
	err := o.tick(ctx, clients[last], appends, s.Rate)
	waiting.Wait()
	s.Appended, s.Received = appends, received.Load()
	s.P50, s.P95, s.P99 = quantile(total, 50), quantile(total, 95), quantile(total, 99)
	return errors.Join(err, failed)
}

// receive ends after so many events.
func (o *Options) receive(sub *esdb.Subscription, events int, took func(time.Duration)) error {
	for n := 0; n < events; {
		e := sub.Recv()
		if e.SubscriptionDropped != nil {
			return fmt.Errorf("receive: %w", e.SubscriptionDropped.Error)
		}
		if e.EventAppeared == nil {
			continue
		}
		n++
		sent := int64(binary.BigEndian.Uint64(e.EventAppeared.Event.Data))
		took(time.Duration(o.Now().UnixNano() - sent))
	}
	return nil
}

// tick appends at the rate, whatever an append takes: several run at once.
func (o *Options) tick(ctx context.Context, c *esdb.Client, appends, rate int) error {
	const callers = 32
	var (
		next   atomic.Int64
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	began := o.Now()
	for caller := range callers {
		wait.Go(func() {
			data := payload(source(caller))
			for i := next.Add(1) - 1; i < int64(appends); i = next.Add(1) - 1 {
				due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
				time.Sleep(due.Sub(o.Now()))
				binary.BigEndian.PutUint64(data, uint64(o.Now().UnixNano()))
				_, err := c.AppendToStream(ctx, subscriberStream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}},
					esdb.EventData{EventType: "Ticked", ContentType: esdb.ContentTypeBinary, Data: data})
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("append: %w", err))
					mu.Unlock()
					return
				}
			}
		})
	}
	wait.Wait()
	return failed
}
