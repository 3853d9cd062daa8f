package projections

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"
)

// crew is what a process does of a version that is brought forward in parts:
// it takes its share of them, and drives each like a read model of its own.
type crew struct {
	whole *Runner
	drive Drive
	parts int
	at    map[int]driving
	ended chan error // of a part that nobody stopped
}

func newCrew(whole *Runner, drive Drive, parts int) *crew {
	return &crew{whole: whole, drive: drive, parts: parts, at: map[int]driving{}, ended: make(chan error, parts)}
}

// run works until the context ends, a part cannot be driven, or the version is
// in other parts.
func (c *crew) run(ctx context.Context) (err error) {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); c.whole.watchOthers(watching) }()
	defer func() { stop(); <-watched }()
	defer func() { err = errors.Join(err, c.leave(ctx)) }()
	ticks := time.NewTicker(c.whole.owner.lease.Interval())
	defer ticks.Stop()
	for {
		err := c.look(ctx)
		switch {
		case errors.Is(err, errOtherParts) || ctx.Err() != nil:
			return nil
		case err != nil:
			c.whole.cfg.Logger.WarnContext(ctx, "cannot look who brings the parts of a read model forward, will try again", "projection", c.whole.Name(), "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.ended:
			return cmp.Or(err, errEnded)
		case <-ticks.C:
		}
	}
}

// look says that we are there, and takes what is our share.
func (c *crew) look(ctx context.Context) error {
	roster, err := c.whole.roster(ctx)
	if err != nil {
		return err
	}
	if len(roster.owners) != c.parts {
		return errOtherParts
	}
	wanted := roster.choose(c.whole.cfg.Owner, c.at)
	for n := range c.at {
		if !slices.Contains(wanted, n) {
			err = errors.Join(err, c.stop(n))
		}
	}
	for _, n := range wanted {
		if _, there := c.at[n]; !there {
			err = errors.Join(err, c.start(ctx, n))
		}
	}
	return err
}

func (c *crew) start(ctx context.Context, n int) error {
	lane, err := c.whole.lane(ctx, partition{n, c.parts})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	c.at[n] = driving{cancel, ended}
	c.whole.attend(lane, true)
	go func() {
		defer c.whole.attend(lane, false)
		err := c.drive(ctx, lane)
		ended <- err
		if ctx.Err() == nil {
			c.ended <- err
		}
	}()
	return nil
}

// attend notes which lanes there are in this process.
func (r *Runner) attend(lane *Runner, there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lanes = slices.DeleteFunc(slices.Clone(r.lanes), func(other *Runner) bool { return other == lane })
	if there {
		r.lanes = append(r.lanes, lane)
	}
}

// stop gives a part back: its lease is free then.
func (c *crew) stop(n int) error {
	d := c.at[n]
	delete(c.at, n)
	d.stop()
	return ignoreCancelled(<-d.ended)
}

// leave gives everything back.
func (c *crew) leave(ctx context.Context) (err error) {
	for _, d := range c.at {
		d.stop()
	}
	for n := range c.at {
		err = errors.Join(err, c.stop(n))
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leavePatience)
	defer cancel()
	if _, failed := c.whole.db.Write.ExecContext(leaving, `DELETE FROM workers WHERE owner = ?`, c.whole.cfg.Owner); failed != nil {
		c.whole.cfg.Logger.WarnContext(ctx, "cannot say that we leave a read model to others, they see it soon", "projection", c.whole.Name(), "error", failed)
	}
	return err
}

// leavePatience is how long to try to say that we leave.
const leavePatience = 5 * time.Second

// workers are the processes that bring parts of a version forward, or would.
const workers = `
CREATE TABLE IF NOT EXISTS workers (
  owner TEXT PRIMARY KEY,
  until INTEGER NOT NULL -- milliseconds since 1970, as in leases; later it is taken to be dead
)`

// roster is who brings the parts of a version forward.
type roster struct {
	owners  []string // of each part, from the first; "" is nobody
	workers []string // that are alive
}

// roster says that we are there, and reads who else is.
func (r *Runner) roster(ctx context.Context) (list roster, err error) {
	until, args := r.owner.lease.Until()
	//nolint:gosec // the parts are constants, what comes from outside are arguments
	_, err = r.db.Write.ExecContext(ctx, `INSERT INTO workers (owner, until) VALUES (?, `+until+`) ON CONFLICT (owner) DO UPDATE SET until = excluded.until`,
		append([]any{r.cfg.Owner}, args...)...)
	if err != nil {
		return list, err
	}
	parts, err := readParts(ctx, r.db.Write)
	if err != nil {
		return list, err
	}
	owner, err := r.owners(ctx)
	if err != nil {
		return list, err
	}
	for _, p := range parts {
		list.owners = append(list.owners, owner[p.lease()])
	}
	lasting, args := r.owner.lease.Lasting("w")
	//nolint:gosec // the parts are constants, what comes from outside are arguments
	rows, err := r.db.Write.QueryContext(ctx, `SELECT owner FROM workers w WHERE `+lasting+` ORDER BY owner`, args...)
	list.workers, err = rowsOf(rows, err, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) })
	return list, err
}

// owners are who has which lease on the version.
func (r *Runner) owners(ctx context.Context) (map[string]string, error) {
	lasting, args := r.owner.lease.Lasting("l")
	//nolint:gosec // the parts are constants, what comes from outside are arguments
	rows, err := r.db.Write.QueryContext(ctx, `SELECT name, owner FROM leases l WHERE `+lasting, args...)
	type lease struct{ name, owner string }
	leases, err := rowsOf(rows, err, func(rows *sql.Rows) (l lease, err error) { return l, rows.Scan(&l.name, &l.owner) })
	owners := map[string]string{}
	for _, l := range leases {
		owners[l.name] = l.owner
	}
	return owners, err
}

// share is how many parts a worker should have: all workers as many, and where
// that does not come out even those have one more who have most already.
func (l roster) share(me string) int {
	held := map[string]int{}
	for _, owner := range l.owners {
		held[owner]++
	}
	order := slices.Clone(l.workers)
	if !slices.Contains(order, me) {
		order = append(order, me)
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(cmp.Compare(held[b], held[a]), cmp.Compare(a, b)) })
	share, more := len(l.owners)/len(order), len(l.owners)%len(order)
	if slices.Index(order, me) < more {
		share++
	}
	return share
}

// choose returns which parts a worker is to have that has, or tries to have,
// some: it gives back what is too much, and takes what is free.
func (l roster) choose(me string, at map[int]driving) (wanted []int) {
	share := l.share(me)
	for _, take := range []func(n int, owner string) bool{
		func(_ int, owner string) bool { return owner == me },
		func(n int, owner string) bool { _, trying := at[n]; return trying && owner == "" },
		func(_ int, owner string) bool { return owner == "" },
	} {
		for i, owner := range l.owners {
			if n := i + 1; len(wanted) < share && take(n, owner) && !slices.Contains(wanted, n) {
				wanted = append(wanted, n)
			}
		}
	}
	return wanted
}
