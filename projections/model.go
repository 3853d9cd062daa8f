package projections

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// Model is a read model with all its versions. Whoever reads it reads the live
// one, and follows when another one becomes that.
type Model struct {
	projection Projection
	set        *Set
	readers    *database.Switch

	changing sync.Mutex // one change of what is live at a time
	rate     rate
	filling  atomic.Bool  // it was empty when it was opened, and is not level yet
	fillTo   atomic.Int64 // up to where it is to be filled; 0 is not known yet

	mu      sync.Mutex // guards what follows
	live    *Runner
	changed chan struct{} // closed when live is another one
}

func openModel(ctx context.Context, s *Set, p Projection) (*Model, error) {
	build, err := s.catalogue.live(ctx, p.Name(), p.Version())
	if err != nil {
		return nil, err
	}
	live, err := s.open(ctx, p, build)
	if err != nil {
		return nil, err
	}
	m := &Model{projection: p, set: s, readers: database.NewSwitch(live.db), live: live, changed: make(chan struct{})}
	m.filling.Store(live.Position() == 0)
	return m, nil
}

// Name is the read model's.
func (m *Model) Name() string { return m.projection.Name() }

// Read is where the read model is queried, for good.
func (m *Model) Read() *sql.DB { return m.readers.Read() }

// Live is the version that is read.
func (m *Model) Live() *Runner {
	live, _ := m.present()
	return live
}

func (m *Model) present() (live *Runner, changed chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live, m.changed
}

// Position returns how far the read model is.
func (m *Model) Position() eventstore.Position { return m.Live().Position() }

// Applied returns how far the read model is in time.
func (m *Model) Applied() time.Time { return m.Live().Applied() }

// Blocked lists the streams that are blocked, longest first.
func (m *Model) Blocked(ctx context.Context) ([]BlockedStream, error) {
	return ofLive(m, func(live *Runner) ([]BlockedStream, error) { return live.Blocked(ctx) })
}

// adopt lets everybody read another version. Who brings the old one forward
// closes it.
func (m *Model) adopt(r *Runner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readers.To(r.db)
	m.live = r
	close(m.changed)
	m.changed = make(chan struct{})
}

// Drive brings one version of a read model forward until its context ends.
type Drive func(ctx context.Context, r *Runner) error

// run drives whichever version is live, until the context ends. The next one is
// driven before the last one is left alone.
func (m *Model) run(ctx context.Context, drive Drive) error {
	live, changed := m.present()
	driving := m.begin(ctx, drive, live)
	for {
		select {
		case err := <-driving.ended:
			driving.stop()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("bring %s forward: %w", m.Name(), cmp.Or(err, errEnded))
		case <-changed:
		}
		old, last := live, driving
		live, changed = m.present()
		driving = m.begin(ctx, drive, live)
		last.stop()
		if err := <-last.ended; err != nil && !errors.Is(err, context.Canceled) {
			m.set.cfg.Logger.WarnContext(ctx, "a version that is no longer read ended", "projection", m.Name(), "error", err)
		}
		if err := old.Close(); err != nil {
			m.set.cfg.Logger.WarnContext(ctx, "cannot close a version that is no longer read", "projection", m.Name(), "version", old.Version().String(), "error", err)
		}
	}
}

var errEnded = errors.New("it ended by itself")

// driving is a version that is brought forward.
type driving struct {
	stop  context.CancelFunc
	ended <-chan error
}

func (m *Model) begin(ctx context.Context, drive Drive, r *Runner) driving {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- drive(ctx, r) }()
	return driving{cancel, ended}
}

func (m *Model) close() error {
	return errors.Join(m.readers.Close(), m.Live().Close())
}
