package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type orderChangesRequest struct {
	ID          string `path:"id" doc:"Id of the order."`
	After       string `query:"after" pattern:"^[0-9]{1,18}$" doc:"A revision of the order, the number in its ETag: what was recorded after it comes first. Without it only what is to come."`
	LastEventID string `header:"Last-Event-ID" pattern:"^[0-9]{1,18}$" doc:"The id of the last event that was received: a revision. It goes before after."`
}

// orderChangedBody is what an event of the stream says.
type orderChangedBody struct {
	OrderID          string    `json:"order_id"`
	Revision         int64     `json:"revision"`
	Type             string    `json:"type"`
	At               time.Time `json:"at"`
	Status           string    `json:"status"`
	PaymentStatus    string    `json:"payment_status"`
	FulfilmentStatus string    `json:"fulfilment_status"`
}

func (s *server) orderChangeRoutes() {
	scopes := []apikey.Scope{apikey.OrdersRead}
	register(s, route{
		id: "streamOrder", method: http.MethodGet, path: "/v1/orders/{id}/changes", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "Follow an order (server-sent events)",
		about: "For user interfaces: each event named changed has the order's id, revision, type and time of what happened, and the three states after it, as JSON. " +
			"Its id is the revision: a client that reconnects with Last-Event-ID misses nothing. One that names a revision that the order has not, as after a restore, is told of its last. Comments come while there is nothing else.",
		refuses: []string{orders.ErrNotFound.Code},
	}, s.streamOrder)
	s.describeEvents("/v1/orders/{id}/changes")
	s.listChangeRoutes(scopes)
}

// orderStream follows one order: what was recorded up to now is read from its
// stream, and the rest comes from the end of the log, which all streams share.
type orderStream struct {
	server   *server
	id       string
	state    order.State
	revision eventstore.Revision // that was folded
	after    eventstore.Revision // that the client knows
	feed     *eventstore.Feed
}

func (s *server) streamOrder(ctx context.Context, in *orderChangesRequest) (*huma.StreamResponse, error) {
	end, err := s.api.End(ctx) // before the stream is read: nothing falls in between
	if err != nil {
		return nil, err
	}
	o := &orderStream{server: s, id: in.ID, revision: eventstore.NoStream, after: knownRevision(in)}
	missed, err := o.catchUp(ctx)
	if err != nil {
		return nil, err
	}
	o.feed = s.api.Feed(eventstore.FeedConfig{Stream: order.Decider.Stream(in.ID), From: end, Shared: true})
	return s.pour(ctx, func(ctx context.Context) (string, error) {
		if missed != "" {
			piece := missed
			missed = ""
			return piece, nil
		}
		return o.next(ctx)
	}, o.feed.Close)
}

func knownRevision(in *orderChangesRequest) eventstore.Revision {
	for _, text := range []string{in.LastEventID, in.After} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return eventstore.Revision(n)
		}
	}
	return eventstore.Any // what was recorded is known
}

// catchUp folds the order, and returns what the client does not know of. One
// that knows of more than there is, as after a restore, is told where the order
// stands.
func (o *orderStream) catchUp(ctx context.Context) (missed string, err error) {
	last := ""
	for r, err := range o.server.api.Store.ReadStream(ctx, order.Decider.Stream(o.id), 0) {
		if err != nil {
			return "", err
		}
		piece, err := o.fold(r)
		if err != nil {
			return "", err
		}
		if last = piece; o.after != eventstore.Any && r.Revision > o.after {
			missed += piece
		}
	}
	if o.revision == eventstore.NoStream {
		return "", orders.ErrNotFound
	}
	if o.after > o.revision {
		return last, nil
	}
	return missed, nil
}

// next waits for what happens to the order.
func (o *orderStream) next(ctx context.Context) (pieces string, err error) {
	page, err := o.feed.Next(ctx)
	if err != nil {
		return "", err
	}
	for _, r := range page.Events {
		if r.Revision <= o.revision {
			continue
		}
		piece, err := o.fold(r)
		if err != nil {
			return "", err
		}
		pieces += piece
	}
	return pieces, nil
}

// fold returns what an event says to the client.
func (o *orderStream) fold(r eventstore.Recorded) (string, error) {
	event, err := r.Decode()
	if err != nil {
		return "", err
	}
	own, ok := event.(order.Event)
	if !ok {
		return "", errors.New(r.Type + " is no event of an order")
	}
	o.state, o.revision = order.Decider.Evolve(o.state, own), r.Revision
	data, err := json.Marshal(orderChangedBody{
		OrderID: o.id, Revision: int64(r.Revision), Type: r.Type, At: r.Created.UTC(), Status: string(o.state.Status),
		PaymentStatus: string(o.state.PaymentStatus()), FulfilmentStatus: string(o.state.FulfilmentStatus()),
	})
	return eventText(strconv.FormatInt(int64(r.Revision), 10), "changed", data), err
}
