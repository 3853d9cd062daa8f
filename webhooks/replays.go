package webhooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Replays is what an API may do to replays. Every change is an event of the
// endpoint's stream; the dispatcher does the rest.
type Replays struct {
	Endpoints *Endpoints
	Ledger    *ledger.Ledger
	Cursors   *cursor.Codec
	// End returns where the log ends by now.
	End func(context.Context) (eventstore.Position, error)
	Now func() time.Time
}

// Beginning stands for the place before the first event.
const Beginning = "beginning"

// What may be wrong with where a replay begins or ends.
const (
	CodePlace       = "place-invalid"        // it is no place in the log
	CodePlaceBeyond = "place-beyond-the-log" // there is no such place yet, or no more
)

// NewReplay describes a replay to run.
type NewReplay struct {
	// ID names the replay: [ReplayID] makes one. Asking for the same replay
	// again under the same id is harmless.
	ID string
	// From is [Beginning], a time in RFC 3339, or a cursor. To is one of the
	// last two, or empty: what was recorded before the request.
	From, To  string
	Types     []string
	Aggregate string // its id, or empty
	Only      string // of package endpoint
	Dedupe    string // of package endpoint
	Rate      int    // attempts in a second; 0 is as many as the endpoint leaves
}

// ReplayID returns the name of the replay that a command asks for.
func ReplayID(commandID string) string {
	return replayPrefix + eventstore.DeriveID("replay", commandID)
}

// Replay is a replay as its endpoint's owner sees it.
type Replay struct {
	endpoint.Replay
	// State is how it goes: one of the states below.
	State string
	// Progress is the settled share of the log that the replay goes through,
	// from 0 to 1.
	Progress float64
	Parked   int // messages that wait for another attempt
	// PerSecond and Left are estimates from what happened since the request;
	// both are 0 when there are none.
	PerSecond float64
	Left      time.Duration
	// From, To and Through are places in the log.
	Cursors struct{ From, To, Through string }
}

// States of a replay.
const (
	ReplayWaiting   = "waiting" // to be taken up
	ReplayRunning   = "running"
	ReplayPaused    = "paused" // with its endpoint
	ReplayCompleted = "completed"
	ReplayCancelled = "cancelled"
)

// Request asks for a replay. Asking for another one under the same id is
// refused.
func (s *Replays) Request(ctx context.Context, endpointID string, n NewReplay, meta eventstore.Metadata) (Replay, error) {
	cmd := endpoint.RequestReplay{
		ReplayID: n.ID, KnownTypes: s.Endpoints.Catalogue.Types(), At: s.Now(),
		ReplaySpec: endpoint.ReplaySpec{Types: n.Types, Aggregate: n.Aggregate, Only: n.Only, Dedupe: n.Dedupe, Rate: float64(n.Rate)},
	}
	state, err := s.load(ctx, endpointID)
	if err != nil {
		return Replay{}, err
	}
	if err := s.places(ctx, &cmd.ReplaySpec, n, ScopeOf(state.TenantID)); err != nil {
		return Replay{}, err
	}
	known, repeated, err := replayIn(ctx, s.Endpoints.Store, state, n.ID)
	switch {
	case err != nil:
		return Replay{}, err
	case repeated && !sameReplay(known.ReplaySpec, cmd.ReplaySpec):
		return Replay{}, domain.ErrKeyReused
	case repeated && known.Status != endpoint.StatusReplayRunning:
		return s.view(ctx, state, known)
	case !repeated:
		if err := s.Endpoints.limits.take(s.Endpoints.Bounds.Replays, "replays "+state.TenantID, cmd.At); err != nil {
			return Replay{}, err
		}
	}
	state, _, err = s.Endpoints.handle(ctx, endpointID, meta, cmd)
	if err != nil {
		return Replay{}, err
	}
	replay, _ := state.Replay(n.ID)
	return s.view(ctx, state, replay)
}

func sameReplay(a, b endpoint.ReplaySpec) bool {
	same := slices.Equal(a.Types, b.Types)
	a.Types, b.Types = nil, nil
	return same && reflect.DeepEqual(a, b)
}

// places reads where a replay begins and ends. Cursors are those of a scope.
func (s *Replays) places(ctx context.Context, spec *endpoint.ReplaySpec, n NewReplay, scope string) error {
	var mistakes []domain.Mistake
	from, err := s.place(scope, n.From)
	if err != nil || n.From == "" {
		mistakes = append(mistakes, domain.Mistake{
			Pointer: "/from", Code: CodePlace, Detail: `must be "beginning", a time such as 2026-08-01T00:00:00Z, or the cursor of a message`,
		})
	}
	to, err := s.place(scope, n.To)
	if err != nil || n.To == Beginning {
		mistakes = append(mistakes, domain.Mistake{
			Pointer: "/to", Code: CodePlace, Detail: "must be a time such as 2026-08-20T00:00:00Z, or the cursor of a message",
		})
	}
	beyond, err := s.beyond(ctx, from, to)
	if err != nil {
		return err
	}
	if mistakes = append(mistakes, beyond...); len(mistakes) > 0 {
		return endpoint.ErrReplayInvalid.Because(mistakes...)
	}
	spec.From, spec.FromTime, spec.To, spec.ToTime = uint64(from.position), from.time, uint64(to.position), to.time
	return nil
}

// beyond names the ends that lie behind the end of the log. A replay from there
// would be over before it had sent anything, and would look as if there had been
// nothing to send.
func (s *Replays) beyond(ctx context.Context, from, to place) (mistakes []domain.Mistake, err error) {
	if from.position == 0 && to.position == 0 {
		return nil, nil
	}
	end, err := s.End(ctx)
	if err != nil {
		return nil, fmt.Errorf("look where the log ends: %w", err)
	}
	for _, of := range []struct {
		pointer  string
		position eventstore.Position
	}{{"/from", from.position}, {"/to", to.position}} {
		if of.position > end {
			mistakes = append(mistakes, domain.Mistake{Pointer: of.pointer, Code: CodePlaceBeyond, Detail: ErrBeyond.Error()})
		}
	}
	return mistakes, nil
}

// place is a position or a time.
type place struct {
	position eventstore.Position
	time     time.Time
}

func (s *Replays) place(scope, text string) (place, error) {
	if text == "" || text == Beginning {
		return place{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil && domain.Recordable(at) {
		return place{time: at.UTC()}, nil
	}
	position, err := s.Cursors.Decode(scope, text)
	return place{position: position}, err
}

// Cancel ends a replay. What it has sent stays sent.
func (s *Replays) Cancel(ctx context.Context, endpointID, replayID string, meta eventstore.Metadata) error {
	status, _, err := s.Ledger.Status(ctx, ledger.Key{EndpointID: endpointID, RunID: replayID})
	if err != nil {
		return err
	}
	_, _, err = s.Endpoints.handle(ctx, endpointID, meta, endpoint.CancelReplay{
		ReplayID: replayID, Through: uint64(status.Through), Until: uint64(status.Until),
		Delivered: status.Delivered, GivenUp: status.Dead, At: s.Now(),
	})
	if errors.Is(err, endpoint.ErrReplayNotFound) {
		_, err = s.Get(ctx, endpointID, replayID) // one that ended long ago is harmless, too
	}
	return err
}

// Get returns a replay, or [endpoint.ErrReplayNotFound].
func (s *Replays) Get(ctx context.Context, endpointID, replayID string) (Replay, error) {
	state, err := s.load(ctx, endpointID)
	if err != nil {
		return Replay{}, err
	}
	replay, ok, err := replayIn(ctx, s.Endpoints.Store, state, replayID)
	if err != nil || !ok {
		return Replay{}, cmp.Or(err, error(endpoint.ErrReplayNotFound))
	}
	return s.view(ctx, state, replay)
}

// List returns the last replays of an endpoint, newest first.
func (s *Replays) List(ctx context.Context, endpointID string, most int) ([]Replay, error) {
	state, err := s.load(ctx, endpointID)
	if err != nil {
		return nil, err
	}
	var list []Replay
	for _, replay := range slices.Backward(state.Replays) {
		if len(list) == most {
			break
		}
		view, err := s.view(ctx, state, replay)
		if err != nil {
			return nil, err
		}
		list = append(list, view)
	}
	return list, nil
}

func (s *Replays) load(ctx context.Context, endpointID string) (endpoint.State, error) {
	state, _, err := eventstore.Load(ctx, s.Endpoints.Store, endpoint.Decider, endpointID)
	if err == nil && !state.Exists() {
		err = endpoint.ErrNotFound
	}
	return state, err
}

// view adds to what the log says of a replay what the ledger knows.
func (s *Replays) view(ctx context.Context, state endpoint.State, replay endpoint.Replay) (Replay, error) {
	v := Replay{Replay: replay}
	scope := ScopeOf(state.TenantID)
	v.Cursors.From, v.Cursors.To = s.cursor(scope, replay.From), s.cursor(scope, replay.To)
	if replay.Status != endpoint.StatusReplayRunning {
		v.State = ReplayCancelled
		if replay.Status == endpoint.StatusReplayCompleted {
			v.State, v.Progress = ReplayCompleted, 1
		}
		v.Cursors.Through, v.Cursors.To = s.cursor(scope, replay.Through), s.cursor(scope, cmp.Or(replay.Until, replay.To))
		return v, nil
	}
	v.State = ReplayWaiting
	status, ok, err := s.Ledger.Status(ctx, ledger.Key{EndpointID: state.ID, RunID: replay.ReplayID})
	if err != nil {
		return Replay{}, err
	}
	if ok {
		v.State = ReplayRunning
		v.measure(status, s.Now())
		v.Cursors.Through, v.Cursors.To = s.cursor(scope, v.Through), s.cursor(scope, uint64(status.Until))
	}
	if s.Endpoints.Verify.Of(state.TenantID) && state.Verification.Unverified() {
		v.State = ReplayWaiting
	}
	if state.Status != endpoint.StatusActive {
		v.State = ReplayPaused
	}
	return v, nil
}

func (s *Replays) cursor(scope string, position uint64) string {
	if position == 0 {
		return ""
	}
	return s.Cursors.Encode(scope, eventstore.Position(position))
}

// measure says how far a running replay is, and how fast.
func (v *Replay) measure(status ledger.Status, now time.Time) {
	v.Through, v.Delivered, v.GivenUp, v.Parked = uint64(status.Through), status.Delivered, status.Dead, status.Parked
	whole, done := float64(status.Until-status.From), float64(status.Through-status.From)
	v.Progress = 1
	if status.Through < status.Until {
		v.Progress = done / whole
	}
	since := now.Sub(v.RequestedAt)
	if since > 0 {
		v.PerSecond = float64(v.Delivered) / since.Seconds()
	}
	if v.Progress > 0 && v.Progress < 1 {
		v.Left = time.Duration(float64(since) * (1 - v.Progress) / v.Progress)
	}
}
