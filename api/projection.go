package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/projections"
)

type projectionRequest struct {
	Name string `path:"name" doc:"Name of the read model." example:"orders"`
}

type projectionAnswer struct {
	Body projectionBody
}

type projectionsAnswer struct {
	Body struct {
		HeadPosition int64            `json:"head_position" doc:"Of the log."`
		Items        []projectionBody `json:"items" nullable:"false"`
	} `nameHint:"ProjectionList"`
}

type projectionBody struct {
	Name           string        `json:"name" example:"orders"`
	Version        string        `json:"version" doc:"That is read: of the code and, after a dot, how often it was built anew with that." example:"2.1"`
	Position       int64         `json:"position" doc:"In the log: everything up to it shows."`
	HeadPosition   int64         `json:"head_position" doc:"Of the log. A read model may be behind it and have nothing to apply."`
	LagEvents      int           `json:"lag_events" doc:"Events that are not applied yet, counted up to 10000."`
	LagMore        bool          `json:"lag_more,omitempty" doc:"There are more than lag_events."`
	LagSeconds     float64       `json:"lag_seconds" doc:"How long the first of them waits."`
	AppliedAt      *time.Time    `json:"applied_at,omitempty" doc:"When the last event that was applied had been recorded."`
	Events         int64         `json:"events" doc:"Applied since the first."`
	PerSecond      float64       `json:"per_second" doc:"Events applied in a second, over the last ten or so."`
	BlockedStreams int           `json:"blocked_streams" doc:"Streams with an event that cannot be applied."`
	Owner          string        `json:"owner,omitempty" doc:"The process that brings it forward, where several might; none where it is in parts, and for the seconds until another one takes it over."`
	Parts          []partBody    `json:"parts,omitempty" doc:"That it is brought forward in, by several processes; none where it is whole."`
	Versions       []versionBody `json:"versions" nullable:"false"`
	Rebuild        *rebuildBody  `json:"rebuild,omitempty" doc:"The last one, whether it goes on or is over."`
}

type partBody struct {
	Number    int        `json:"number" doc:"From 1. A stream belongs to the part that is the 64-bit FNV-1a hash of its name modulo the number of parts, plus 1."`
	Owner     string     `json:"owner,omitempty" doc:"The process that brings it forward; none for the seconds until another one takes it over."`
	Position  int64      `json:"position" doc:"In the log: everything up to it that is of this part shows. That of the read model is the smallest of them."`
	AppliedAt *time.Time `json:"applied_at,omitempty" doc:"When the last event that was applied had been recorded."`
	Events    int64      `json:"events" doc:"Applied since it is a part."`
}

type versionBody struct {
	Version   string     `json:"version" example:"2.1"`
	State     string     `json:"state" enum:"live,building,kept" doc:"kept: it was live, and may be again."`
	Since     time.Time  `json:"since" doc:"It is in that state."`
	KeepUntil *time.Time `json:"keep_until,omitempty" doc:"Of what is kept: then it is deleted."`
}

func projectionBodyOf(s projections.Status, now time.Time) projectionBody {
	body := projectionBody{
		Name: s.Name, Version: s.Version.String(), Position: int64(s.Position), HeadPosition: int64(s.Head), //nolint:gosec // a log of 8 EiB is far
		LagEvents: s.Lag.Events, LagMore: s.Lag.More, LagSeconds: s.Lag.Seconds(now), AppliedAt: timeOrNil(s.Applied), Events: s.Events, PerSecond: s.PerSecond,
		BlockedStreams: s.Blocked,
		Owner:          s.Owner, Parts: each(s.Parts, func(p projections.PartStatus) partBody {
			return partBody{Number: p.Number, Owner: p.Owner, Position: int64(p.Position), AppliedAt: timeOrNil(p.Applied), Events: p.Events} //nolint:gosec // as above
		}),
		Versions: each(s.Versions, func(v projections.Version) versionBody {
			return versionBody{Version: v.String(), State: string(v.State), Since: v.Since, KeepUntil: timeOrNil(v.KeepUntil)}
		}),
	}
	if s.Rebuild != nil {
		rebuild := rebuildBodyOf(*s.Rebuild)
		body.Rebuild = &rebuild
	}
	return body
}

func (s *server) projectionRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	register(s, route{
		id: "listProjections", method: http.MethodGet, path: "/admin/projections", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "List read models", about: "Where each stands: how far behind the log it is, what blocks it, which versions there are.",
	}, s.listProjections)
	register(s, route{
		id: "getProjection", method: http.MethodGet, path: "/admin/projections/{name}", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "Show where a read model stands", refuses: []string{kindNotFound},
	}, s.getProjection)
	s.rebuildRoutes()
	s.blockedRoutes()
}

func (s *server) listProjections(ctx context.Context, _ *struct{}) (*projectionsAnswer, error) {
	all, err := s.api.ReadModels.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	answer := &projectionsAnswer{}
	answer.Body.Items = each(all, func(status projections.Status) projectionBody { return projectionBodyOf(status, s.api.Now()) })
	for _, item := range answer.Body.Items {
		answer.Body.HeadPosition = max(answer.Body.HeadPosition, item.HeadPosition)
	}
	return answer, nil
}

func (s *server) getProjection(ctx context.Context, in *projectionRequest) (*projectionAnswer, error) {
	status, err := s.api.ReadModels.Status(ctx, in.Name)
	if err != nil {
		return nil, s.ofProjection(err)
	}
	return &projectionAnswer{projectionBodyOf(status, s.api.Now())}, nil
}

// ofProjection says that there is no such read model.
func (s *server) ofProjection(err error) error {
	if errors.Is(err, projections.ErrNoModel) {
		return s.refuse(kindNotFound, "there is no read model of this name; GET /admin/projections lists them")
	}
	return err
}

type rebuildRequest struct {
	Name           string `path:"name" doc:"Name of the read model." example:"orders"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again begins no second one."`
	Body           *startRebuildBody
}

type startRebuildBody struct {
	Verify            bool `json:"verify,omitempty" doc:"Only compare: what is filled is thrown away."`
	AcceptDifferences bool `json:"accept_differences,omitempty" doc:"Swap whatever the comparison finds: for code that is meant to give other rows."`
	Rate              int  `json:"rate,omitempty" minimum:"0" maximum:"10000000" doc:"The most events in a second, to be gentle; 0 is as many as there are."`
}

type rebuildBackRequest struct {
	Name           string `path:"name" doc:"Name of the read model." example:"orders"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key again begins no second one."`
}

type rebuildAnswer struct {
	Body rebuildBody
}

type rebuildBody struct {
	ID              string                  `json:"id"`
	Projection      string                  `json:"projection" example:"orders"`
	Version         string                  `json:"version" doc:"That is filled." example:"2.1"`
	Kind            string                  `json:"kind" enum:"rebuild,verify,back"`
	State           string                  `json:"state" enum:"filling,comparing,swapping,swapped,verified,different,cancelled,failed" doc:"different: it is not equal to the live version and was not swapped; accept or cancel it."`
	Paused          bool                    `json:"paused,omitempty"`
	Ended           bool                    `json:"ended" doc:"Nothing more happens by itself."`
	Error           string                  `json:"error,omitempty" doc:"Of the last attempt; while it is not over there will be another one."`
	Progress        float64                 `json:"progress" doc:"From 0 to 1: the share of the log that is done."`
	Events          int64                   `json:"events" doc:"Applied."`
	Seconds         float64                 `json:"seconds" doc:"That filling took, pauses left out."`
	EventsPerSecond float64                 `json:"events_per_second"`
	LeftSeconds     float64                 `json:"left_seconds,omitempty" doc:"About how long filling will still take."`
	Equal           bool                    `json:"equal" doc:"It was compared and no difference was found."`
	Swapped         bool                    `json:"swapped" doc:"It is the version that is read."`
	Compared        *projections.Comparison `json:"compared,omitempty" doc:"What the comparison with the live version found, both as they were at one position."`
	RequestedBy     string                  `json:"requested_by"`
	RequestedAt     time.Time               `json:"requested_at"`
	EndedAt         *time.Time              `json:"ended_at,omitempty"`
}

func rebuildBodyOf(r projections.Rebuild) rebuildBody {
	return rebuildBody{
		ID: r.ID, Projection: r.Projection, Version: r.Version.String(), Kind: string(r.Kind), State: string(r.State), Paused: r.Paused, Ended: r.Ended(),
		Error: r.Error, Progress: r.Progress(), Events: r.Events, Seconds: r.Worked.Seconds(), EventsPerSecond: r.PerSecond(), LeftSeconds: r.Left().Seconds(),
		Equal: r.Equal(), Swapped: r.State == projections.Swapped, Compared: r.Compared,
		RequestedBy: r.RequestedBy, RequestedAt: r.RequestedAt, EndedAt: timeOrNil(r.EndedAt),
	}
}

func (s *server) rebuildRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	missing := []string{kindNotFound, projections.ErrNoRebuild.Code}
	register(s, route{
		id: "rebuildProjection", method: http.MethodPost, path: "/admin/projections/{name}/rebuild", tag: "projections", scopes: admin, status: http.StatusAccepted,
		summary: "Build a read model anew", about: "Beside the live version, from the first event: it is filled, compared with the live one at the same position, and swapped in when every row is equal. The old one is kept for a day. Webhooks and side effects are not touched.",
		refuses: []string{kindNotFound, kindKeyInvalid, domain.ErrKeyReused.Code, projections.ErrRebuilding.Code}, example: map[string]any{"verify": false},
	}, s.rebuildProjection)
	register(s, route{
		id: "getRebuild", method: http.MethodGet, path: "/admin/projections/{name}/rebuild", tag: "projections", scopes: admin, status: http.StatusOK,
		summary: "Show where a rebuild stands", about: "The last one, also when it is over.", refuses: missing,
	}, s.getRebuild)
	for _, change := range []struct {
		id, path, summary, about string
		do                       func(context.Context, string) (projections.Rebuild, error)
	}{
		{"pauseRebuild", "pause", "Pause a rebuild", "It stays where it is, also over a restart.", s.api.ReadModels.PauseRebuild},
		{"resumeRebuild", "resume", "Resume a rebuild", "From where it was paused.", s.api.ReadModels.ResumeRebuild},
		{"cancelRebuild", "cancel", "Cancel a rebuild", "What was filled is thrown away. Also for one that found differences.", s.api.ReadModels.CancelRebuild},
		{"acceptRebuild", "accept", "Accept the differences of a rebuild", "Swaps in what is not equal: look at compared first.", s.api.ReadModels.AcceptRebuild},
	} {
		register(s, route{
			id: change.id, method: http.MethodPost, path: "/admin/projections/{name}/rebuild/" + change.path, tag: "projections", scopes: admin, status: http.StatusOK,
			summary: change.summary, about: change.about, refuses: missing,
		}, func(ctx context.Context, in *projectionRequest) (*rebuildAnswer, error) {
			return s.rebuildOf(change.do(ctx, in.Name))
		})
	}
	register(s, route{
		id: "revertProjection", method: http.MethodPost, path: "/admin/projections/{name}/back", tag: "projections", scopes: admin, status: http.StatusAccepted,
		summary: "Go back to the version before", about: "To the last one that was live, if it is still kept: it is brought up to date and swapped in.",
		refuses: []string{kindNotFound, kindKeyInvalid, domain.ErrKeyReused.Code, projections.ErrRebuilding.Code, projections.ErrNoneKept.Code},
	}, s.revertProjection)
}

func (s *server) rebuildOf(r projections.Rebuild, err error) (*rebuildAnswer, error) {
	if err != nil {
		return nil, s.ofProjection(err)
	}
	return &rebuildAnswer{rebuildBodyOf(r)}, nil
}

func (s *server) rebuildProjection(ctx context.Context, in *rebuildRequest) (*rebuildAnswer, error) {
	how := projections.RebuildOptions{Kind: projections.Anew}
	if in.Body != nil {
		how.Accept, how.Rate = in.Body.AcceptDifferences, in.Body.Rate
		if in.Body.Verify {
			how.Kind = projections.Verify
		}
	}
	return s.startRebuild(ctx, in.Name, in.IdempotencyKey, how)
}

func (s *server) revertProjection(ctx context.Context, in *rebuildBackRequest) (*rebuildAnswer, error) {
	return s.startRebuild(ctx, in.Name, in.IdempotencyKey, projections.RebuildOptions{Kind: projections.Back})
}

func (s *server) startRebuild(ctx context.Context, name, key string, o projections.RebuildOptions) (*rebuildAnswer, error) {
	meta, err := s.command(ctx, "rebuild "+name, key)
	if err != nil {
		return nil, err
	}
	o.ID, o.By = meta.CommandID, meta.Actor.ID
	return s.rebuildOf(s.api.ReadModels.StartRebuild(ctx, name, o))
}

func (s *server) getRebuild(ctx context.Context, in *projectionRequest) (*rebuildAnswer, error) {
	return s.rebuildOf(s.api.ReadModels.Rebuild(ctx, in.Name))
}

// jsonOrNil leaves out what is empty.
func jsonOrNil(data json.RawMessage) any {
	if len(data) == 0 {
		return nil
	}
	return data
}
