package grpcapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// quick settings let a checkpoint follow each acknowledgement.
func quick() *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	s.CheckpointLowerBound, s.CheckpointUpperBound = 1, 1
	return &s
}

func settings(change func(*esdb.PersistentSubscriptionSettings)) *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	change(&s)
	return &s
}

// createGroup makes a group from the start of the stream.
func createGroup(tb testing.TB, c *esdb.Client, stream, group string, s *esdb.PersistentSubscriptionSettings) {
	tb.Helper()
	err := c.CreatePersistentSubscription(deadline(tb), stream, group, esdb.PersistentStreamSubscriptionOptions{
		StartFrom: esdb.Start{}, Settings: s,
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// A member is a client of a group. What the group sends is taken at once, so
// that silence can be seen.
type member struct {
	tb  testing.TB
	sub *esdb.PersistentSubscription
	got chan *esdb.PersistentSubscriptionEvent
}

func joinGroup(tb testing.TB, c *esdb.Client, stream, group string, buffer uint32) *member {
	tb.Helper()
	sub, err := c.SubscribeToPersistentSubscription(context.Background(), stream, group,
		esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: buffer})
	return newMember(tb, sub, err)
}

func newMember(tb testing.TB, sub *esdb.PersistentSubscription, err error) *member {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	m := &member{tb: tb, sub: sub, got: make(chan *esdb.PersistentSubscriptionEvent, 10_000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			e := sub.Recv()
			m.got <- e
			if e.SubscriptionDropped != nil {
				return
			}
		}
	}()
	tb.Cleanup(func() {
		_ = sub.Close()
		<-ended
	})
	return m
}

// next waits for an event.
func (m *member) next() *esdb.EventAppeared {
	m.tb.Helper()
	select {
	case e := <-m.got:
		if e.EventAppeared == nil {
			m.tb.Fatalf("the subscription was dropped: %v", e.SubscriptionDropped.Error)
		}
		return e.EventAppeared
	case <-time.After(15 * time.Second):
		m.tb.Fatal("no event came")
	}
	return nil
}

// take waits for n events and tells them: a letter each, with the count of
// retries behind it when there were any.
func (m *member) take(n int) (string, []*esdb.ResolvedEvent) {
	m.tb.Helper()
	var said strings.Builder
	var list []*esdb.ResolvedEvent
	for range n {
		e := m.next()
		said.WriteString(letterOf(e.Event))
		if e.RetryCount > 0 {
			fmt.Fprint(&said, e.RetryCount)
		}
		list = append(list, e.Event)
	}
	return said.String(), list
}

// wants takes as many events as there are letters and compares.
func (m *member) wants(letters string) []*esdb.ResolvedEvent {
	m.tb.Helper()
	n := len(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, letters))
	got, list := m.take(n)
	if got != letters {
		m.tb.Fatalf("the group sent %q, want %q", got, letters)
	}
	return list
}

// silent fails when something comes within a moment.
func (m *member) silent() {
	m.tb.Helper()
	select {
	case e := <-m.got:
		if e.EventAppeared != nil {
			m.tb.Fatalf("the group sent %s, want nothing", letterOf(e.EventAppeared.Event))
		}
		m.tb.Fatalf("the subscription was dropped: %v", e.SubscriptionDropped.Error)
	case <-time.After(300 * time.Millisecond):
	}
}

func (m *member) ack(list ...*esdb.ResolvedEvent) {
	m.tb.Helper()
	if err := m.sub.Ack(list...); err != nil {
		m.tb.Fatal(err)
	}
}

func (m *member) nack(action esdb.NackAction, list ...*esdb.ResolvedEvent) {
	m.tb.Helper()
	if err := m.sub.Nack("because", action, list...); err != nil {
		m.tb.Fatal(err)
	}
}

// dropped waits for the end and returns why.
func (m *member) dropped() error {
	m.tb.Helper()
	for {
		select {
		case e := <-m.got:
			if e.SubscriptionDropped != nil {
				return e.SubscriptionDropped.Error
			}
		case <-time.After(15 * time.Second):
			m.tb.Fatal("the subscription goes on")
		}
	}
}

func (m *member) wantDropped() {
	m.tb.Helper()
	if err := m.dropped(); status.Code(err) != codes.Canceled || !strings.Contains(err.Error(), "was dropped") {
		m.tb.Errorf("the subscription ended with %v, want cancelled because it was dropped", err)
	}
}

func infoOf(tb testing.TB, c *esdb.Client, stream, group string) *esdb.PersistentSubscriptionInfo {
	tb.Helper()
	info, err := c.GetPersistentSubscriptionInfo(deadline(tb), stream, group, esdb.GetPersistentSubscriptionOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

// eventually asks until it is true. Some things take a tick of a second.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for range 150 {
		if is() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	tb.Fatal(what)
}
