package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

type blockedAnswer struct {
	Body struct {
		Items []blockedBody `json:"items" nullable:"false"`
	} `nameHint:"BlockedStreamList"`
}

type blockedBody struct {
	Stream        string    `json:"stream" example:"order-0199c0de-0000-7000-8000-000000000001"`
	Revision      int64     `json:"revision" doc:"Of the event that cannot be applied."`
	EventID       string    `json:"event_id"`
	EventType     string    `json:"event_type" example:"OrderPlaced"`
	RecordedAt    time.Time `json:"recorded_at"`
	Data          any       `json:"data" doc:"The payload of the event."`
	Error         string    `json:"error"`
	Attempts      int       `json:"attempts"`
	Since         time.Time `json:"since"`
	NextAttemptAt time.Time `json:"next_attempt_at"`
	Waiting       int       `json:"waiting" doc:"Later events of the stream that wait, in order; counted up to 1000."`
}

type retryStreamRequest struct {
	Name string `path:"name" doc:"Name of the read model." example:"orders"`
	Body struct {
		Stream string `json:"stream" maxLength:"500" example:"order-0199c0de-0000-7000-8000-000000000001"`
		DryRun bool   `json:"dry_run,omitempty" doc:"Tell what would happen, and change nothing."`
	}
}

type repairBody struct {
	Stream   string `json:"stream" maxLength:"500" example:"order-0199c0de-0000-7000-8000-000000000001"`
	Revision int64  `json:"revision" minimum:"0" doc:"Of the event that cannot be applied."`
	Reason   string `json:"reason" maxLength:"1000" doc:"For the record."`
	DryRun   bool   `json:"dry_run,omitempty" doc:"Tell what would happen, and change nothing."`
}

type editEventRequest struct {
	Name string `path:"name" doc:"Name of the read model." example:"orders"`
	Body editEventBody
}

type editEventBody struct {
	Stream   string          `json:"stream" maxLength:"500" example:"order-0199c0de-0000-7000-8000-000000000001"`
	Revision int64           `json:"revision" minimum:"0" doc:"Of the event that cannot be applied."`
	Data     json.RawMessage `json:"data" doc:"The payload that is applied in the place of the event's, as an object."`
	Reason   string          `json:"reason" maxLength:"1000" doc:"For the record."`
	DryRun   bool            `json:"dry_run,omitempty" doc:"Tell what would happen, and change nothing."`
}

type skipEventRequest struct {
	Name string `path:"name" doc:"Name of the read model." example:"orders"`
	Body repairBody
}

type outcomeAnswer struct {
	Body outcomeBody
}

type outcomeBody struct {
	Stream   string `json:"stream"`
	DryRun   bool   `json:"dry_run,omitempty"`
	Blocked  bool   `json:"blocked" doc:"Still, or again at a later event."`
	Revision int64  `json:"revision,omitempty" doc:"Of the event that cannot be applied then."`
	Error    string `json:"error,omitempty"`
	Applied  int    `json:"applied,omitempty" doc:"Of a dry run: how many events would be applied."`
}

type repairsAnswer struct {
	Body struct {
		Items []repairRecord `json:"items" nullable:"false"`
	} `nameHint:"RepairList"`
}

type repairRecord struct {
	Stream   string    `json:"stream"`
	Revision int64     `json:"revision"`
	Kind     string    `json:"kind" enum:"edit,skip"`
	EventID  string    `json:"event_id"`
	Data     any       `json:"data,omitempty" doc:"The payload that is applied instead."`
	Error    string    `json:"error" doc:"Why the event could not be applied."`
	Reason   string    `json:"reason"`
	By       string    `json:"by" doc:"Id of the API key."`
	At       time.Time `json:"at"`
}

func (s *server) blockedRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	refuses := []string{kindNotFound, projections.ErrNotBlocked.Code}
	register(s, route{
		id: "listBlockedStreams", method: http.MethodGet, path: "/admin/projections/{name}/blocked", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "List what a read model cannot apply", about: "Each stream with the event, why it cannot be applied, and how much waits behind it. All other streams go on.", refuses: []string{kindNotFound},
	}, s.listBlocked)
	register(s, route{
		id: "retryBlockedStream", method: http.MethodPost, path: "/admin/projections/{name}/blocked/retry", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "Try a blocked stream at once", about: "It is tried by itself as well, after longer and longer pauses.", refuses: refuses,
		example: map[string]any{"stream": "order-0199c0de-0000-7000-8000-000000000001", "dry_run": true},
	}, s.retryBlocked)
	register(s, route{
		id: "editBlockedEvent", method: http.MethodPost, path: "/admin/projections/{name}/blocked/edit", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "Apply an edited copy of an event", about: "In this read model, and in every version of it that is built later. The event in the log stays as it is. Who did it, when and why stays on record.",
		refuses: append([]string{projections.ErrOtherEvent.Code, projections.ErrRepairInvalid.Code}, refuses...),
		example: map[string]any{"stream": "order-1", "revision": 0, "data": map[string]any{"order_id": "1"}, "reason": "The line had no SKU.", "dry_run": true},
	}, s.editBlocked)
	register(s, route{
		id: "skipBlockedEvent", method: http.MethodPost, path: "/admin/projections/{name}/blocked/skip", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "Leave an event out", about: "Of this read model, and of every version of it that is built later. Who did it, when and why stays on record.",
		refuses: append([]string{projections.ErrOtherEvent.Code, projections.ErrRepairInvalid.Code}, refuses...),
		example: map[string]any{"stream": "order-1", "revision": 0, "reason": "A test order of the supplier.", "dry_run": true},
	}, s.skipBlocked)
	register(s, route{
		id: "listRepairs", method: http.MethodGet, path: "/admin/projections/{name}/repairs", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "List edited copies and events that are left out", about: "Newest first, those that a later decision replaced included.", refuses: []string{kindNotFound},
	}, s.listRepairs)
}

func (s *server) readModel(name string) (*projections.Model, error) {
	m, err := s.api.ReadModels.Model(name)
	return m, s.ofProjection(err)
}

func (s *server) listBlocked(ctx context.Context, in *projectionRequest) (*blockedAnswer, error) {
	m, err := s.readModel(in.Name)
	if err != nil {
		return nil, err
	}
	list, err := m.BlockedEvents(ctx)
	if err != nil {
		return nil, err
	}
	answer := &blockedAnswer{}
	answer.Body.Items = each(list, func(b projections.BlockedEvent) blockedBody {
		return blockedBody{
			Stream: b.Stream, Revision: int64(b.Revision), EventID: b.EventID, EventType: b.Type, RecordedAt: b.Created, Data: jsonOrText(b.Data),
			Error: b.Error, Attempts: b.Attempts, Since: b.Since, NextAttemptAt: b.DueAt, Waiting: b.Waiting,
		}
	})
	return answer, nil
}

// jsonOrText shows a payload, also one that is no JSON.
func jsonOrText(data json.RawMessage) any {
	if json.Valid(data) {
		return data
	}
	return string(data)
}

func (s *server) retryBlocked(ctx context.Context, in *retryStreamRequest) (*outcomeAnswer, error) {
	m, err := s.readModel(in.Name)
	if err != nil {
		return nil, err
	}
	outcome, err := m.RetryStream(ctx, in.Body.Stream, in.Body.DryRun)
	return outcomeOf(outcome, in.Body.DryRun), err
}

func (s *server) editBlocked(ctx context.Context, in *editEventRequest) (*outcomeAnswer, error) {
	b := in.Body
	return s.repair(ctx, in.Name, repairBody{b.Stream, b.Revision, b.Reason, b.DryRun}, projections.Repair{Kind: projections.Edit, Data: b.Data})
}

func (s *server) skipBlocked(ctx context.Context, in *skipEventRequest) (*outcomeAnswer, error) {
	return s.repair(ctx, in.Name, in.Body, projections.Repair{Kind: projections.Skip})
}

func (s *server) repair(ctx context.Context, name string, in repairBody, r projections.Repair) (*outcomeAnswer, error) {
	m, err := s.readModel(name)
	if err != nil {
		return nil, err
	}
	r.Stream, r.Revision, r.Reason, r.By = in.Stream, eventstore.Revision(in.Revision), in.Reason, callOf(ctx).credential.KeyID
	outcome, err := m.Repair(ctx, r, in.DryRun)
	return outcomeOf(outcome, in.DryRun), err
}

func outcomeOf(o projections.Outcome, dry bool) *outcomeAnswer {
	return &outcomeAnswer{outcomeBody{
		Stream: o.Stream, DryRun: dry, Blocked: o.Blocked, Revision: int64(o.Revision), Error: o.Error, Applied: o.Applied,
	}}
}

func (s *server) listRepairs(ctx context.Context, in *projectionRequest) (*repairsAnswer, error) {
	m, err := s.readModel(in.Name)
	if err != nil {
		return nil, err
	}
	list, err := m.Repairs(ctx)
	if err != nil {
		return nil, err
	}
	answer := &repairsAnswer{}
	answer.Body.Items = each(list, func(r projections.Repair) repairRecord {
		return repairRecord{
			Stream: r.Stream, Revision: int64(r.Revision), Kind: string(r.Kind), EventID: r.EventID, Data: jsonOrNil(r.Data),
			Error: r.Error, Reason: r.Reason, By: r.By, At: r.At,
		}
	})
	return answer, nil
}
