package webhooks_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing/logtest"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// wall is a clock on the wall that somebody sets: what it says changes, and what
// passes between two looks at it does not.
type wall struct{ ahead atomic.Int64 } // seconds

func (w *wall) now() time.Time {
	now := time.Now()
	set := now
	const seconds = 30 // bits of nanoseconds below them, in a time with both clocks
	*(*uint64)(unsafe.Pointer(&set)) += uint64(w.ahead.Load()) << seconds
	if set.Sub(now) != 0 || set.Unix() != now.Unix()+w.ahead.Load() {
		panic("a time is laid out otherwise")
	}
	return set
}

// Two processes share a Postgres, and their clocks differ. Whoever has an endpoint
// keeps it as long as it lives, and no longer.
func TestClocksThatDifferChangeNothingOfLeases(t *testing.T) {
	t.Parallel()
	const wrong = 600 // seconds
	for name, row := range map[string]struct{ first, second, jump int64 }{
		"the first is ahead":        {first: wrong},
		"the first is behind":       {first: -wrong},
		"the second is ahead":       {second: wrong},
		"the second is behind":      {second: -wrong},
		"the first goes forward":    {jump: wrong},
		"the first goes back":       {jump: -wrong},
		"ahead, and then corrected": {first: wrong, jump: -wrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClocks(t, row.first, row.second)
			c.deliver(3)
			c.walls[0].ahead.Add(row.jump)
			c.deliver(6)
			if s := c.status(); s.Owner != "first" || s.Epoch != 1 || c.fenced.Load() > 0 {
				t.Errorf("the endpoint is of %s, epoch %d, after %d lost leases", s.Owner, s.Epoch, c.fenced.Load())
			}
			c.first.crash()
			c.deliver(1)
			if s := c.status(); s.Owner != "second" || s.Epoch != 2 {
				t.Errorf("after the end of the first the endpoint is of %s, epoch %d", s.Owner, s.Epoch)
			}
		})
	}
}

// The clock of the database goes back after a process died: its lease has ten
// minutes left, and nobody renews it.
func TestALeaseThatNobodyRenewsIsTaken(t *testing.T) {
	t.Parallel()
	c := newClocks(t, 0, 0)
	c.deliver(1)
	c.first.crash()
	if _, err := c.books.Write.ExecContext(t.Context(), `UPDATE wh_cursor SET lease_until = lease_until + 600000`); err != nil {
		t.Fatal(err)
	}
	c.deliver(1)
	if s := c.status(); s.Owner != "second" || s.Epoch != 2 {
		t.Errorf("the endpoint is of %s, epoch %d", s.Owner, s.Epoch)
	}
}

// People are told of a clock that receivers may refuse signatures of.
func TestAClockThatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ahead int64
		want  string
	}{
		"right":  {10, ""},
		"ahead":  {600, "ahead=10m0s"},
		"behind": {-600, "ahead=-10m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClocks(t, row.ahead, 0)
			c.deliver(3)
			told := linesWith(&c.warnings[0], "clocks")
			if row.want == "" && len(told) > 0 || row.want != "" && (len(told) != 1 || !strings.Contains(told[0], row.want)) {
				t.Errorf("told %q, want %q once", told, row.want)
			}
			if told := linesWith(&c.warnings[1], "clocks"); len(told) > 0 {
				t.Errorf("of the right one it was told %q", told)
			}
		})
	}
}

// clocks is two processes over one Postgres with clocks of their own. The first
// serves the endpoint.
type clocks struct {
	t        *testing.T
	p        *platform
	r        *receiver
	id       string // of the endpoint
	books    *ledger.Ledger
	walls    [2]wall
	warnings [2]logtest.Journal
	first    *process
	second   *process
	fenced   atomic.Int64
	sent     int
}

func newClocks(t *testing.T, first, second int64) *clocks {
	t.Helper()
	c := &clocks{t: t, p: newPlatform(t), r: newReceiver(t, nil)}
	c.p.postgres = databasetest.Postgres(t).Server
	c.p.config.Lease, c.p.config.SettleAfter = 1500*time.Millisecond, 10*time.Millisecond
	c.p.fenced = func() { c.fenced.Add(1) }
	c.id = c.p.endpoint(c.r.URL, "*").ID
	db := c.p.database()
	t.Cleanup(func() { _ = db.Close() })
	c.books = &ledger.Ledger{Write: db.Write, Read: db.Read}
	for i, process := range []struct {
		name  string
		ahead int64
		at    **process
	}{{"first", first, &c.first}, {"second", second, &c.second}} {
		c.walls[i].ahead.Store(process.ahead)
		c.p.config.Owner, c.p.clock, c.p.warnings = process.name, c.walls[i].now, &c.warnings[i]
		*process.at = c.p.start()
		eventually(t, "the first to serve", func() bool { return c.status().Owner == "first" })
	}
	return c
}

func (c *clocks) status() ledger.Status {
	c.t.Helper()
	s, _, err := c.books.Status(c.t.Context(), ledger.Key{EndpointID: c.id, RunID: ledger.Live})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// deliver sends a message, and another each time that the lease has been renewed.
func (c *clocks) deliver(times int) {
	c.t.Helper()
	for range times {
		before := c.status().LeaseUntil
		c.sent++
		c.p.append(fmt.Sprint("o", c.sent), eventstore.NoStream, placed{})
		eventually(c.t, "the delivery", func() bool { return c.r.count() == c.sent && c.status().Delivered == c.sent })
		eventually(c.t, "the lease to move", func() bool { return !c.status().LeaseUntil.Equal(before) })
	}
	if n := len(c.r.all()); n != c.sent {
		c.t.Errorf("%d requests for %d messages", n, c.sent)
	}
}

// linesWith returns those of a log with a word.
func linesWith(log *logtest.Journal, word string) (lines []string) {
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return lines
}
