package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/orders"
)

// changeRequest is a request to change an order.
type changeRequest[B any] struct {
	ID string `path:"id" doc:"Id of the order."`
	ChangeHeaders

	Body B
}

// partRequest is a request to change a part of an order.
type partRequest[B any] struct {
	ID   string `path:"id" doc:"Id of the order."`
	Part string `path:"part" doc:"Id of the part of the order, as the order shows it."`
	ChangeHeaders

	Body B
}

// ChangeHeaders is exported because huma looks into nothing else.
type ChangeHeaders struct {
	IfMatch        string `header:"If-Match" doc:"Required: the order's entity tag that the change was decided on, or * for whatever it is now."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable characters of your making, required where goods or money move. The same key and body again gives the first answer."`
}

// changeAnswer is what there is after a change.
type changeAnswer struct {
	Status   int
	ETag     string `header:"ETag" doc:"Of the order, after the change."`
	Location string `header:"Location" doc:"Of what was made."`
	Replayed string `header:"Idempotency-Replayed" doc:"true where this is the answer to an earlier request."`
	Position string `header:"X-Write-Position" doc:"Of the change in the log: lists take it as min_position."`
	Body     any
}

// asked is what requests to change an order come to: who asks for what, for
// which revision, and under which name.
type asked struct {
	orders.Request

	part string // the part's id, where the path names one
	path string // of the order
}

// id names what the command makes: as the caller does, or by the command.
func (a asked) id(kind, given string) string {
	if given != "" {
		return given
	}
	return eventstore.DeriveID(kind, a.OrderID, a.Meta.CommandID)
}

// who is the caller, for events that name somebody.
func (a asked) who() string { return a.Meta.Actor.ID }

// at is the address of a part of the order.
func (a asked) at(kind, id string) string { return a.path + "/" + kind + "/" + url.PathEscape(id) }

// registerChange adds a route that changes an order. A key is required if its
// lack is among what the route refuses.
func registerChange[B any](s *server, r route, handle func(context.Context, asked, B) (*changeAnswer, error)) {
	r = changeRoute(r)
	keyed := slices.Contains(r.refuses, kindKeyMissing)
	do := func(ctx context.Context, id, part string, h ChangeHeaders, body B) (*changeAnswer, error) {
		a, err := s.asked(ctx, id, h, keyed)
		if err != nil {
			return nil, err
		}
		a.part = part
		answer, err := handle(ctx, a, body)
		return answer, s.unchanged(err)
	}
	if strings.Contains(r.path, "{part}") {
		register(s, r, func(ctx context.Context, in *partRequest[B]) (*changeAnswer, error) {
			return do(ctx, in.ID, in.Part, in.ChangeHeaders, in.Body)
		})
		return
	}
	register(s, r, func(ctx context.Context, in *changeRequest[B]) (*changeAnswer, error) {
		return do(ctx, in.ID, "", in.ChangeHeaders, in.Body)
	})
}

// changeRoute says what is the same of all routes that change an order.
func changeRoute(r route) route {
	r.method, r.tag, r.path = http.MethodPost, cmp.Or(r.tag, "orders"), "/v1/orders/{id}/"+r.path
	if r.scopes == nil {
		r.scopes = []apikey.Scope{apikey.OrdersWrite, apikey.OrdersImport}
	}
	if r.bodies == nil {
		r.bodies = map[int]any{r.status: orderBody{}}
	}
	if r.status == http.StatusCreated && r.more == nil {
		r.more = map[int]string{http.StatusOK: "It was made before, with the same content."}
		r.bodies[http.StatusOK] = r.bodies[r.status]
	}
	r.refuses = append([]string{
		kindPrecondition, kindKeyInvalid, domain.ErrKeyReused.Code, orders.ErrNotFound.Code, handlers.ErrRevision.Code, kindConflict,
		order.ErrInvalid.Code,
	}, r.refuses...)
	return r
}

func (s *server) asked(ctx context.Context, id string, h ChangeHeaders, keyed bool) (asked, error) {
	a := asked{Request: orders.Request{OrderID: id}, path: "/v1/orders/" + url.PathEscape(id)}
	if h.IfMatch == "" {
		return a, s.refuse(kindPrecondition, "send the header If-Match with the order's entity tag, or * for whatever it is now")
	}
	if expected, named := ifMatch(h.IfMatch); named {
		a.Expected = &expected
	}
	command := s.request
	if keyed {
		command = s.keyed
	}
	var err error
	a.Meta, err = command(ctx, "POST "+callOf(ctx).request.URL.Path, h.IdempotencyKey)
	return a, err
}

// changed answers with the order after a change.
func changed(result orders.Result, err error) (*changeAnswer, error) {
	if err != nil {
		return nil, err
	}
	answer := &changeAnswer{Status: http.StatusOK, ETag: etag(result.Revision), Body: orderBodyOf(result.State)}
	if result.Replayed {
		answer.Replayed = replayed
	}
	answer.Position = positionText(result.Position)
	return answer, nil
}

// positionText leaves out a position that is not known.
func positionText(p eventstore.Position) string {
	if p == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(p), 10)
}

// made answers with the order after something was made. 200 says that it was
// there before, under the name that the caller gave it.
func made(result orders.Result, err error, location string) (*changeAnswer, error) {
	answer, err := changed(result, err)
	if err != nil {
		return nil, err
	}
	answer.Location = location
	if result.Changed {
		answer.Status = http.StatusCreated
	}
	return answer, nil
}

// unchanged tells who expected another revision which one there is.
func (s *server) unchanged(err error) error {
	rule, is := errors.AsType[*domain.RuleError](err)
	if !is || !errors.Is(rule, handlers.ErrRevision) {
		return err
	}
	problem := s.refusal(rule)
	if revision, told := rule.Details["revision"].(int64); told {
		tag := etag(eventstore.Revision(revision))
		problem.Header = http.Header{"Etag": {tag}}
		problem.with("etag", tag)
	}
	return problem
}
