// Package nodebench measures a node that runs as a process of its own, through
// the official client, with what the storage engine alone can do beside it.
//
// It promises figures of this machine at this moment and no judgement.
package nodebench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"
)

// A Node is a process that serves a data directory.
type Node interface {
	ConnectionString() string
	// Memory is what the process holds in RAM, now and at most, in bytes.
	Memory() (now, peak int64, err error)
	// Processor is the processor time that it and this process have used.
	Processor() (node, load time.Duration, err error)
	Stop() error
}

// Options says what to measure.
type Options struct {
	Dir      string        // an existing folder, empty
	Duration time.Duration // of each run of appends, and of the subscribers'
	Events   int           // in the store that is read
	Large    int           // in a larger one, which is read too; 0 is none
	// Start runs a node over dir and returns when it can be used.
	Start    func(ctx context.Context, dir string) (Node, error)
	Say      func(what string)                // is told what begins
	Progress func(stage string, done, of int) // and how far the long work is
	Now      func() time.Time
}

// A Report is everything that was measured.
type Report struct {
	Appends     []Appends
	Subscribers Subscribers
	Stores      []Store
}

// Run measures appends and subscribers on an empty store each, then reads on
// stores that were filled.
func Run(ctx context.Context, o Options) (r Report, err error) {
	// The load shares the processors with the node: what it spends on collecting
	// its own garbage is missing there.
	const rarely = 400
	defer debug.SetGCPercent(debug.SetGCPercent(rarely))
	for _, load := range []Appends{{Callers: 1, Connections: 1}, {Callers: 64, Connections: 4}} {
		if err := o.appends(ctx, &load); err != nil {
			return r, err
		}
		r.Appends = append(r.Appends, load)
	}
	if r.Subscribers, err = o.subscribers(ctx); err != nil {
		return r, err
	}
	for _, events := range []int{o.Events, o.Large} {
		if events == 0 {
			continue
		}
		s, err := o.store(ctx, events)
		if err != nil {
			return r, err
		}
		r.Stores = append(r.Stores, s)
	}
	return r, nil
}

// on runs a node over a folder of that name while f uses it.
func (o *Options) on(ctx context.Context, name string, f func(Node) error) (err error) {
	n, err := o.Start(ctx, filepath.Join(o.Dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	return f(n)
}

func (o *Options) remove(name string) error {
	if err := os.RemoveAll(filepath.Join(o.Dir, name)); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
