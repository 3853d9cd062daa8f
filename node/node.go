// Package node is the embedded event store: streams of events in one durable,
// totally ordered log on the local disk, for one process.
//
// It promises that an append which was answered is on the disk, that nobody
// reads an event before it is on the disk, and that the rules of expected
// revisions and of repeated appends are those of EventStoreDB. Package grpcapi
// serves it to that database's clients.
//
// It must not know what is stored in it, nor how it is asked.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// Config says where a node keeps its data and how much it may take. Only Dir
// and Now are required.
type Config struct {
	Dir    string           // made when it is missing
	FS     vfs.FS           // nil is the disk
	Logger *slog.Logger     // nil is silence
	Now    func() time.Time // gives every event the time it is recorded

	MaxAppendBytes int64  // of one append: data, metadata and types; default 1 MiB, at most 16 MiB
	MaxQueuedBytes int64  // of all appends that wait for the disk; default 64 MiB
	MinFreeBytes   uint64 // appends are refused when the disk has less; default 256 MiB
	CacheBytes     int64  // of blocks read from the disk; default 64 MiB
	MemTableBytes  uint64 // of writes before they are sorted into files; default 32 MiB
	TailBytes      int64  // of the newest events kept decoded for readers, and as much again written for subscribers; default 16 MiB
	WindowEvents   int    // whose ids are remembered for appends without a revision; default 100,000
	Streams        int    // whose heads are remembered; default 200,000

	// Index offers the streams $ce-CATEGORY and $et-TYPE, with a link to every
	// event whose stream's name begins with CATEGORY and a hyphen, and to every
	// event of TYPE. They cost an entry of 25 bytes each per event.
	Index bool

	restoring bool // the store is not whole before it was opened
}

const (
	mebi           = 1 << 20
	maxAppendLimit = 16 * mebi
)

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&c.MaxAppendBytes, mebi)
	setDefault(&c.MaxQueuedBytes, 64*mebi)
	setDefault(&c.MinFreeBytes, defaultMinFree)
	setDefault(&c.CacheBytes, 64*mebi)
	setDefault(&c.MemTableBytes, 32*mebi)
	setDefault(&c.TailBytes, 16*mebi)
	setDefault(&c.WindowEvents, 100_000)
	setDefault(&c.Streams, 200_000)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	if c.Dir == "" {
		return errors.New("the node's Config has no Dir")
	}
	if c.Now == nil {
		return errors.New("the node's Config has no Now")
	}
	if c.MaxAppendBytes > maxAppendLimit {
		return fmt.Errorf("the node's MaxAppendBytes is %d, more than %d", c.MaxAppendBytes, maxAppendLimit)
	}
	return nil
}

// A Node is an open store. Its methods may be called from any goroutine.
type Node struct {
	cfg  Config
	fs   vfs.FS
	lock *directoryLock
	db   *pebble.DB
	id   uuid.UUID

	failure failure
	budget  budget
	tail    tail
	heads   heads
	names   nameFilter
	metrics metrics
	index   *index // nil when there is none
	closing chan struct{}

	end     atomic.Uint64 // where the next record will be; all below it is synced
	changed bell          // end has grown, or the node is closed
	queue   chan *request
	gate    sync.RWMutex // held to read while a request is put into queue
	shut    bool         // no more requests; guarded by gate
	closed  atomic.Bool
	writer  sync.WaitGroup // and whoever learns names
	readers sync.RWMutex   // held to read while the files are read

	scavenging sync.Mutex // once at a time
}

// Open opens the store in cfg.Dir or makes a new one there. When another
// process serves it, the error is a [LockedError].
func Open(cfg Config) (*Node, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg:     cfg,
		fs:      cfg.FS,
		queue:   make(chan *request, maxGroupRequests),
		closing: make(chan struct{}),
	}
	if n.fs == nil {
		n.fs = vfs.Default
	}
	n.failure.init(cfg.Dir, cfg.Logger)
	n.metrics.init()
	n.budget.left.Store(cfg.MaxQueuedBytes)
	n.tail.limit = cfg.TailBytes
	n.changed.init()
	if err := n.open(); err != nil {
		return nil, fmt.Errorf("open the event store in %s: %w", cfg.Dir, err)
	}
	return n, nil
}

func (n *Node) open() (err error) {
	if n.lock, err = lockDirectory(n.fs, n.cfg.Dir); err != nil {
		return err
	}
	if err := n.tidy(); err != nil {
		return errors.Join(err, n.lock.release())
	}
	w, err := n.examine()
	if err != nil {
		return errors.Join(err, n.lock.release())
	}
	if n.db, err = openPebble(n); err != nil {
		return errors.Join(err, n.lock.release())
	}
	if w == nil {
		if w, err = n.recover(); err != nil {
			return errors.Join(err, n.db.Close(), n.lock.release())
		}
	}
	n.names.expect(w.nextID)
	n.writer.Go(w.run)
	n.writer.Go(n.learnNames)
	if n.cfg.Index {
		return n.startIndex()
	}
	return nil
}

// tidy looks at what an earlier process has left behind.
func (n *Node) tidy() error {
	if !n.cfg.restoring {
		if err := mustBeWhole(n.fs, n.cfg.Dir); err != nil {
			return err
		}
	}
	return n.forgetSnapshots()
}

// ID is made with the store and stays with it: positions of one store mean
// nothing in another.
func (n *Node) ID() uuid.UUID { return n.id }

// MaxAppendBytes is how much one append may hold.
func (n *Node) MaxAppendBytes() int64 { return n.cfg.MaxAppendBytes }

// Announce leaves the address the node is served at beside its data, so that
// the error a second process gets can name it. It is best effort.
func (n *Node) Announce(address string) { n.lock.announce(address) }

// Failed says, once, why the store can no longer write: the disk is full or
// broken. Nothing that was acknowledged is lost, and what is on the disk can
// still be read; the process should end with that error. Afterwards the channel
// is closed and [Node.Err] tells.
func (n *Node) Failed() <-chan error { return n.failure.told }

// Err says why the store failed. It is nil while it works.
func (n *Node) Err() error { return n.failure.err() }

// Close finishes the appends that wait, closes the files and gives the
// directory free. Whatever is asked of the node afterwards answers [ErrClosed].
func (n *Node) Close() error {
	n.gate.Lock()
	already := n.shut
	n.shut = true
	n.gate.Unlock()
	if already {
		return nil
	}
	close(n.queue)
	close(n.closing)
	if err := errors.Join(n.closePebble(), n.lock.release()); err != nil {
		return fmt.Errorf("close the event store in %s: %w", n.cfg.Dir, err)
	}
	return nil
}

// whileOpen returns a context that also ends, because of [ErrClosed], when the
// node is closed: long work must not keep it open.
func (n *Node) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-n.closing:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// unlessClosed says why work under a context of whileOpen ended.
func unlessClosed(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), ErrClosed) {
		return ErrClosed
	}
	return err
}

func (n *Node) stopReaders() {
	n.closed.Store(true)
	n.changed.wakeAll()
	n.readers.Lock()
	defer n.readers.Unlock()
}
