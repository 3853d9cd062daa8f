package projections

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Status is where a read model stands.
type Status struct {
	Name      string
	Version   Version // that is read
	Position  eventstore.Position
	Head      eventstore.Position // of the log
	Lag       Lag
	Applied   time.Time    // when the last event that was applied had been recorded
	Events    int64        // applied since the first
	PerSecond float64      // events applied, over the last ten seconds or so
	Blocked   int          // streams
	Owner     string       // the process that brings it forward; empty on SQLite, and where it is in parts
	Parts     []PartStatus // none where it is whole
	Versions  []Version
	Rebuild   *Rebuild // the last one; nil where there was none
}

// PartStatus is where a part of a read model stands that is brought forward in
// parts.
type PartStatus struct {
	Number   int    // from 1
	Owner    string // the process that brings it forward; empty is none at the moment
	Position eventstore.Position
	Applied  time.Time
	Events   int64 // applied since it is a part
}

// tellOwners says who brings a version forward: all of it, or each part.
func (s *Status) tellOwners(ctx context.Context, r *Runner) error {
	if r.owner.lease == nil {
		return nil
	}
	parts, err := readParts(ctx, r.db.Read)
	if err != nil {
		return err
	}
	owners, err := r.owners(ctx)
	s.Owner, s.Parts = owners[wholeLease], nil
	for _, p := range parts {
		s.Owner = ""
		s.Parts = append(s.Parts, PartStatus{Number: p.number, Owner: owners[p.lease()], Position: p.position, Applied: p.applied, Events: p.events})
	}
	return err
}

// Seconds is how long the first of the events waits that were not applied.
func (l Lag) Seconds(now time.Time) float64 {
	if l.Events == 0 {
		return 0
	}
	return max(now.Sub(l.Since).Seconds(), 0)
}

// Status returns where a read model stands.
func (s *Set) Status(ctx context.Context, name string) (status Status, err error) {
	m, err := s.Model(name)
	if err != nil {
		return status, err
	}
	live := m.Live()
	status = Status{
		Name: name, Version: live.Version(), Position: live.Position(), Applied: live.Applied(), Events: live.Events(), PerSecond: m.perSecond(),
	}
	status.Version.State = Live
	if status.Head, err = s.log.End(ctx); err != nil {
		return status, err
	}
	if status.Lag, err = m.Lag(ctx); err != nil {
		return status, err
	}
	blocked, err := m.Blocked(ctx)
	if err != nil {
		return status, err
	}
	status.Blocked = len(blocked)
	if _, err = ofLive(m, func(live *Runner) (struct{}, error) { return struct{}{}, status.tellOwners(ctx, live) }); err != nil {
		return status, err
	}
	if status.Versions, err = s.catalogue.Versions(ctx, name); err != nil {
		return status, err
	}
	r, err := s.Rebuild(ctx, name)
	if errors.Is(err, ErrNoRebuild) {
		return status, nil
	}
	status.Rebuild = &r
	return status, err
}

// Statuses returns where every read model stands.
func (s *Set) Statuses(ctx context.Context) ([]Status, error) {
	all, errs := make([]Status, len(s.models)), make([]error, len(s.models))
	var asking sync.WaitGroup
	for i, m := range s.models {
		asking.Go(func() { all[i], errs[i] = s.Status(ctx, m.Name()) })
	}
	asking.Wait()
	return all, errors.Join(errs...)
}

// rateOver is over how many looks a rate is taken.
const rateOver = 10

// rate is how many events were applied at each of the last looks.
type rate struct {
	mu      sync.Mutex
	samples []sample
}

type sample struct {
	at     time.Time
	events int64
}

// look notes how many events there were. Another version begins anew.
func (r *rate) look(at time.Time, events int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.samples); n > 0 && r.samples[n-1].events > events {
		r.samples = nil
	}
	r.samples = append(r.samples, sample{at, events})
	r.samples = r.samples[max(0, len(r.samples)-rateOver-1):]
}

func (r *rate) perSecond() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.samples) < 2 {
		return 0
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	took := last.at.Sub(first.at).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(last.events-first.events) / took
}

// perSecond is how many events were applied in a second, of late.
func (m *Model) perSecond() float64 { return m.rate.perSecond() }
