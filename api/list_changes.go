package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

type listChangesRequest struct {
	After          string    `query:"after" pattern:"^[0-9]{1,18}$" doc:"X-Read-Position of the list that is shown: what was recorded after it comes first. Without it only what is to come."`
	LastEventID    string    `header:"Last-Event-ID" pattern:"^[0-9]{1,18}$" doc:"The id of the last event that was received. It goes before after."`
	Status         string    `query:"status" maxLength:"40"`
	PaymentStatus  string    `query:"payment_status" maxLength:"40"`
	CustomerID     string    `query:"customer_id" maxLength:"200"`
	SKU            string    `query:"sku" maxLength:"64"`
	Tag            string    `query:"tag" maxLength:"200"`
	ExternalSource string    `query:"external_source" maxLength:"200"`
	ExternalRef    string    `query:"external_ref" maxLength:"200"`
	PlacedFrom     givenTime `query:"placed_from" format:"date-time"`
	PlacedTo       givenTime `query:"placed_to" format:"date-time"`
}

func (in *listChangesRequest) filter() projections.OrderFilter {
	return projections.OrderFilter{
		Status: in.Status, PaymentStatus: in.PaymentStatus, CustomerID: in.CustomerID, SKU: in.SKU, Tag: in.Tag,
		ExternalSource: in.ExternalSource, ExternalRef: in.ExternalRef, PlacedFrom: in.PlacedFrom.Time, PlacedTo: in.PlacedTo.Time,
	}
}

// listChangedBody is what an event of the stream says.
type listChangedBody struct {
	OrderID string            `json:"order_id"`
	Matches bool              `json:"matches"` // the filters; else it is to be taken out of the list, if it is in it
	Order   *orderSummaryBody `json:"order,omitempty"`
}

// What a client may have missed is told piece by piece up to a point; beyond it
// the list is read anew.
const (
	changesPage  = 100
	resetMessage = `{}`
)

func (s *server) listChangeRoutes(scopes []apikey.Scope) {
	register(s, route{
		id: "streamOrders", method: http.MethodGet, path: "/v1/orders/changes", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "Follow a list of orders (server-sent events)",
		about: "For user interfaces, with the filters of the list. An event named changed has order_id, matches, and the order as the list shows it: one that does not match the filters (any more) is without it. " +
			"It is what the list answers from then on. An event named reset says that too much was missed, or that the log has lost what the client knows of, as after a restore: read the list anew. A client that reconnects with Last-Event-ID misses nothing. Comments come while there is nothing else.",
	}, s.streamOrders)
	s.describeEvents("/v1/orders/changes")
}

// listStream follows all orders from a place in the log.
type listStream struct {
	server  *server
	filter  projections.OrderFilter
	feed    *eventstore.Feed
	live    bool
	lost    bool // the log has not what the client knows of
	missed  int  // events before it was live
	changed []string
	through eventstore.Position // of what is in changed
}

func (s *server) streamOrders(ctx context.Context, in *listChangesRequest) (*huma.StreamResponse, error) {
	end, err := s.api.End(ctx)
	if err != nil {
		return nil, err
	}
	from := in.position(end)
	l := &listStream{server: s, filter: in.filter(), lost: from > end}
	l.follow(min(from, end))
	return s.pour(ctx, l.next, func() { l.feed.Close() })
}

// position is where the client got to, or the end of the log.
func (in *listChangesRequest) position(end eventstore.Position) eventstore.Position {
	for _, text := range []string{in.LastEventID, in.After} {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return eventstore.Position(n)
		}
	}
	return end
}

func (l *listStream) follow(from eventstore.Position) {
	if l.feed != nil {
		l.feed.Close()
	}
	l.feed = l.server.api.Feed(eventstore.FeedConfig{
		Prefixes: []string{order.Decider.Category + "-"}, From: from, PageSize: changesPage, Shared: true,
	})
}

// next waits for orders that change. A page is kept until the list has it.
func (l *listStream) next(ctx context.Context) (string, error) {
	if l.lost {
		return l.reset(ctx)
	}
	if len(l.changed) == 0 {
		page, err := l.feed.Next(ctx)
		if err != nil {
			return "", err
		}
		if reset, err := l.tooFar(ctx, page); err != nil || reset != "" {
			return reset, err
		}
		l.take(page)
	}
	if len(l.changed) == 0 {
		return "", nil
	}
	reached, err := l.server.arrivals.Await(ctx, l.server.api.Orders.DB, l.through, patience)
	if err != nil || reached < l.through {
		return "", err
	}
	return l.tell(ctx)
}

// tooFar tells whether the client missed more than it is told.
func (l *listStream) tooFar(ctx context.Context, page eventstore.Page) (string, error) {
	l.live = l.live || page.Live
	if l.missed += len(page.Events); l.live || l.missed < l.server.api.Streams.missed() {
		return "", nil
	}
	return l.reset(ctx)
}

// reset says that the list is to be read anew, and goes on from here.
func (l *listStream) reset(ctx context.Context) (string, error) {
	end, err := l.server.api.End(ctx)
	if err != nil {
		return "", err
	}
	l.follow(end)
	l.live, l.lost = true, false
	return eventText(strconv.FormatUint(uint64(end), 10), "reset", []byte(resetMessage)), nil
}

// take notes which orders a page changes, each once.
func (l *listStream) take(page eventstore.Page) {
	seen := map[string]bool{}
	for _, r := range page.Events {
		id := r.Stream[len(order.Decider.Stream("")):]
		if !seen[id] {
			seen[id] = true
			l.changed = append(l.changed, id)
		}
		l.through = r.Position
	}
}

// tell returns the orders that changed, as the list shows them.
func (l *listStream) tell(ctx context.Context) (pieces string, err error) {
	rows, err := l.server.api.Orders.Among(ctx, l.changed, l.filter)
	if err != nil {
		return "", err
	}
	matching := make(map[string]projections.OrderRow, len(rows))
	for _, row := range rows {
		matching[row.OrderID] = row
	}
	id := strconv.FormatUint(uint64(l.through), 10)
	for i, orderID := range l.changed {
		body := listChangedBody{OrderID: orderID}
		if row, matches := matching[orderID]; matches {
			summary := orderSummaryOf(row)
			body.Matches, body.Order = true, &summary
		}
		data, err := json.Marshal(body)
		if err != nil {
			return "", err
		}
		text := eventText(id, "changed", data)
		if i < len(l.changed)-1 { // only the last says that the page was received
			text = text[len("id: "+id+"\n"):]
		}
		pieces += text
	}
	l.changed = nil
	return pieces, nil
}
