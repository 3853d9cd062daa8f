package database

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// maxShared is how many share a transaction at most.
const maxShared = 256

// Group lets callers that come at the same time share a transaction: its begin,
// its commit, its wait for the disk and the way to the server cost as much for
// one as for all of them. Whoever comes alone waits for nobody.
type Group struct {
	DB *DB

	mu      sync.Mutex
	waiting []*shared
	busy    bool // somebody runs what is waiting
}

type shared struct {
	ask    func(context.Context, *Batch) error
	answer func(context.Context, *sql.Tx) error
	err    error
	done   chan struct{}
}

// Do runs two functions in a transaction, perhaps with those of others: first
// what all of them ask, and when that has been answered what each makes of it,
// which may be nil. Where one of them fails all of it is undone, and each runs
// again in a transaction of its own, so both may be called twice. It is done even
// when the caller's context ends: theirs does not.
func (g *Group) Do(ctx context.Context, ask func(context.Context, *Batch) error, answer func(context.Context, *sql.Tx) error) error {
	mine := &shared{ask: ask, answer: answer, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, mine)
	leads := !g.busy
	g.busy = true
	g.mu.Unlock()
	if leads {
		g.work(context.WithoutCancel(ctx), mine.done)
	}
	<-mine.done
	return mine.err
}

// work runs what is waiting until the leader's own is done, and leaves the rest
// to a goroutine: nobody works for others for long.
func (g *Group) work(ctx context.Context, own <-chan struct{}) {
	for group := g.next(); len(group) > 0; group = g.next() {
		g.run(ctx, group)
		select {
		case <-own:
			go g.work(ctx, nil)
			return
		default:
		}
	}
}

// next is whoever is waiting. Where that is nobody, whoever comes next leads.
func (g *Group) next() []*shared {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), maxShared)
	group := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	g.busy = n > 0
	return group
}

func (g *Group) run(ctx context.Context, group []*shared) {
	err := g.together(ctx, group)
	for i, s := range group {
		s.err = err
		if err != nil && len(group) > 1 {
			s.err = g.together(ctx, group[i:i+1])
		}
		close(s.done)
	}
}

func (g *Group) together(ctx context.Context, group []*shared) error {
	return g.DB.Tx(ctx, func(tx *sql.Tx) error {
		batch := g.DB.Batch(tx)
		for _, s := range group {
			if err := try(func() error { return s.ask(ctx, batch) }); err != nil {
				return err
			}
		}
		if err := try(func() error { return batch.Flush(ctx) }); err != nil { // which calls what reads
			return err
		}
		for _, s := range group {
			if s.answer == nil {
				continue
			}
			if err := try(func() error { return s.answer(ctx, tx) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// try makes an error of a panic: others wait for whoever runs this.
func try(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("in a transaction: panic: %v", cause)
		}
	}()
	return do()
}
