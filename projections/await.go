package projections

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

const (
	// look is how often a read model is looked at that is waited for: another
	// process may bring it forward, so there is nobody to tell.
	look = 5 * time.Millisecond
	// lookTime bounds one look.
	lookTime = 5 * time.Second
)

// Arrivals lets many wait for read models at once: however many wait for one,
// it is looked at once in a while for all of them. The zero value is ready.
type Arrivals struct {
	mu       sync.Mutex
	lookouts map[*sql.DB]*lookout // of read models that somebody waits for
}

// lookout looks at one read model as long as anybody waits for it.
type lookout struct {
	reached eventstore.Position // when it was last looked at
	waiting map[*arrival]struct{}
}

type arrival struct {
	wanted eventstore.Position
	told   chan arrived // has room for the one answer
}

type arrived struct {
	position eventstore.Position
	err      error
}

// Await returns how far a read model is once it has come to a position, or when
// the time is up.
func (a *Arrivals) Await(ctx context.Context, db *sql.DB, wanted eventstore.Position, patience time.Duration) (eventstore.Position, error) {
	position, err := a.seen(ctx, db)
	if err != nil || position >= wanted {
		return position, err
	}
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	mine := &arrival{wanted: wanted, told: make(chan arrived, 1)}
	a.join(ctx, db, mine, position)
	select {
	case answer := <-mine.told:
		return answer.position, answer.err
	case <-patient.Done():
		return max(position, a.leave(db, mine)), ctx.Err()
	}
}

// seen is what those have seen who wait already, a moment ago; where nobody
// does, it looks.
func (a *Arrivals) seen(ctx context.Context, db *sql.DB) (eventstore.Position, error) {
	a.mu.Lock()
	l := a.lookouts[db]
	if l != nil {
		defer a.mu.Unlock()
		return l.reached, nil
	}
	a.mu.Unlock()
	return ReadPosition(ctx, db)
}

func (a *Arrivals) join(ctx context.Context, db *sql.DB, one *arrival, seen eventstore.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lookouts[db]
	if l == nil {
		if a.lookouts == nil {
			a.lookouts = map[*sql.DB]*lookout{}
		}
		l = &lookout{reached: seen, waiting: map[*arrival]struct{}{}}
		a.lookouts[db] = l
		go a.look(context.WithoutCancel(ctx), db)
	}
	l.waiting[one] = struct{}{}
}

// leave returns what was seen last.
func (a *Arrivals) leave(db *sql.DB, one *arrival) eventstore.Position {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lookouts[db]
	if l == nil {
		return 0
	}
	delete(l.waiting, one)
	return l.reached
}

// look ends when nobody waits any more. It is for all who do, and so outlives
// each of them.
func (a *Arrivals) look(ctx context.Context, db *sql.DB) {
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	for waiting := true; waiting; {
		<-ticks.C
		looking, cancel := context.WithTimeout(ctx, lookTime)
		position, err := ReadPosition(looking, db)
		cancel()
		waiting = a.tell(db, arrived{position, err})
	}
}

// tell answers those whose time has come, and all after a failure. It reports
// whether others go on waiting.
func (a *Arrivals) tell(db *sql.DB, now arrived) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lookouts[db]
	l.reached = max(l.reached, now.position)
	for one := range l.waiting {
		if now.err != nil || now.position >= one.wanted {
			one.told <- now
			delete(l.waiting, one)
		}
	}
	if len(l.waiting) > 0 {
		return true
	}
	delete(a.lookouts, db)
	return false
}
