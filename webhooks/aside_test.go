package webhooks_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/webhooks"
)

// backlogProcess knows whether the process of the past is needed.
type backlogProcess struct{ needed atomic.Bool }

// Need implements webhooks.BacklogProcess.
func (b *backlogProcess) Need(needed bool) { b.needed.Store(needed) }

const pastOwner = "process-of-the-past"

// missed lets an endpoint miss many events of some orders, with a dispatcher
// that sets aside who is far behind.
type missed struct {
	*platform
	process *process
	backlog *backlogProcess
	r       *receiver
	id      string
	up      atomic.Bool
	takes   atomic.Int64 // nanoseconds, the receiver
	events  int
}

const missedOrders = 50

func newMissed(t *testing.T, each int) *missed {
	t.Helper()
	return newMissedOn(t, newPlatform(t), each)
}

func newMissedOn(t *testing.T, p *platform, each int) *missed {
	t.Helper()
	m := &missed{platform: p, events: missedOrders * each}
	m.r = newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, _ received) int {
		if !m.up.Load() {
			return http.StatusServiceUnavailable
		}
		time.Sleep(time.Duration(m.takes.Load()))
		return http.StatusOK
	})
	m.takes.Store(int64(4 * time.Millisecond))
	m.config.Ring = 16
	m.backlog = &backlogProcess{}
	m.platform.backlog = m.backlog
	m.id = m.endpoint(m.r.URL, "*").ID
	m.process = m.start()
	for n := range missedOrders {
		events := make([]domain.Event, each)
		for i := range events {
			events[i] = noted{Number: i}
		}
		m.append(fmt.Sprint("o", n), eventstore.NoStream, events...)
	}
	return m
}

// past starts the process of the past, as soon as it is needed.
func (m *missed) past() *process {
	m.tb.Helper()
	eventually(m.tb, "the process of the past to be needed", m.backlog.needed.Load)
	return m.pastAs(pastOwner)
}

func (m *missed) pastAs(owner string) *process {
	m.tb.Helper()
	cfg := m.config
	cfg.BacklogOnly, cfg.Owner = true, owner
	return m.startAs(cfg, nil)
}

func (m *missed) owner() string {
	m.tb.Helper()
	status, err := m.process.Status(m.tb.Context(), m.id)
	if err != nil {
		m.tb.Fatal(err)
	}
	return status.Owner
}

// servedBy waits until a process serves the endpoint.
func (m *missed) servedBy(owner string) {
	m.tb.Helper()
	eventually(m.tb, owner+" to serve the endpoint", func() bool { return m.owner() == owner })
}

// complete waits until everything is delivered, and returns how many messages
// came more than once.
func (m *missed) complete() (repeated int) {
	m.tb.Helper()
	eventually(m.tb, "everything to be delivered", func() bool { return len(m.delivered()) >= m.events })
	for _, times := range m.delivered() {
		if times > 1 {
			repeated++
		}
	}
	return repeated
}

// delivered counts how often each message came, and fails where one came out of
// the order of its stream.
func (m *missed) delivered() map[string]int {
	m.tb.Helper()
	times, last := map[string]int{}, map[string]int{}
	for _, r := range m.r.all() {
		if r.Status != http.StatusOK {
			continue
		}
		if times[r.ID]++; times[r.ID] > 1 {
			continue
		}
		if r.Sequence != last[r.Aggregate.ID]+1 {
			m.tb.Fatalf("%s: number %d came after %d", r.Aggregate.ID, r.Sequence, last[r.Aggregate.ID])
		}
		last[r.Aggregate.ID] = r.Sequence
	}
	return times
}

func TestWhoIsFarBehindIsServedByTheProcessOfThePast(t *testing.T) {
	t.Parallel()
	m := newMissed(t, 60)
	m.up.Store(true)
	m.past()
	m.servedBy(pastOwner)
	repeated := m.complete()
	m.servedBy("process-1")
	eventually(t, "nobody to be set aside", func() bool { return !m.backlog.needed.Load() })
	m.append("later", eventstore.NoStream, placed{})
	m.events++
	if repeated += m.complete(); repeated > 0 {
		t.Errorf("%d messages came twice", repeated)
	}
}

// TestTheProcessOfThePastMayBeKilled and started again: its successor goes on at
// once.
func TestTheProcessOfThePastMayBeKilled(t *testing.T) {
	t.Parallel()
	m := newMissed(t, 60)
	m.up.Store(true)
	past := m.past()
	m.servedBy(pastOwner)
	past.crash()
	m.past()
	if repeated := m.complete(); repeated > 256 {
		t.Errorf("%d messages came twice, more than may be unsaved", repeated)
	}
	m.servedBy("process-1")
}

// TestNobodyWaitsForAProcessThatDoesNotCome, or that has died for good.
func TestNobodyWaitsForAProcessThatDoesNotCome(t *testing.T) {
	t.Parallel()
	for name, comes := range map[string]bool{"it never came": false, "it died": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMissed(t, 60)
			m.up.Store(true)
			if comes {
				past := m.past()
				m.servedBy(pastOwner)
				past.crash()
			}
			if repeated := m.complete(); repeated > 256 {
				t.Errorf("%d messages came twice, more than may be unsaved", repeated)
			}
			m.servedBy("process-1")
			if m.backlog.needed.Load() {
				t.Error("the other process is still waited for")
			}
		})
	}
}

// TestAProcessOfThePastIsKilledWithAnEndpoint and does not come again: its lease is
// waited for, and that another such process may begin; also where the clock of the
// database goes back, by which the lease would last for ten minutes more.
func TestAProcessOfThePastIsKilledWithAnEndpoint(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for name, back := range map[string]time.Duration{"its lease runs out": 0, "the clock goes back": 10 * time.Minute} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				node, keys := nodetest.Start(t), t.TempDir()
				p := platformOf(t, connect(t, node))
				p.useKeys(keys)
				p.config.Lease = time.Second
				url := ""
				if e.Server != nil {
					url = databasetest.URL(t)
					p.postgres = databasetest.Connect(t, url)
				}
				m := newMissedOn(t, p, 60)
				m.takes.Store(int64(30 * time.Millisecond))
				m.up.Store(true)
				eventually(t, "the process of the past to be needed", m.backlog.needed.Load)
				past := &child{t: t, cfg: childConfig{
					Node: node, Keys: keys, URL: url, Path: filepath.Join(p.dir, "webhooks.db"), Owner: pastOwner, Lease: p.config.Lease, Backlog: true,
				}}
				past.start()
				t.Cleanup(func() {
					if past.cmd.ProcessState == nil {
						past.kill()
					}
					if t.Failed() {
						t.Log(past.output.String())
					}
				})
				m.servedBy(pastOwner)
				began := m.r.count()
				eventually(t, "deliveries by that process", func() bool { return m.r.count() > began+200 })
				past.kill()
				killed, before := time.Now(), m.r.count()
				m.outlast(back)
				if before >= m.events {
					t.Fatal("it had sent everything before it was killed")
				}
				m.servedBy("process-1")
				eventually(t, "a delivery by the other", func() bool { return m.r.count() > before })
				took := time.Since(killed)
				repeated := m.complete()
				if repeated > window {
					t.Errorf("%d messages came twice, more than may be unsaved", repeated)
				}
				t.Logf("%d of %d messages came before; the other process delivered %s after that; %d messages came twice", before, m.events, took.Round(10*time.Millisecond), repeated)
			})
		}
	})
}

// outlast lets a lease last for longer, as where the clock that it goes by goes back.
func (m *missed) outlast(back time.Duration) {
	m.tb.Helper()
	if _, err := m.process.Ledger.Write.ExecContext(m.tb.Context(), `UPDATE wh_cursor SET lease_until = lease_until + ?`, back.Milliseconds()); err != nil {
		m.tb.Fatal(err)
	}
}

func TestAReplayIsServedByTheProcessOfThePast(t *testing.T) {
	t.Parallel()
	m := newMissed(t, 30)
	m.up.Store(true)
	past := m.past()
	m.complete()
	m.servedBy("process-1")
	past.stop()
	replay := m.replay(m.process, m.id, webhooks.NewReplay{From: webhooks.Beginning})
	m.past()
	m.servedBy(pastOwner)
	m.append("later", eventstore.NoStream, placed{}) // what is live comes beside it
	m.events++
	m.complete()
	if got := m.completes(m.process, replay); got.Delivered != m.events-1 {
		t.Errorf("the replay sent %d messages, want %d", got.Delivered, m.events-1)
	}
	m.servedBy("process-1")
}

// TestWhoIsSetAsideListensToItsOwner, and to its receiver.
func TestWhoIsSetAsideListensToItsOwner(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		do     func(m *missed) error
		owner  string // afterwards
		resume func(m *missed) error
	}{
		"paused": {
			func(m *missed) error {
				_, err := m.endpoints(m.process.Ledger).Pause(m.tb.Context(), webhooks.Request{ID: m.id, Meta: meta()})
				return err
			}, "",
			func(m *missed) error {
				_, err := m.endpoints(m.process.Ledger).Resume(m.tb.Context(), webhooks.Request{ID: m.id, Meta: meta()}, nil)
				return err
			},
		},
		"down": {
			func(m *missed) error { m.up.Store(false); return nil }, "process-1",
			func(m *missed) error { m.up.Store(true); return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMissed(t, 100)
			m.up.Store(true)
			m.past()
			m.servedBy(pastOwner)
			if err := row.do(m); err != nil {
				t.Fatal(err)
			}
			m.servedBy(row.owner)
			eventually(t, "the process of the past to be needed no more", func() bool { return !m.backlog.needed.Load() })
			if len(m.delivered()) == m.events {
				t.Fatal("it had everything before")
			}
			if err := row.resume(m); err != nil {
				t.Fatal(err)
			}
			m.servedBy(pastOwner)
			if repeated := m.complete(); repeated > 0 {
				t.Errorf("%d messages came twice", repeated)
			}
			m.servedBy("process-1")
		})
	}
}

// TestPlatformsEachWithAProcessOfThePast leave what was missed to such a process
// as long as one of them has any: also when the one that served it has gone, in
// order or without a word, and longer after it was set aside than such a process
// may take to begin.
func TestPlatformsEachWithAProcessOfThePast(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*process){
		"it was stopped": func(p *process) { p.stop() },
		"it was killed":  func(p *process) { p.crash() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMissed(t, 60)
			m.takes.Store(int64(50 * time.Millisecond))
			another := m.start()
			m.up.Store(true)
			pasts := map[string]*process{pastOwner: m.past(), "another": m.pastAs("another")}
			eventually(t, "the endpoint to be served aside", func() bool { return pasts[m.owner()] != nil })
			time.Sleep(5500 * time.Millisecond) // more than it may take to begin
			var first string
			eventually(t, "the endpoint to be served aside still", func() bool { first = m.owner(); return pasts[first] != nil })
			leave(pasts[first])
			delete(pasts, first)
			eventually(t, "another owner", func() bool { owner := m.owner(); return owner != first && owner != "" })
			if owner := m.owner(); pasts[owner] == nil {
				t.Errorf("%s has taken it back", owner)
			}
			m.takes.Store(0)
			if repeated := m.complete(); repeated > 256 {
				t.Errorf("%d messages came twice, more than may be unsaved", repeated)
			}
			eventually(t, "a platform to serve the endpoint", func() bool { return strings.HasPrefix(m.owner(), "process-") })
			another.stop()
		})
	}
}

// TestAPlatformWithoutSuchAProcess leaves what others have set aside to their
// processes, and takes it back when there are none any more.
func TestAPlatformWithoutSuchAProcess(t *testing.T) {
	t.Parallel()
	m := newMissed(t, 60)
	m.takes.Store(int64(50 * time.Millisecond))
	const without = "without"
	cfg := m.config
	cfg.Owner = without
	another := m.startAs(cfg, nil)
	m.up.Store(true)
	past := m.past()
	m.servedBy(pastOwner)
	past.stop()
	time.Sleep(2 * time.Second) // it looks every second who needs it
	if owner := m.owner(); owner != "" {
		t.Errorf("served by %s, and another process may come", owner)
	}
	past = m.past()
	m.servedBy(pastOwner)
	m.process.crash()
	past.crash()
	m.process = another
	m.servedBy(without)
	m.takes.Store(0)
	if repeated := m.complete(); repeated > 256 {
		t.Errorf("%d messages came twice, more than may be unsaved", repeated)
	}
}
