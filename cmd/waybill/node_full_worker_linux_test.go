package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// A worker is a client of a group that follows the stream of a crampedNode.
type worker struct {
	n       *crampedNode
	sub     *esdb.PersistentSubscription
	handled map[string]string // what became of each event, by id
}

func newWorker(n *crampedNode) *worker {
	n.t.Helper()
	s := esdb.SubscriptionSettingsDefault()
	s.CheckpointLowerBound, s.CheckpointUpperBound = 1, 1
	err := n.client.CreatePersistentSubscription(n.deadline(), "work", "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}, Settings: &s})
	if known, ok := esdb.FromError(err); !ok && known.Code() != esdb.ErrorCodeResourceAlreadyExists {
		n.t.Fatal(err)
	}
	w := &worker{n: n, handled: map[string]string{}}
	w.sub, err = n.client.SubscribeToPersistentSubscription(context.Background(), "work", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 10})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = w.sub.Close() })
	return w
}

func (w *worker) takes(count int, how string) {
	w.n.t.Helper()
	for range count {
		e := w.sub.Recv()
		if e.EventAppeared == nil {
			w.n.t.Fatalf("the group has ended: %v", e.SubscriptionDropped.Error)
		}
		w.answers(e.EventAppeared.Event, how)
	}
}

func (w *worker) answers(e *esdb.ResolvedEvent, how string) {
	w.n.t.Helper()
	var err error
	if how == "park" {
		err = w.sub.Nack("because", esdb.NackActionPark, e)
	} else {
		err = w.sub.Ack(e)
	}
	if err != nil {
		w.n.t.Fatal(err)
	}
	w.handled[e.Event.EventID.String()] = how
	if how == "park" {
		w.n.parked = e.Event.EventID.String()
	}
}

func (w *worker) stats() *esdb.PersistentSubscriptionStats {
	w.n.t.Helper()
	info, err := w.n.client.GetPersistentSubscriptionInfo(w.n.deadline(), "work", "g", esdb.GetPersistentSubscriptionOptions{})
	if err != nil {
		w.n.t.Fatal(err)
	}
	return info.Stats
}

// checkpoint is -1 where there is none.
func (w *worker) checkpoint() int64 {
	w.n.t.Helper()
	if at := w.stats().LastCheckpointedEventRevision; at != nil {
		return int64(*at) //nolint:gosec // of a few events
	}
	return -1
}

// rest takes all that is left, until the group has a checkpoint behind all. What
// was to be parked is parked, or came again.
func (w *worker) rest() {
	w.n.t.Helper()
	last := w.n.stored[len(w.n.stored)-1]
	for w.handled[last] == "" {
		w.takes(1, "ack")
	}
	w.n.await("a checkpoint at the end, and the message parked that was to be", func() bool {
		end := w.stats().LastKnownEventRevision
		return end != nil && w.checkpoint() == int64(*end) && //nolint:gosec // of a few events
			(w.stats().ParkedMessagesCount == 1 || w.handled[w.n.parked] == "ack")
	})
	_ = w.sub.Close()
}

// A follower is a catch-up subscription.
type follower struct {
	n    *crampedNode
	mu   sync.Mutex
	seen []string
}

func followWork(n *crampedNode) *follower {
	n.t.Helper()
	s, err := n.client.SubscribeToStream(context.Background(), "work", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		n.t.Fatal(err)
	}
	f := &follower{n: n}
	go func() {
		for {
			e := s.Recv()
			if e.SubscriptionDropped != nil {
				return
			}
			if e.EventAppeared != nil {
				f.mu.Lock()
				f.seen = append(f.seen, e.EventAppeared.Event.EventID.String())
				f.mu.Unlock()
			}
		}
	}()
	n.t.Cleanup(func() { _ = s.Close() })
	return f
}

func (f *follower) has(ids []string) {
	f.n.t.Helper()
	var seen []string
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(20 * time.Millisecond) {
		f.mu.Lock()
		seen = slices.Clone(f.seen)
		f.mu.Unlock()
		if len(seen) >= len(ids) {
			break
		}
	}
	if len(seen) < len(ids) || !slices.Equal(seen[:len(ids)], ids) {
		f.n.t.Errorf("the follower has %d events, want %d, or others", len(seen), len(ids))
	}
}
