package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/wI2L/jsondiff"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type orderDiffRequest struct {
	ID   string `path:"id" doc:"Id of the order."`
	From int64  `query:"from" default:"0" minimum:"0" doc:"A revision of the order: the number in its ETag then."`
	To   int64  `query:"to" default:"-1" minimum:"-1" doc:"A later one, or an earlier one; without it the present one."`
}

type orderDiffAnswer struct {
	Body orderDiffBody
}

type orderDiffBody struct {
	From    int64            `json:"from" doc:"The revision compared."`
	To      int64            `json:"to" doc:"The revision it is compared with."`
	Changes []orderDifferent `json:"changes" nullable:"false" doc:"What leads from the one to the other: a JSON Patch (RFC 6902) on GET /v1/orders/{id}, with what was there before."`
	Events  []orderDiffEvent `json:"events" nullable:"false" doc:"What happened between them, in its order."`
}

type orderDifferent struct {
	Op    string          `json:"op" enum:"add,remove,replace"`
	Path  string          `json:"path" doc:"A JSON pointer (RFC 6901) into the order." example:"/status"`
	Old   json.RawMessage `json:"old,omitempty" doc:"What was there, of replace and remove."`
	Value json.RawMessage `json:"value,omitempty" doc:"What is there, of replace and add."`
}

type orderDiffEvent struct {
	Revision int64     `json:"revision"`
	Type     string    `json:"type" example:"OrderHeld"`
	At       time.Time `json:"at"`
}

func (s *server) orderDiffRoutes() {
	register(s, route{
		id: "diffOrder", method: http.MethodGet, path: "/v1/orders/{id}/diff", tag: "orders", scopes: []apikey.Scope{apikey.OrdersRead}, status: http.StatusOK,
		summary: "Compare two revisions of an order", about: "From the log itself: never behind.",
		refuses: []string{orders.ErrNotFound.Code, orders.ErrFuture.Code},
	}, s.diffOrder)
}

func (s *server) diffOrder(ctx context.Context, in *orderDiffRequest) (*orderDiffAnswer, error) {
	before, from, err := s.orderAt(ctx, in.ID, in.From)
	if err != nil {
		return nil, err
	}
	after, to, err := s.orderAt(ctx, in.ID, in.To)
	if err != nil {
		return nil, err
	}
	answer := &orderDiffAnswer{Body: orderDiffBody{From: from, To: to}}
	if answer.Body.Changes, err = differences(before, after); err != nil {
		return nil, err
	}
	answer.Body.Events, err = s.eventsBetween(ctx, in.ID, from, to)
	return answer, err
}

// orderAt is the document of an order at a revision; -1 is the present one.
func (s *server) orderAt(ctx context.Context, id string, wanted int64) ([]byte, int64, error) {
	var when orders.Moment
	if revision := eventstore.Revision(wanted); wanted >= 0 {
		when.Revision = &revision
	}
	state, revision, err := s.api.Changes.At(ctx, id, when)
	if err != nil {
		return nil, 0, err
	}
	document, err := json.Marshal(orderBodyOf(state))
	return document, int64(revision), err
}

func differences(before, after []byte) ([]orderDifferent, error) {
	patch, err := jsondiff.CompareJSON(before, after)
	if err != nil {
		return nil, fmt.Errorf("compare two revisions: %w", err)
	}
	changes := []orderDifferent{}
	for _, operation := range patch {
		change := orderDifferent{Op: operation.Type, Path: operation.Path}
		if operation.Type != jsondiff.OperationAdd {
			if change.Old, err = json.Marshal(operation.OldValue); err != nil {
				return nil, err
			}
		}
		if operation.Type != jsondiff.OperationRemove {
			if change.Value, err = json.Marshal(operation.Value); err != nil {
				return nil, err
			}
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (s *server) eventsBetween(ctx context.Context, id string, from, to int64) ([]orderDiffEvent, error) {
	events := []orderDiffEvent{}
	from, to = min(from, to), max(from, to)
	for r, err := range s.api.Store.ReadStream(ctx, order.Decider.Stream(id), eventstore.Revision(from+1)) {
		if err != nil {
			return nil, err
		}
		if int64(r.Revision) > to {
			break
		}
		events = append(events, orderDiffEvent{Revision: int64(r.Revision), Type: r.Type, At: r.Created.UTC()})
	}
	return events, nil
}
