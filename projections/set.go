package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Set is all read models of a process, with what builds them anew.
type Set struct {
	cfg       Config
	catalogue *Catalogue
	models    []*Model
	log       Log
	news      chan struct{} // holds one token when there may be a rebuild to do
}

// Log is where a rebuild reads events from: [eventstore.Client].
type Log interface {
	Feed(cfg eventstore.FeedConfig) *eventstore.Feed
	End(ctx context.Context) (eventstore.Position, error)
}

// OpenSet opens the live version of each read model.
func OpenSet(ctx context.Context, cfg Config, log Log, all ...Projection) (*Set, error) {
	catalogue, err := OpenCatalogue(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Set{cfg: cfg, catalogue: catalogue, log: log, news: make(chan struct{}, 1)}
	for _, p := range all {
		m, err := openModel(ctx, s, p)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.models = append(s.models, m)
	}
	s.noteEnd(ctx)
	return s, nil
}

// Close closes every read model. Nothing of it may run any more.
func (s *Set) Close() error {
	var errs []error
	for _, m := range s.models {
		errs = append(errs, m.close())
	}
	return errors.Join(append(errs, s.catalogue.Close())...)
}

// Models are all read models, in the order they were given.
func (s *Set) Models() []*Model { return slices.Clone(s.models) }

// ErrNoModel says that no read model has a name.
var ErrNoModel = errors.New("there is no such read model")

// Model returns the one with a name, or [ErrNoModel].
func (s *Set) Model(name string) (*Model, error) {
	for _, m := range s.models {
		if m.Name() == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNoModel)
}

// open opens one version of a read model.
func (s *Set) open(ctx context.Context, p Projection, build int) (*Runner, error) {
	cfg := s.cfg
	cfg.Build, cfg.catalogue, cfg.log = build, s.catalogue, s.log
	return Open(ctx, p, cfg)
}

// Run drives the live version of each read model, whole or the parts of it that
// are our share, and follows what other processes make the live one, until the
// context ends.
func (s *Set) Run(ctx context.Context, drive Drive) error {
	return s.each(ctx, func(m *Model) Drive {
		return func(ctx context.Context, r *Runner) error { return m.bring(ctx, drive, r) }
	})
}

// Watch is Run for a process that brings nothing forward: it knows how far the
// read models are.
func (s *Set) Watch(ctx context.Context) error {
	return s.each(ctx, func(*Model) Drive {
		return func(ctx context.Context, r *Runner) error { return r.Watch(ctx) }
	})
}

func (s *Set) each(ctx context.Context, drive func(*Model) Drive) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(s.models))
	var running sync.WaitGroup
	for _, m := range s.models {
		running.Go(func() {
			if err := m.run(ctx, drive(m)); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	s.follow(ctx)
	running.Wait()
	close(failed)
	return <-failed
}

// lookEvery is how often a process looks whether another one has swapped a
// version for another.
const (
	lookEvery = time.Second
	useEvery  = time.Minute
)

func (s *Set) follow(ctx context.Context) {
	looks, uses := time.NewTicker(lookEvery), time.NewTicker(useEvery)
	defer looks.Stop()
	defer uses.Stop()
	warn := func(err error) {
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "cannot look which versions of the read models are live, will try again", "error", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-looks.C:
			warn(s.look(ctx))
			for _, m := range s.models {
				m.rate.look(at, m.Live().Events())
			}
		case <-uses.C:
			for _, m := range s.models {
				live := m.Live().Version()
				warn(s.catalogue.used(ctx, m.Name(), live.Code, live.Build))
			}
		}
	}
}

// look follows swaps of other processes.
func (s *Set) look(ctx context.Context) error {
	lives, err := s.catalogue.lives(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range s.models {
		live := m.Live()
		build, there := lives[versionName(m.Name(), m.projection.Version())]
		if !there || build == live.Version().Build {
			continue
		}
		errs = append(errs, m.change(ctx, live, build))
	}
	return errors.Join(errs...)
}

// change opens another version and makes it the live one, if it still is from
// that a version is to be changed. A swap of our own that is about to end is
// waited for: it has the other version open.
func (m *Model) change(ctx context.Context, from *Runner, build int) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	if m.Live() != from {
		return nil
	}
	next, err := m.set.open(ctx, m.projection, build)
	if err != nil {
		return err
	}
	m.adopt(next)
	return nil
}

// Versions lists the databases of a read model, the newest first.
func (s *Set) Versions(ctx context.Context, name string) ([]Version, error) {
	if _, err := s.Model(name); err != nil {
		return nil, err
	}
	return s.catalogue.Versions(ctx, name)
}
