package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type createReplayRequest struct {
	ID             string `path:"id" doc:"Id of the endpoint."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key again starts no second replay."`
	Body           createReplayBody
}

type createReplayBody struct {
	From      string   `json:"from" maxLength:"100" doc:"Where to begin: beginning, a time (RFC 3339), or the cursor of a message, after which the replay begins." example:"2026-08-01T00:00:00Z"`
	To        string   `json:"to,omitempty" maxLength:"100" doc:"Where to end: a time, or the cursor of a message, which is the last. Without it what happened before the request is sent."`
	Types     []string `json:"types,omitempty" maxItems:"100" doc:"Only these of the endpoint's event types." example:"[\"order.placed\"]"`
	Aggregate string   `json:"aggregate,omitempty" maxLength:"200" doc:"Only the events of one aggregate: the id of an order, say."`
	Only      string   `json:"only,omitempty" enum:"all,undelivered" default:"all" doc:"undelivered: only what was given up, still waits for another attempt, or was passed over when the endpoint was resumed."`
	Dedupe    string   `json:"dedupe,omitempty" enum:"same,new" default:"same" doc:"same: the ids of the first time, which a receiver may know. new: other ids, so that everything is processed anew: the first id, .r and the replay's, so that what stands before .r is the id of the first time."`
	Rate      int      `json:"rate,omitempty" minimum:"1" maximum:"10000" doc:"The most attempts begun in a second. Half of the endpoint's own rate is the most in any case."`
}

type replayRequest struct {
	ID  string `path:"id" doc:"Id of the endpoint."`
	Run string `path:"run" doc:"Id of the replay."`
}

type replaysRequest struct {
	ID    string `path:"id" doc:"Id of the endpoint."`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"How many."`
}

type createdReplayAnswer struct {
	Location string `header:"Location"`
	Body     replayBody
}

type replayAnswer struct {
	Body replayBody
}

type replayListAnswer struct {
	Body struct {
		Items []replayBody `json:"items" nullable:"false"`
	} `nameHint:"ReplayList"`
}

type replayBody struct {
	ID          string     `json:"id" doc:"Also the header webhook-run of its messages." example:"replay_0199c0de-0000-7000-8000-000000000001"`
	EndpointID  string     `json:"endpoint_id"`
	State       string     `json:"state" enum:"waiting,running,paused,completed,cancelled" doc:"paused: with its endpoint."`
	From        string     `json:"from" doc:"As it was asked for."`
	To          string     `json:"to,omitempty" doc:"As it was asked for; once the replay is running, and after its end, the cursor where it ends at the latest."`
	Types       []string   `json:"types,omitempty"`
	Aggregate   string     `json:"aggregate,omitempty"`
	Only        string     `json:"only" enum:"all,undelivered"`
	Dedupe      string     `json:"dedupe" enum:"same,new"`
	Rate        int        `json:"rate,omitempty"`
	RequestedAt time.Time  `json:"requested_at"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	Progress    float64    `json:"progress" doc:"From 0 to 1: the share of the log it goes through that is done."`
	Through     string     `json:"through,omitempty" doc:"A cursor: everything up to it was delivered, is parked or was given up."`
	Delivered   int        `json:"delivered" doc:"Messages that were accepted."`
	Parked      int        `json:"parked" doc:"Messages that wait for another attempt, or for the one before them."`
	GivenUp     int        `json:"given_up" doc:"Messages whose attempts are used up."`
	PerSecond   float64    `json:"per_second,omitempty" doc:"Messages delivered in a second, on average."`
	LeftSeconds float64    `json:"left_seconds,omitempty" doc:"About how long it will still take, at the speed so far."`
}

func replayBodyOf(r webhooks.Replay) replayBody {
	body := replayBody{
		ID: r.ReplayID, EndpointID: r.EndpointID, State: r.State, From: webhooks.Beginning, To: r.Cursors.To,
		Types: r.Types, Aggregate: r.Aggregate, Only: r.Only, Dedupe: r.Dedupe, Rate: int(r.Rate),
		RequestedAt: r.RequestedAt, EndedAt: timeOrNil(r.EndedAt), Progress: r.Progress, Through: r.Cursors.Through,
		Delivered: r.Delivered, Parked: r.Parked, GivenUp: r.GivenUp, PerSecond: r.PerSecond, LeftSeconds: r.Left.Seconds(),
	}
	switch {
	case !r.FromTime.IsZero():
		body.From = r.FromTime.Format(time.RFC3339Nano)
	case r.From > 0:
		body.From = r.Cursors.From
	}
	if !r.ToTime.IsZero() {
		body.To = r.ToTime.Format(time.RFC3339Nano)
	}
	if body.Only == endpoint.OnlyAll {
		body.Only = onlyAll
	}
	if body.Dedupe == endpoint.DedupeSame {
		body.Dedupe = dedupeSame
	}
	return body
}

// What the API calls the usual.
const (
	onlyAll    = "all"
	dedupeSame = "same"
)

func (s *server) replayRoutes() {
	read := []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}
	write := []apikey.Scope{apikey.WebhooksWrite}
	missing := []string{endpoint.ErrNotFound.Code}
	missingRun := []string{endpoint.ErrNotFound.Code, endpoint.ErrReplayNotFound.Code}
	register(s, route{
		id: "createReplay", method: http.MethodPost, path: "/v1/endpoints/{id}/replays", tag: "webhooks", scopes: write, status: http.StatusAccepted,
		summary: "Send history once more",
		about:   "The same messages as the first time, with the same ids and numbers, beside what is live, which goes first. Each aggregate's messages come in order. The header webhook-run is the replay's id.",
		refuses: []string{endpoint.ErrNotFound.Code, endpoint.ErrDisabled.Code, endpoint.ErrReplayInvalid.Code, endpoint.ErrReplays.Code, webhooks.ErrTooOften.Code, domain.ErrKeyReused.Code, kindKeyInvalid},
		example: map[string]any{"from": "beginning", "types": []string{"order.placed"}, "rate": 100},
	}, s.createReplay)
	register(s, route{
		id: "listReplays", method: http.MethodGet, path: "/v1/endpoints/{id}/replays", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List the replays of an endpoint", about: "Newest first, those that ended included.", refuses: missing,
	}, s.listReplays)
	register(s, route{
		id: "getReplay", method: http.MethodGet, path: "/v1/endpoints/{id}/replays/{run}", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Show how far a replay is", refuses: missingRun,
	}, s.getReplay)
	register(s, route{
		id: "cancelReplay", method: http.MethodDelete, path: "/v1/endpoints/{id}/replays/{run}", tag: "webhooks", scopes: write, status: http.StatusNoContent,
		summary: "Cancel a replay", about: "What was sent stays sent. To cancel one that has ended is harmless.", refuses: missingRun,
	}, s.cancelReplay)
}

func (s *server) createReplay(ctx context.Context, in *createReplayRequest) (*createdReplayAnswer, error) {
	if err := s.mayTouch(ctx, in.ID); err != nil {
		return nil, err
	}
	meta, err := s.command(ctx, "replay "+in.ID, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	meta.CorrelationID = in.ID
	wish := webhooks.NewReplay{
		ID: webhooks.ReplayID(meta.CommandID), From: in.Body.From, To: in.Body.To, Types: in.Body.Types, Aggregate: in.Body.Aggregate, Rate: in.Body.Rate,
	}
	if in.Body.Only != onlyAll {
		wish.Only = in.Body.Only
	}
	if in.Body.Dedupe != dedupeSame {
		wish.Dedupe = in.Body.Dedupe
	}
	replay, err := s.api.Replays.Request(ctx, in.ID, wish, meta)
	if err != nil {
		return nil, err
	}
	return &createdReplayAnswer{Location: "/v1/endpoints/" + in.ID + "/replays/" + replay.ReplayID, Body: replayBodyOf(replay)}, nil
}

func (s *server) listReplays(ctx context.Context, in *replaysRequest) (*replayListAnswer, error) {
	if err := s.mayTouch(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := s.api.Replays.List(ctx, in.ID, in.Limit)
	if err != nil {
		return nil, err
	}
	answer := &replayListAnswer{}
	answer.Body.Items = each(list, replayBodyOf)
	return answer, nil
}

func (s *server) getReplay(ctx context.Context, in *replayRequest) (*replayAnswer, error) {
	if err := s.mayTouch(ctx, in.ID); err != nil {
		return nil, err
	}
	replay, err := s.api.Replays.Get(ctx, in.ID, in.Run)
	if err != nil {
		return nil, err
	}
	return &replayAnswer{Body: replayBodyOf(replay)}, nil
}

func (s *server) cancelReplay(ctx context.Context, in *replayRequest) (*struct{}, error) {
	if err := s.mayTouch(ctx, in.ID); err != nil {
		return nil, err
	}
	meta, err := s.command(ctx, "replay-cancel "+in.Run, "")
	if err != nil {
		return nil, err
	}
	meta.CorrelationID = in.ID
	return nil, s.api.Replays.Cancel(ctx, in.ID, in.Run, meta)
}

// mayTouch says that an endpoint exists and is the caller's.
func (s *server) mayTouch(ctx context.Context, endpointID string) error {
	_, err := s.api.Endpoints.Own(ctx, endpointID, tenancy(ctx))
	return err
}
