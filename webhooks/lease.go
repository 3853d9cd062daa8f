package webhooks

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// leases is what a supervisor has seen of the leases of all processes: since when
// each stands as it is. They run out by the clock of the database; should that
// one go back, a lease of a process that died would last as much longer.
type leases struct {
	seen map[ledger.Key]sight
	told bool // that the clocks differ
}

type sight struct {
	owner string
	until time.Time
	since time.Time // by this process's clock
}

// look notes which leases have moved.
func (l *leases) look(runs []ledger.Run, now time.Time) {
	seen := make(map[ledger.Key]sight, len(runs))
	for _, run := range runs {
		s, known := l.seen[run.Key]
		if !known || s.owner != run.Owner || !s.until.Equal(run.LeaseUntil) {
			s = sight{owner: run.Owner, until: run.LeaseUntil, since: now}
		}
		seen[run.Key] = s
	}
	l.seen = seen
}

// abandoned says whether nobody has renewed a lease for as long as two of them
// last: whoever has it would do so six times.
func (s *supervisor) abandoned(run ledger.Run) bool {
	seen := s.leases.seen[run.Key]
	return run.Owner != "" && s.d.Now().Sub(seen.since) > 2*s.d.cfg.Lease
}

func (s *supervisor) claim(run ledger.Run) ledger.Claim {
	claim := ledger.Claim{Owner: s.d.cfg.Owner, For: s.d.cfg.Lease}
	if s.abandoned(run) {
		claim.Abandoned = run.LeaseUntil
	}
	return claim
}

// clocksDiffer is by how much the clock of a process may differ from that of the
// database. Receivers refuse a signature of five minutes ago, or to come.
const clocksDiffer = 30 * time.Second

// compareClocks tells people of a clock that is wrong: leases do not mind, but
// signatures and the times of retries do. The database was asked after a time.
func (s *supervisor) compareClocks(ctx context.Context, asked, answered time.Time) {
	if answered.IsZero() {
		return
	}
	ahead := asked.Sub(answered)
	if took := s.d.Now().Sub(asked); ahead < 0 { // it may have answered as late as now
		ahead = min(ahead+took, 0)
	}
	differ := ahead.Abs() > clocksDiffer
	if differ && !s.leases.told {
		s.d.Logger.WarnContext(ctx, "the clocks of this process and of the database differ, receivers may refuse signatures", "ahead", ahead.Round(time.Second))
	}
	s.leases.told = differ
}
