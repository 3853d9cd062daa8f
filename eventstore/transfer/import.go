package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/eventstore"
)

// An Import appends what a file holds to a database.
//
// Every event gets the stream, the revision, the id, the type and the content
// it had; its time and its position are new ones. Within a stream, and among
// events with the same $correlationId, the order is that of the file; otherwise
// events may change places with near ones, unless Workers is 1.
//
// Streams whose names begin with $ belong to the server they were on and stay
// behind: accounts, settings, statistics, projections, and the checkpoints of
// persistent subscriptions, which count positions. Of the metadata of a stream
// the newest is written, after its events; a stream that was deleted is deleted.
//
// It may be interrupted anywhere and run again: what is there already is
// recognised, and hardly anything of it is sent again. While it runs it
// remembers each stream, and the metadata of those that have some, in a
// temporary file.
type Import struct {
	To   Database
	File string
	// After are the files of which File is the continuation, the oldest first:
	// all of them, or none. They are not imported. What was renumbered of them
	// can only be continued with their help.
	After   []string
	Prefix  string // of the streams to import; empty is all
	Workers int    // appends under way at once; default 32
	// Renumber imports streams whose first events the source has scavenged:
	// their events get revisions from 0. Otherwise a file with such streams is
	// refused, because links and consumers name events by their revisions.
	Renumber bool
	Progress Progress // may be nil
}

// Imported is what an import has done.
type Imported struct {
	Events     uint64            `json:"events"`            // that the target has now
	Skipped    uint64            `json:"skipped,omitempty"` // of them, that were not sent because they were there
	Metadata   int               `json:"metadata"`
	Tombstones int               `json:"tombstones"`
	Renumbered int               `json:"renumbered,omitempty"` // streams
	Left       map[string]uint64 `json:"left,omitempty"`       // events that stayed behind: system, or other
}

// A RenumberError says that streams cannot keep their revisions.
type RenumberError struct {
	Streams int
	Example string
}

func (e *RenumberError) Error() string {
	return fmt.Sprintf("%d streams lack events that were scavenged, and cannot keep their revisions, such as %s: import with renumbering", e.Streams, e.Example)
}

// An EarlierError says that a file cannot be imported without those of which it
// is the continuation: revisions in it are of events that are in those.
type EarlierError struct{ File, Reason string }

func (e *EarlierError) Error() string {
	return fmt.Sprintf("%s is the continuation of another export, and %s: name the files before it, the oldest first", e.File, e.Reason)
}

// A ConflictError says that a stream of the target holds something else than
// the file.
type ConflictError struct {
	Stream   string
	Revision uint64
	Cause    error
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s of the target does not go on with revision %d of the file: it holds other events: %v", e.Stream, e.Revision, e.Cause)
}

func (e *ConflictError) Unwrap() error { return e.Cause }

// Run reads the file once, to see that it is whole, before it imports anything.
func (i *Import) Run(ctx context.Context) (*Imported, error) {
	done, err := i.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("import %s: %w", i.File, err)
	}
	return done, nil
}

func (i *Import) run(ctx context.Context) (*Imported, error) {
	const workers = 32
	if i.Workers == 0 {
		i.Workers = workers
	}
	p, err := newPlan(ctx, i.Prefix)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := i.read(ctx, p); err != nil {
		return nil, err
	}
	if err := i.needsEarlier(ctx, p); err != nil {
		return nil, err
	}
	if p.irregular > 0 && !i.Renumber {
		return nil, &RenumberError{Streams: p.irregular, Example: p.example}
	}
	if err := i.To.open(); err != nil {
		return nil, err
	}
	defer i.To.close()
	x := &importing{Import: i, plan: p, order: newOrder(i.Workers), there: &there{plan: p}}
	for _, part := range []func(context.Context) error{x.earlier, x.events, x.rest} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return &Imported{
		Events: p.carried, Skipped: x.there.skipped, Metadata: x.described, Tombstones: x.entombed,
		Renumbered: p.irregular, Left: p.left,
	}, nil
}

// importing is an import under way.
type importing struct {
	*Import
	plan  *plan
	order *order
	there *there

	mu                  sync.Mutex
	done                uint64
	described, entombed int // streams
}

// events appends the events of the file.
func (x *importing) events(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var c chunk
	give := func() error {
		if len(c.events) == 0 {
			return nil
		}
		full := c
		c = chunk{}
		return x.order.run(ctx, full.keys(), func() {
			if err := x.append(ctx, &full); err != nil {
				cancel(err)
			}
		})
	}
	_, err := walkFile(x.File, walk{event: func(e *Event) error {
		if k, _ := x.plan.kindOf(e); k != carried {
			return nil
		}
		if !c.takes(e) {
			if err := give(); err != nil {
				return err
			}
		}
		revision, err := x.target(ctx, e)
		if err == nil {
			c.add(e, revision)
		}
		return err
	}})
	if err == nil {
		err = give()
	}
	x.order.wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (x *importing) append(ctx context.Context, c *chunk) error {
	if skips, err := x.there.skips(ctx, &x.To, c); err != nil || skips {
		if err == nil {
			x.note(c)
		}
		return err
	}
	err := x.send(ctx, c)
	if errors.Is(err, eventstore.ErrConflict) {
		err = x.sendRest(ctx, c, err)
	}
	if hasCode(err, esdb.ErrorCodeStreamDeleted) {
		entombed, err := x.plan.entombed(ctx, c.stream)
		if err != nil {
			return err
		}
		if entombed { // an interrupted import has come as far as that
			x.note(c)
			return nil
		}
	}
	switch {
	case errors.Is(err, eventstore.ErrConflict), hasCode(err, esdb.ErrorCodeStreamDeleted):
		return x.conflict(c, err)
	case err != nil:
		return fmt.Errorf("append to %s at %d: %w", c.stream, c.revision, err)
	}
	x.note(c)
	return nil
}

func (x *importing) conflict(c *chunk, cause error) error {
	conflict := &ConflictError{Stream: c.stream, Revision: c.revision, Cause: cause}
	if !x.plan.cut {
		return conflict
	}
	return errors.Join(conflict, &EarlierError{File: x.File, Reason: "the target may have renumbered events of the files before"})
}

func (x *importing) send(ctx context.Context, c *chunk) error {
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	if c.revision > 0 {
		options.ExpectedRevision = esdb.Revision(c.revision - 1)
	}
	_, err := ask(ctx, &x.To, func(ctx context.Context, client *esdb.Client) (*esdb.WriteResult, error) {
		return client.AppendToStream(ctx, c.stream, options, c.data()...)
	})
	return err
}

// sendRest is for a stream that ends within the chunk, as after an import of an
// older file, or of another part of this one: a server recognises a repeated
// append, and the beginning of one, but not one that goes on, nor one of which it
// has scavenged events since.
func (x *importing) sendRest(ctx context.Context, c *chunk, conflict error) error {
	last, err := lastEvent(ctx, &x.To, c.stream)
	if err != nil || last == nil {
		return errors.Join(conflict, err)
	}
	if !c.goesBeyond(last.Revision) {
		return x.holds(ctx, c, last, conflict)
	}
	there, rest := c.split(last.Revision)
	if err := x.send(ctx, &there); errors.Is(err, eventstore.ErrConflict) {
		err = x.holds(ctx, &there, last, err)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return x.send(ctx, &rest)
}

// note counts a chunk that is there.
func (x *importing) note(c *chunk) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done += uint64(len(c.events))
	x.Progress.advance(StageImport, x.done, x.plan.carried)
}
