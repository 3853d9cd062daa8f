package grpcapi_test

import (
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/node/nodetest"
)

func withIndex(tb testing.TB) *esdb.Client {
	tb.Helper()
	cfg := small()
	cfg.Index = true
	return connect(tb, nodetest.New(tb, nodetest.Config{Node: cfg}).ConnectionString())
}

func TestCategoryIsReadAndFollowed(t *testing.T) {
	t.Parallel()
	c := withIndex(t)
	mustAppend(t, c, "order-1", "ab")
	mustAppend(t, c, "invoice-1", "x")
	sub, err := c.SubscribeToStream(deadline(t), "$ce-order", esdb.SubscribeToStreamOptions{From: esdb.Start{}, ResolveLinkTos: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	words := follow(t, sub, 2)
	mustAppend(t, c, "order-2", "c")
	for len(words) < 3 || !slices.Contains(words, "c") {
		words = append(words, follow(t, sub, 1)...)
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "live" })
	if !slices.Equal(words, []string{"a", "b", "c"}) {
		t.Errorf("got %v", words)
	}
	s, err := c.ReadStream(deadline(t), "$ce-order", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}, ResolveLinkTos: true}, 10)
	if got := letters(t, s, err); got != "cba" {
		t.Errorf("backwards: got %q", got)
	}
	s, err = c.ReadStream(deadline(t), "$et-TypeX", esdb.ReadStreamOptions{}, 10)
	list := collect(t, s, err)
	if len(list) != 1 || string(list[0].Event.Data) != "0@invoice-1" || list[0].Event.EventType != "$>" {
		t.Errorf("by type: got %v", list)
	}
}

func TestSubscriptionToACategoryFromItsEnd(t *testing.T) {
	t.Parallel()
	c := withIndex(t)
	mustAppend(t, c, "order-1", "a")
	waitFor(t, func() bool { return outcome(t, c, "$ce-order") == "$>." })
	sub, err := c.SubscribeToStream(deadline(t), "$ce-order", esdb.SubscribeToStreamOptions{From: esdb.End{}, ResolveLinkTos: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got := follow(t, sub, 1); got[0] != "live" {
		t.Fatalf("got %v", got)
	}
	mustAppend(t, c, "order-1", "b")
	if got := follow(t, sub, 1); got[0] != "b" {
		t.Fatalf("got %v", got)
	}
}
