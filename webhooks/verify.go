package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// Verify says whose endpoints have to show that they want to be called before
// anything but a ping is sent to them.
type Verify string

// Whose endpoints are verified.
const (
	VerifyNobody    Verify = ""
	VerifyPartners  Verify = "partners"
	VerifyEverybody Verify = "all"
)

// Of says whether it is about the endpoints of a tenant.
func (v Verify) Of(tenantID string) bool {
	return v == VerifyEverybody || (v == VerifyPartners && tenantID != "")
}

// ping is how long a tenant's new endpoint has to answer one, 0 if it gets
// none.
func (s *Endpoints) ping(tenantID string) time.Duration {
	if s.Verify.Of(tenantID) {
		return endpoint.PingFor
	}
	return 0
}

// AskVerification sends an endpoint a ping, unless it has answered one or one
// is under way.
func (s *Endpoints) AskVerification(ctx context.Context, r Request) (Changed, error) {
	return s.result(s.change(ctx, r, func(state endpoint.State) (endpoint.Command, error) {
		ask := endpoint.AskVerification{For: endpoint.PingFor, At: s.Now()}
		if now := state.Verification.Status; !state.Exists() || now == endpoint.VerificationPending || now == endpoint.Verified {
			return ask, nil // which uses up nothing
		}
		return ask, s.limits.take(s.Bounds.Tests, "tests "+state.TenantID, ask.At)
	}))
}

// pingPrefix begins the names of runs that send a ping and nothing else.
const pingPrefix = "verify_"

// PingRun is the name of the run that sends a ping.
func PingRun(number int) string { return pingPrefix + strconv.Itoa(number) }

// IsPing says whether a run sends a ping and nothing else.
func IsPing(run string) bool { return strings.HasPrefix(run, pingPrefix) }

// ping is the one event that a run sends.
type ping struct {
	EventID  string              `json:"event_id"`
	Revision eventstore.Revision `json:"revision"`
	Number   int                 `json:"number"`
}

// isVerification tells the events that start or end the run of a ping. They
// change the endpoint's row, too.
func isVerification(stored string) bool {
	switch stored {
	case endpoint.VerificationAsked{}.EventName(), endpoint.VerifiedEndpoint{}.EventName(), endpoint.VerificationUnanswered{}.EventName():
		return true
	}
	return false
}

// verification says what an event of a verification means for its run, given
// how the verification stands by now.
func (f *follower) verification(ctx context.Context, r eventstore.Recorded) (ledger.Change, error) {
	event, err := r.Decode()
	if err != nil {
		return ledger.Change{}, err
	}
	id := message.AggregateID(r.Stream)
	key := ledger.Key{EndpointID: id}
	switch e := event.(type) {
	case endpoint.VerifiedEndpoint:
		key.RunID = PingRun(e.Number)
		return ledger.Change{Ended: &key}, nil
	case endpoint.VerificationUnanswered:
		key.RunID = PingRun(e.Number)
		return ledger.Change{Ended: &key}, nil
	case endpoint.VerificationAsked:
		key.RunID = PingRun(e.Number)
		s, _, err := eventstore.Load(ctx, f.d.Store, endpoint.Decider, id)
		if err != nil {
			return ledger.Change{}, fmt.Errorf("load endpoint %s: %w", id, err)
		}
		if s.Verification.Number != e.Number || s.Verification.Status != endpoint.VerificationPending || !s.Exists() {
			return ledger.Change{Ended: &key}, nil
		}
		spec, err := json.Marshal(ping{EventID: r.ID.String(), Revision: r.Revision, Number: e.Number})
		return ledger.Change{Started: &ledger.Run{
			Key: key, From: r.Position - 1, Through: r.Position - 1, Until: r.Position, Spec: string(spec),
		}}, err
	}
	return ledger.Change{}, fmt.Errorf("%s is no event of a verification", r.Type)
}

// pinged hands over the one event of a ping's run.
type pinged struct{ past }

// run returns when it was handed over, or the context ends.
func (p *pinged) run(ctx context.Context, at eventstore.Position) {
	run := p.replay.run
	for ctx.Err() == nil && at < run.Until {
		it, err := p.d.itemOf(ctx, delivery.Job{Event: delivery.Event{
			Position: run.Until, Revision: p.replay.ping.Revision, Lane: endpoint.Decider.Stream(run.EndpointID), ID: p.replay.ping.EventID,
		}})
		if err == nil {
			p.hand(ctx, batch{items: []*item{it}, through: run.Until})
			return
		}
		if ctx.Err() == nil {
			p.d.Logger.WarnContext(ctx, "webhooks cannot read a ping", "endpoint", run.EndpointID, "error", err)
		}
		pause(ctx, retryAfter)
	}
	p.hand(ctx, batch{through: run.Until})
}

// maySend says whether a run of an endpoint may send: before an endpoint is
// verified nothing but its ping may.
func (s *supervisor) maySend(ctx context.Context, row ledger.Endpoint, run ledger.Run) bool {
	if IsPing(run.RunID) {
		expired := !row.Verification.ExpiresAt.IsZero() && !s.d.Now().Before(row.Verification.ExpiresAt)
		if expired && !s.replays.completed[run.Key] {
			s.replays.completed[run.Key] = true
			s.beside.Go(func() { s.endPing(ctx, run, endpoint.ReasonExpired) })
		}
		return !expired
	}
	return !s.d.Endpoints.Verify.Of(row.TenantID) || !row.Verification.Unverified()
}

// endPing records what became of a ping, as soon as it can. Should this process
// die before, the next one finds out again.
func (s *supervisor) endPing(ctx context.Context, run ledger.Run, reason string) {
	var of ping
	if err := json.Unmarshal([]byte(run.Spec), &of); err != nil {
		s.complain(ctx, "webhooks cannot read a ping's run", err)
		return
	}
	for ctx.Err() == nil {
		err := s.d.Endpoints.replay(ctx, run.Key, "ended", endpoint.EndVerification{Number: of.Number, Reason: reason, At: s.d.Now()})
		if err == nil || errors.Is(err, endpoint.ErrNotFound) {
			s.d.Logger.InfoContext(ctx, "endpoint was asked to verify", "endpoint", run.EndpointID, "failed", reason)
			if s.d.Meter.Verified != nil {
				s.d.Meter.Verified(reason)
			}
			return
		}
		s.complain(ctx, "webhooks cannot record a verification", err)
		pause(ctx, retryAfter)
	}
}

// pingSent records what came of a ping's run that has nothing left to do.
func (s *supervisor) pingSent(ctx context.Context, r *running) {
	status, ok, err := s.d.Ledger.Status(ctx, r.lease.Key)
	for err != nil && ctx.Err() == nil {
		s.complain(ctx, "webhooks cannot read what came of a ping", err)
		pause(ctx, retryAfter)
		status, ok, err = s.d.Ledger.Status(ctx, r.lease.Key)
	}
	switch {
	case err != nil || !ok:
	case status.Delivered > 0:
		s.endPing(ctx, r.to.run, "")
	default:
		s.endPing(ctx, r.to.run, endpoint.ReasonGivenUp)
	}
}

// challenge posts a ping once more, under another id and with a signature that
// is not its own. Only who refuses that verifies signatures, and so has the
// secret: a stranger's server that takes everything does not become a target.
func (d *Dispatcher) challenge(ctx context.Context, to *target, p prepared) Result {
	forged := p
	forged.MessageID = eventstore.DeriveID("forged ping", p.MessageID, strconv.Itoa(p.Attempt))
	forged.sign = func(at time.Time) string { return p.signer.Sign(p.MessageID+" forged", at, p.body) }
	result := d.post(ctx, to, forged)
	switch {
	case refused(result.Status):
		return Result{Status: http.StatusOK}
	case result.Status >= 200 && result.Status <= 299:
		return Result{Class: delivery.ClassForgery, Response: result.Response}
	}
	return result
}

// refused says whether an answer is about the message, and not about the time
// or the place.
func refused(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status <= 499
}

// postAs posts a message as its run demands.
func (d *Dispatcher) postAs(ctx context.Context, to *target, p prepared) Result {
	if IsPing(to.run.RunID) {
		return d.postPing(ctx, to, p)
	}
	return d.post(ctx, to, p)
}

// postPing posts a ping and, if it is taken, the forged one.
func (d *Dispatcher) postPing(ctx context.Context, to *target, p prepared) Result {
	taken := d.post(ctx, to, p)
	if taken.Status < 200 || taken.Status > 299 {
		return taken
	}
	if result := d.challenge(ctx, to, p); result.Status != http.StatusOK {
		return result
	}
	return taken
}

// signature of a message as it is sent at a time.
func (p prepared) signature(at time.Time) string {
	if p.sign != nil {
		return p.sign(at)
	}
	return p.signer.Sign(p.MessageID, at, p.body)
}
