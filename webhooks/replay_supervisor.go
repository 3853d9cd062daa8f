package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// replays is what a supervisor knows of the replays beside the live runs.
type replays struct {
	completed map[ledger.Key]bool // until the log has said so
	notes     map[ledger.Key]note
}

// note is when a replay's progress is recorded next.
type note struct {
	at   time.Time
	wait time.Duration
}

const (
	firstNote = time.Minute
	lastNote  = time.Hour
)

func newReplays() replays {
	return replays{completed: map[ledger.Key]bool{}, notes: map[ledger.Key]note{}}
}

// forget drops what is known of runs that are gone.
func (r *replays) forget(runs []ledger.Run) {
	keys := map[ledger.Key]bool{}
	for _, run := range runs {
		keys[run.Key] = true
	}
	for key := range r.completed {
		if !keys[key] {
			delete(r.completed, key)
		}
	}
	for key := range r.notes {
		if !keys[key] {
			delete(r.notes, key)
		}
	}
}

// complete records that a replay has sent everything. Should this process die
// before, the next one finds nothing left to send and records it.
func (s *supervisor) complete(ctx context.Context, r *running) {
	key := r.lease.Key
	for ctx.Err() == nil {
		status, ok, err := s.d.Ledger.Status(ctx, key)
		if err == nil && !ok {
			return
		}
		if err == nil {
			err = s.d.Endpoints.replay(ctx, key, "completed", endpoint.CompleteReplay{
				ReplayID: key.RunID, Through: uint64(status.Through), Delivered: status.Delivered, GivenUp: status.Dead, At: s.d.Now(),
			})
		}
		if err == nil || unknown(err) {
			s.d.Logger.InfoContext(ctx, "replay completed", "endpoint", key.EndpointID, "run", key.RunID, "delivered", status.Delivered, "given_up", status.Dead)
			return
		}
		s.complain(ctx, "webhooks cannot complete a replay", err)
		pause(ctx, retryAfter)
	}
}

// noteProgress records how far long replays are: after a minute, and then when
// they have taken twice as long, but every hour. Only the loss of the ledger
// makes anybody read it.
func (s *supervisor) noteProgress(ctx context.Context, now time.Time) {
	for key, r := range s.couriers {
		if r.to.replay == nil || r.to.replay.ping != nil {
			continue
		}
		n, known := s.replays.notes[key]
		switch {
		case !known:
			n = note{at: now.Add(firstNote), wait: firstNote}
		case now.Before(n.at):
			continue
		default:
			n = note{at: now.Add(n.wait), wait: min(2*n.wait, lastNote)}
			s.beside.Go(func() { s.progress(ctx, key, now) })
		}
		s.replays.notes[key] = n
	}
}

func (s *supervisor) progress(ctx context.Context, key ledger.Key, now time.Time) {
	status, ok, err := s.d.Ledger.Status(ctx, key)
	if err == nil && ok {
		err = s.d.Endpoints.replay(ctx, key, "progress "+now.UTC().Format(time.RFC3339Nano), endpoint.ProgressReplay{
			ReplayID: key.RunID, Through: uint64(status.Through), Delivered: status.Delivered, GivenUp: status.Dead, At: now,
		})
	}
	if !unknown(err) {
		s.complain(ctx, "webhooks cannot record a replay's progress", err)
	}
}

// unknown says that the log has no such endpoint any more, or knows nothing of
// such a replay, as after it was restored from a backup: there is nothing to say.
func unknown(err error) bool {
	return errors.Is(err, endpoint.ErrNotFound) || errors.Is(err, endpoint.ErrReplayNotFound)
}

// replay lets something happen to a replay, once.
func (s *Endpoints) replay(ctx context.Context, key ledger.Key, what string, cmd endpoint.Command) error {
	_, _, err := s.handle(ctx, key.EndpointID, eventstore.Metadata{
		CommandID: eventstore.DeriveID("replay", key.RunID, what),
		Actor:     eventstore.Actor{Type: "system", ID: "webhooks"},
	}, cmd)
	return err
}
