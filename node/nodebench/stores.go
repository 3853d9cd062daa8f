package nodebench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// Store is what a node over that many events does.
type Store struct {
	Events  int
	Fill    time.Duration // to write them, without the protocol
	Opened  time.Duration // from the start of the process to the first answer
	All     float64       // events per second, reading the log
	Stream  float64       // reading a stream of half the events
	Short   time.Duration // median to read a stream of twenty events, at random
	Memory  int64         // after the reads, at most, in bytes
	Verify  time.Duration // to check every record and index
	Checked int64         // bytes it read for that
}

// longStream has half of all events, the rest are twenty to a stream.
const (
	longStream  = "long"
	shortStream = 20
)

func (o *Options) store(ctx context.Context, events int) (s Store, err error) {
	s.Events = events
	name := "store-" + strconv.Itoa(events)
	began := o.Now()
	if err := o.fill(ctx, filepath.Join(o.Dir, name), events); err != nil {
		return s, fmt.Errorf("fill a store: %w", err)
	}
	s.Fill = o.Now().Sub(began)
	began = o.Now()
	o.Say(fmt.Sprintf("reads of %d events", events))
	err = o.on(ctx, name, func(n Node) error {
		s.Opened = o.Now().Sub(began)
		if err := o.reads(ctx, n, &s); err != nil {
			return err
		}
		_, peak, err := n.Memory()
		s.Memory = peak
		return err
	})
	if err == nil {
		err = o.verify(ctx, filepath.Join(o.Dir, name), &s)
	}
	return s, errors.Join(err, o.remove(name))
}

// fill appends without the protocol between, so that a large store is there in
// a minute.
func (o *Options) fill(ctx context.Context, dir string, events int) error {
	const batch = 500
	n, err := node.Open(node.Config{Dir: EventsDir(dir), Now: o.Now})
	if err != nil {
		return err
	}
	waiting := make(chan error, 16) // appends that may be on their way at once
	running := 0
	for first := 0; first < events && err == nil; first += batch {
		o.Progress("fill", first, events)
		if running == cap(waiting) {
			err = <-waiting
			running--
		}
		running++
		go func() { waiting <- appendBatch(ctx, n, first, batch) }()
	}
	for range running {
		err = errors.Join(err, <-waiting)
	}
	o.Progress("fill", events, events)
	return errors.Join(err, n.Close())
}

// appendBatch writes every other batch to the long stream.
func appendBatch(ctx context.Context, n *node.Node, first, count int) error {
	events, random := make([]node.Event, count), source(first)
	for i := range events {
		events[i] = node.Event{ID: uuid.New(), Type: "OrderPlaced", JSON: true, Data: payload(random)}
	}
	if first/count%2 == 0 {
		_, err := n.Append(ctx, node.Append{Stream: longStream, Expected: node.ExpectAny, Events: events})
		return err
	}
	for i := 0; i < count; i += shortStream {
		a := node.Append{Stream: shortName(first + i), Expected: node.ExpectNoStream, Events: events[i : i+shortStream]}
		if _, err := n.Append(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func shortName(first int) string { return "short-" + strconv.Itoa(first) }

// EventsDir is where below a data folder the node keeps its files.
func EventsDir(dir string) string { return filepath.Join(dir, "events") }

func (o *Options) reads(ctx context.Context, n Node, s *Store) error {
	clients, err := connect(n.ConnectionString(), 1)
	if err != nil {
		return err
	}
	defer closeAll(clients)
	c := clients[0]
	s.All, err = o.rate(func() (*esdb.ReadStream, error) {
		return c.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.Start{}}, math.MaxUint64)
	})
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	s.Stream, err = o.rate(func() (*esdb.ReadStream, error) {
		return c.ReadStream(ctx, longStream, esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxUint64)
	})
	if err != nil {
		return fmt.Errorf("read a stream: %w", err)
	}
	return o.shorts(ctx, c, s)
}

// rate reads until the end, or for twice the duration.
func (o *Options) rate(read func() (*esdb.ReadStream, error)) (perSecond float64, err error) {
	began := o.Now()
	stream, err := read()
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	for n := 0; ; n++ {
		_, err := stream.Recv()
		took := o.Now().Sub(began)
		if errors.Is(err, io.EOF) || err == nil && took > 2*o.Duration {
			return float64(n) / took.Seconds(), nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// shorts reads streams that are far from each other.
func (o *Options) shorts(ctx context.Context, c *esdb.Client, s *Store) error {
	const reads, batch = 500, 500
	latencies := newLatencies()
	batches := s.Events / batch / 2
	for i := range min(reads, batches) {
		first := (i*7919%batches*2 + 1) * batch
		before := o.Now()
		stream, err := c.ReadStream(ctx, shortName(first), esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxUint64)
		if err != nil {
			return fmt.Errorf("read %s: %w", shortName(first), err)
		}
		for err == nil {
			_, err = stream.Recv()
		}
		stream.Close()
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", shortName(first), err)
		}
		_ = latencies.RecordValue(int64(o.Now().Sub(before))) // longer than a minute is not recorded
	}
	s.Short = quantile(latencies, 50)
	return nil
}
