package webhooks_test

import (
	"testing"
	"time"
)

// TestACursorThatCouldNotBeGivenBack is given back later: else its process would
// renew the lease for ever and serve it no more, and nobody else could.
func TestACursorThatCouldNotBeGivenBack(t *testing.T) {
	t.Parallel()
	m := newMissed(t, 20)
	m.config.Lease = time.Second
	m.takes.Store(int64(50 * time.Millisecond))
	exec := func(statement string) {
		t.Helper()
		if _, err := m.process.Ledger.Write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TRIGGER broken BEFORE UPDATE OF owner ON wh_cursor WHEN NEW.owner IS NULL BEGIN SELECT RAISE(ABORT, 'no'); END`)
	m.up.Store(true)
	eventually(t, "a process of the past to be needed", m.backlog.needed.Load)
	sent := -1
	eventually(t, "nothing to be sent any more", func() bool {
		before := sent
		sent = len(m.r.all())
		time.Sleep(500 * time.Millisecond) // ten times what the receiver takes
		return sent == before
	})
	exec(`DROP TRIGGER broken`)
	m.past()
	m.servedBy(pastOwner)
	if repeated := m.complete(); repeated > 0 {
		t.Errorf("%d messages came twice", repeated)
	}
	m.servedBy("process-1")
}
