package grpcapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// systemNames are names that mean something to EventStoreDB. Without accounts
// everybody is the system, and all of them are streams as others are.
var systemNames = []string{
	"$settings", "$users", "$user-anna", "$scavenges", "$streams", "$stats-127.0.0.1:2113", "$",
	"$projections-$all", "$projections-orders-checkpoint", "$ce-order", "$et-OrderPlaced", "$bc-1", "$category-order",
	"$all", "$persistentSubscriptionConfig", "$persistentsubscription-order::g-checkpoint", "$persistentsubscription-order::g-parked",
	"$persistentsubscription-$all::g-checkpoint", "$persistentsubscription-$all::g-parked",
	"$$order", "$$$settings", "$$$all", "$$$$order", "$$$persistentsubscription-order::g-parked", "$$$ce-order",
	"order@1", "0@order", "::", "$>", "$$$",
}

// A systemCall is one request about a stream. Its answer is a text.
type systemCall struct {
	name string
	// want is the answer for a stream, and last the one for a stream of
	// metadata, of which one event is shown and which nothing hides; empty is
	// the same.
	want, last string
	call       func(context.Context, *esdb.Client, string) string
}

func answered(err error) string {
	if err != nil {
		return refusedWith(code(err))
	}
	return "done"
}

func refusedWith(c esdb.ErrorCode) string { return fmt.Sprintf("refused with %d", c) }

func appends(expected int64, letters string) func(context.Context, *esdb.Client, string) string {
	return func(ctx context.Context, c *esdb.Client, stream string) string {
		r, err := c.AppendToStream(ctx, stream, revision(expected), events(letters)...)
		if err != nil {
			return answered(err)
		}
		return fmt.Sprint(r.NextExpectedVersion)
	}
}

func reads(o esdb.ReadStreamOptions) func(context.Context, *esdb.Client, string) string {
	return func(ctx context.Context, c *esdb.Client, stream string) string {
		s, err := c.ReadStream(ctx, stream, o, 100)
		return receivedFrom(s, err)
	}
}

func receivedFrom(s *esdb.ReadStream, err error) string {
	if err != nil {
		return answered(err)
	}
	defer s.Close()
	var b strings.Builder
	for {
		e, err := s.Recv()
		switch known := code(err); {
		case known >= 0 && known != esdb.ErrorCodeUnknown:
			return answered(err)
		case err != nil:
			return b.String()
		}
		b.WriteString(letterOf(e))
	}
}

func follows(n int) func(context.Context, *esdb.Client, string) string {
	return func(ctx context.Context, c *esdb.Client, stream string) string {
		s, err := c.SubscribeToStream(ctx, stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
		if err != nil {
			return answered(err)
		}
		defer s.Close()
		var b strings.Builder
		for {
			switch e := s.Recv(); {
			case e.EventAppeared != nil:
				b.WriteString(letterOf(e.EventAppeared))
			case e.SubscriptionDropped != nil:
				return e.SubscriptionDropped.Error.Error()
			case e.CaughtUp != nil && b.Len() <= n:
				return b.String()
			}
		}
	}
}

func limits(ctx context.Context, c *esdb.Client, stream string) string {
	m := esdb.StreamMetadata{}
	m.SetMaxCount(2)
	_, err := c.SetStreamMetadata(ctx, stream, revision(-2), m)
	return answered(err)
}

func limited(ctx context.Context, c *esdb.Client, stream string) string {
	m, err := c.GetStreamMetadata(ctx, stream, esdb.ReadStreamOptions{})
	if err != nil {
		return answered(err)
	}
	if m.MaxCount() == nil {
		return "no count"
	}
	return fmt.Sprint(*m.MaxCount())
}

func deletes(ctx context.Context, c *esdb.Client, stream string) string {
	_, err := c.DeleteStream(ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
	return answered(err)
}

func tombstones(ctx context.Context, c *esdb.Client, stream string) string {
	_, err := c.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	return answered(err)
}

func createsGroup(ctx context.Context, c *esdb.Client, stream string) string {
	return answered(c.CreatePersistentSubscription(ctx, stream, "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}, Settings: quick()}))
}

func updatesGroup(ctx context.Context, c *esdb.Client, stream string) string {
	return answered(c.UpdatePersistentSubscription(ctx, stream, "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}, Settings: quick()}))
}

func joinsGroup(ctx context.Context, c *esdb.Client, stream string) string {
	s, err := c.SubscribeToPersistentSubscription(ctx, stream, "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		return answered(err)
	}
	defer s.Close()
	e := s.Recv()
	if e.EventAppeared == nil {
		return answered(e.SubscriptionDropped.Error)
	}
	if err := s.Ack(e.EventAppeared.Event); err != nil {
		return err.Error()
	}
	return letterOf(e.EventAppeared.Event)
}

func asksGroup(ctx context.Context, c *esdb.Client, stream string) string {
	info, err := c.GetPersistentSubscriptionInfo(ctx, stream, "g", esdb.GetPersistentSubscriptionOptions{})
	if err != nil {
		return answered(err)
	}
	list, err := c.ListPersistentSubscriptionsForStream(ctx, stream, esdb.ListPersistentSubscriptionsOptions{})
	if err != nil || len(list) != 1 || list[0].EventSource != stream || info.EventSource != stream {
		return fmt.Sprint("lists ", len(list), answered(err))
	}
	return info.Status
}

func deletesGroup(ctx context.Context, c *esdb.Client, stream string) string {
	return answered(c.DeletePersistentSubscription(ctx, stream, "g", esdb.DeletePersistentSubscriptionOptions{}))
}

func systemCalls() []systemCall {
	back := esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}
	notFound, deleted, wrong := refusedWith(esdb.ErrorCodeResourceNotFound), refusedWith(esdb.ErrorCodeStreamDeleted), refusedWith(esdb.ErrorCodeWrongExpectedVersion)
	unknown := refusedWith(esdb.ErrorCodeUnknown) // how the client tells other refusals
	return []systemCall{
		{"read before", notFound, "", reads(esdb.ReadStreamOptions{})},
		{"metadata before", notFound, "", limited},
		{"delete before", unknown, "", deletes},
		{"append", "1", "", appends(-1, "ab")},
		{"append again", "1", "", appends(-1, "ab")},
		{"append elsewhere", wrong, "", appends(7, "x")},
		{"append any", "2", "", appends(-2, "c")},
		{"read", "abc", "c", reads(esdb.ReadStreamOptions{})},
		{"read backwards", "cba", "c", reads(back)},
		{"subscribe", "abc", "c", follows(3)},
		{"set metadata", "done", "", limits},
		{"get metadata", "2", "", limited},
		{"read what is limited", "bc", "c", reads(esdb.ReadStreamOptions{})},
		{"delete", "done", "", deletes},
		{"metadata of what is deleted", "no count", "", limited},
		{"read what is deleted", notFound, "c", reads(esdb.ReadStreamOptions{})},
		{"append to what is deleted", "3", "", appends(-2, "d")},
		{"read what is written again", "d", "d", reads(esdb.ReadStreamOptions{})},
		{"create a group", "done", "", createsGroup},
		{"update a group", "done", "", updatesGroup},
		{"join a group", "d", "d", joinsGroup},
		{"ask about a group", "Live", "", asksGroup},
		{"delete a group", "done", "", deletesGroup},
		{"delete a group again", notFound, "", deletesGroup},
		{"tombstone", "done", "", tombstones},
		{"read what is gone", deleted, "", reads(esdb.ReadStreamOptions{})},
		{"append to what is gone", deleted, "", appends(-2, "e")},
		{"tombstone again", deleted, "", tombstones},
	}
}

// systemExceptions are answers of streams that are not like any other: the log,
// and the one that groups are kept in.
var systemExceptions = map[string]map[string]string{
	"$all": {
		"create a group": refusedWith(esdb.ErrorCodeUnknown), "update a group": refusedWith(esdb.ErrorCodeUnknown),
		"join a group": refusedWith(esdb.ErrorCodeResourceNotFound), "ask about a group": refusedWith(esdb.ErrorCodeResourceNotFound),
		"delete a group": refusedWith(esdb.ErrorCodeUnknown), "delete a group again": refusedWith(esdb.ErrorCodeUnknown),
	},
	"$persistentSubscriptionConfig": {"join a group": "$persistentconfig"},
}

// TestSystemNames: a name that means something is a stream like any other for
// every request, but that metadata shows its last event, whatever is said of it.
func TestSystemNames(t *testing.T) {
	t.Parallel()
	for _, stream := range systemNames {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			target := nodetest.New(t, nodetest.Config{Node: small()}).ConnectionString()
			c := connect(t, target)
			for _, call := range systemCalls() {
				want := call.want
				if exception, ok := systemExceptions[stream][call.name]; ok {
					want = exception
				}
				if strings.HasPrefix(stream, "$$") && call.last != "" {
					want = call.last
				}
				if got := call.call(deadline(t), c, stream); got != want {
					t.Errorf("%s: the answer is %q, want %q", call.name, got, want)
				}
			}
			o := operator(t, target)
			if _, err := o.Scavenge(deadline(t), nil); err != nil {
				t.Error(err)
			}
			if report, err := o.Verify(deadline(t), node.Verification{}); err != nil || !report.OK() {
				t.Errorf("the store is not whole: %+v, %v", report, err)
			}
			if got := reads(esdb.ReadStreamOptions{})(deadline(t), c, stream); got != refusedWith(esdb.ErrorCodeStreamDeleted) {
				t.Errorf("after scavenging the stream is %q", got)
			}
		})
	}
}

func TestBatchesToSystemNames(t *testing.T) {
	t.Parallel()
	target := nodetest.New(t, nodetest.Config{Node: small()}).ConnectionString()
	c, call := connect(t, target), openBatches(t, target)
	for _, stream := range systemNames {
		sendBatches(t, call, wholeBatch(stream, -1, "ab"))
		if answer := nextBatch(t, call); answer.GetSuccess() == nil || string(answer.GetStreamIdentifier().GetStreamName()) != stream {
			t.Errorf("the batch to %s was answered %v", stream, answer)
		}
		want := "ab"
		if strings.HasPrefix(stream, "$$") {
			want = "b"
		}
		if got := readAll(t, c, stream); got != want {
			t.Errorf("%s is %q, want %q", stream, got, want)
		}
	}
}
