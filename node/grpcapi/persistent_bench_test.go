package grpcapi_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// BenchmarkGroup is messages of a group that has to catch up, to one client
// that acknowledges each of them.
func BenchmarkGroup(b *testing.B) {
	for _, all := range []bool{false, true} {
		b.Run(fmt.Sprintf("all=%t", all), func(b *testing.B) {
			c := connect(b, nodetest.New(b, nodetest.Config{}).ConnectionString())
			stream := unique("bench")
			for range (b.N + 499) / 500 {
				mustAppendNew(b, c, stream, 500)
			}
			sub := benchGroup(b, c, stream, all)
			b.ResetTimer()
			for range b.N {
				e := sub.Recv()
				if e.EventAppeared == nil {
					b.Fatal(e.SubscriptionDropped.Error)
				}
				if err := sub.Ack(e.EventAppeared.Event); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			_ = sub.Close()
		})
	}
}

func benchGroup(b *testing.B, c *esdb.Client, stream string, all bool) *esdb.PersistentSubscription {
	b.Helper()
	options := esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 100}
	if !all {
		createGroup(b, c, stream, "g", nil)
		sub, err := c.SubscribeToPersistentSubscription(context.Background(), stream, "g", options)
		if err != nil {
			b.Fatal(err)
		}
		return sub
	}
	err := c.CreatePersistentSubscriptionToAll(deadline(b), "g", esdb.PersistentAllSubscriptionOptions{
		StartFrom: esdb.Start{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{stream}},
	})
	if err != nil {
		b.Fatal(err)
	}
	sub, err := c.SubscribeToPersistentSubscriptionToAll(context.Background(), "g", options)
	if err != nil {
		b.Fatal(err)
	}
	return sub
}
