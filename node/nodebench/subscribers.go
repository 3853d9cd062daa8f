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
	Decoded                  bool // by the official client; else only the time is looked for
	Rate                     int  // appends per second that were wanted
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

// subscribers measures twice: by the official client, as a shop's programs are
// told, and by subscribers that look for the time of an event and decode nothing
// else. All of them share the processors with the node, and the official client
// spends twice as much on an event as the node: what is left is the node's.
func (o *Options) subscribers(ctx context.Context) ([]Subscribers, error) {
	both := []Subscribers{{Decoded: true}, {}}
	for i := range both {
		s := &both[i]
		s.Subscribers, s.Connections, s.Rate = subscriberCount, subscriberConnections, subscriberRate
		o.Say(fmt.Sprintf("%d subscribers, %s", s.Subscribers, o.Duration))
		name := fmt.Sprintf("subscribers-%d", i)
		err := o.on(ctx, name, func(n Node) error { return o.subscribed(ctx, n, s) })
		if err := errors.Join(err, o.remove(name)); err != nil {
			return nil, err
		}
	}
	return both, nil
}

func (o *Options) subscribed(ctx context.Context, n Node, s *Subscribers) error {
	clients, err := connect(n.ConnectionString(), 1)
	if err != nil {
		return err
	}
	defer closeAll(clients)
	ctx, cancel := context.WithTimeout(ctx, o.Duration+time.Minute)
	defer cancel()
	subscribe := subscribePlain
	if s.Decoded {
		subscribe = subscribeOfficial
	}
	all, end, err := subscribe(ctx, n.ConnectionString(), s.Subscribers, s.Connections)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer end()
	s.Processor, err = processor(n, func() error { return o.follow(ctx, clients[0], all, s) })
	s.Processor.share(s.Received)
	return err
}

// A subscriber returns when the next event was appended, in nanoseconds since
// 1970.
type subscriber func() (sent int64, err error)

// follow has the client append while the others receive.
func (o *Options) follow(ctx context.Context, appender *esdb.Client, all []subscriber, s *Subscribers) error {
	appends := int(o.Duration.Seconds() * float64(s.Rate))
	total, received := newLatencies(), atomic.Int64{}
	var (
		mu      sync.Mutex
		waiting sync.WaitGroup
		failed  error
	)
	for _, next := range all {
		waiting.Go(func() {
			own := newLatencies()
			err := o.receive(next, appends, func(took time.Duration) {
				received.Add(1)
				_ = own.RecordValue(int64(took)) // longer than a minute is not recorded
			})
			mu.Lock()
			defer mu.Unlock()
			total.Merge(own)
			failed = errors.Join(failed, err)
		})
	}
	err := o.tick(ctx, appender, appends, s.Rate)
	waiting.Wait()
	s.Appended, s.Received = appends, received.Load()
	s.P50, s.P95, s.P99 = quantile(total, 50), quantile(total, 95), quantile(total, 99)
	return errors.Join(err, failed)
}

// receive ends after so many events.
func (o *Options) receive(next subscriber, events int, took func(time.Duration)) error {
	for range events {
		sent, err := next()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
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
