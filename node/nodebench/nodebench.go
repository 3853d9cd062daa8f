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
	"slices"
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

// What can be measured.
const (
	PartOne         = "one"         // appends by one caller
	PartMany        = "many"        // appends by many
	PartSubscribers = "subscribers" // live subscriptions
	PartStores      = "stores"      // stores that were filled
)

// Options says what to measure.
type Options struct {
	Parts    []string      // empty is everything
	Dir      string        // an existing folder, empty
	Duration time.Duration // of each run of appends, and of the subscribers'
	Events   int           // in the store that is read
	Large    int           // in a larger one, which is read too; 0 is none
	// Start runs a node over dir and returns when it can be used.
	Start func(ctx context.Context, dir string) (Node, error)
	// Platform makes the client by which the platform appends.
	Platform Connect
	Say      func(what string)                // is told what begins
	Progress func(stage string, done, of int) // and how far the long work is
	Now      func() time.Time
}

// A Report is everything that was measured.
type Report struct {
	Appends     []Appends
	Subscribers []Subscribers
	Stores      []Store
}

// Run measures appends and subscribers on an empty store each, then reads on
// stores that were filled.
func Run(ctx context.Context, o Options) (r Report, err error) {
	// The load shares the processors with the node: what it spends on collecting
	// its own garbage is missing there.
	const rarely = 400
	defer debug.SetGCPercent(debug.SetGCPercent(rarely))
	const theOfficial, ours = "official client", "platform's client"
	loads := []struct {
		part     string
		connects Connect
		Appends
	}{
		{PartOne, connectOfficial, Appends{Client: theOfficial, Callers: 1, Connections: 1}},
		{PartOne, o.Platform, Appends{Client: ours, Callers: 1, Connections: 1}},
		{PartMany, connectOfficial, Appends{Client: theOfficial, Callers: 64, Connections: 4}},
	}
	for _, load := range loads {
		if !o.measures(load.part) {
			continue
		}
		if err := o.appends(ctx, load.connects, &load.Appends); err != nil {
			return r, err
		}
		r.Appends = append(r.Appends, load.Appends)
	}
	if o.measures(PartSubscribers) {
		if r.Subscribers, err = o.subscribers(ctx); err != nil {
			return r, err
		}
	}
	if !o.measures(PartStores) {
		return r, nil
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

func (o *Options) measures(part string) bool {
	return len(o.Parts) == 0 || slices.Contains(o.Parts, part)
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
