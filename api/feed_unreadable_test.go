package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// TestAnUnreadableEventIsSkippedVisibly: whoever pulls goes on without it, and
// is told what is missing.
func TestAnUnreadableEventIsSkippedVisibly(t *testing.T) {
	t.Parallel()
	p := start(t)
	var ids []string
	for revision, e := range []eventstore.NewEvent{
		{Event: order.OrderPlaced{OrderID: "o1", Currency: "EUR"}},
		{Event: order.OrderHeld{}, Content: []byte(`{"order_id":17}`)},
		{Event: order.OrderShipped{OrderID: "o1"}},
	} {
		e.ID = uuid.New()
		ids = append(ids, e.ID.String())
		if _, err := p.store.Append(t.Context(), "order-o1", eventstore.Revision(revision-1), e); err != nil {
			t.Fatal(err)
		}
	}
	api := client.New(p.url, adminKey)
	var page client.FeedPage
	eventually(t, "the feed", func() bool {
		var err error
		page, err = api.Feed(t.Context(), client.FeedQuery{Filter: `aggregate_type == "order"`})
		return err == nil && len(page.Messages)+len(page.Skipped) == 3
	})
	want := client.Message{
		MessageHead: client.MessageHead{ID: ids[1], Type: "order.held", Aggregate: client.Aggregate{Type: "order", ID: "o1"}, Sequence: 2},
		Skipped:     "unreadable",
	}
	same := func(where string, got client.Message) {
		t.Helper()
		if got.Cursor == "" && where != "the aggregate" {
			t.Errorf("%s: no cursor", where)
		}
		got.Cursor, got.Body = "", nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", where, diff)
		}
	}
	if len(page.Skipped) != 1 || page.Messages[1].ID != ids[2] || page.Messages[1].Previous == nil || *page.Messages[1].Previous != 2 {
		t.Fatalf("feed: %+v", page)
	}
	same("feed", page.Skipped[0])

	var streamed []client.Message
	enough := http.ErrAbortHandler
	_, _ = api.StreamFeed(t.Context(), client.FeedQuery{Filter: `aggregate_type == "order"`}, func(m client.Message) error {
		if streamed = append(streamed, m); len(streamed) == 3 {
			return enough
		}
		return nil
	})
	if len(streamed) != 3 || streamed[0].ID != ids[0] || streamed[2].ID != ids[2] || streamed[0].Skipped != "" {
		t.Fatalf("stream: %+v", streamed)
	}
	same("stream", streamed[1])

	list, err := api.AggregateEvents(t.Context(), client.Aggregate{Type: "order", ID: "o1"}, 0, "")
	if err != nil || len(list.Messages) != 2 || len(list.Skipped) != 1 {
		t.Fatalf("the aggregate: %v, %+v", err, list)
	}
	same("the aggregate", list.Skipped[0])
	p.get("/v1/events/"+ids[1]+"?aggregate=o1").problem(500, "message-unreadable")
	p.get("/v1/events/" + ids[2] + "?aggregate=o1").expect(200)
	if said := p.log.String(); strings.Count(said, "a public event cannot be read") != 1 {
		t.Errorf("whoever runs it is told:\n%s", said)
	}
}
