package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// storeFormat is fixed, so that a new version of the library does not change
// the files before we say so.
const storeFormat = pebble.FormatValueSeparation

func openPebble(n *Node) (*pebble.DB, error) {
	cache := pebble.NewCache(n.cfg.CacheBytes)
	defer cache.Unref()
	guard := &guardFS{FS: n.fs, failure: &n.failure}
	opts := &pebble.Options{
		FS:                          guard,
		Lock:                        n.lock.pebble,
		Cache:                       cache,
		MemTableSize:                n.cfg.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		FormatMajorVersion:          storeFormat,
		Logger:                      pebbleLogger{&n.failure},
		EventListener:               n.listener(),
	}
	// A stream that does not exist yet is looked up at its first append: a
	// filter answers that without reading.
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := n.openFiles(opts)
	guard.armed.Store(err == nil)
	if err != nil {
		return nil, explainOpen(n.fs, n.cfg.Dir, err)
	}
	return db, nil
}

// openFiles gives up when something breaks: on a full disk the library would try
// for ever to make tables of what the write-ahead log still holds.
func (n *Node) openFiles(opts *pebble.Options) (*pebble.DB, error) {
	var db *pebble.DB
	done := make(chan error, 1)
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				done <- fmt.Errorf("open the files: %v", cause)
			}
		}()
		var err error
		db, err = pebble.Open(n.cfg.Dir, opts)
		done <- err
	}()
	select {
	case err := <-done:
		return db, err
	case <-n.failure.done:
	}
	select {
	case err := <-done:
		if err == nil {
			err = db.Close()
		}
		return nil, errors.Join(n.failure.err(), err)
	case <-time.After(n.failure.closeLimit()):
		n.lock.keep()
		return nil, n.failure.err()
	}
}

// listener turns what breaks in the background into a failed store: a flush
// that cannot write would otherwise be tried again for ever while appends
// stall.
func (n *Node) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if !errors.Is(err, pebble.ErrCancelledCompaction) {
				n.failure.set(err)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			n.failure.set(fmt.Errorf("%w: %s", ErrDamaged, info))
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			n.cfg.Logger.Warn("the disk of the event store is slow", "operation", info.String())
		},
	}
}

// pebbleLogger keeps a broken disk from ending the process: Fatalf, which the
// library expects never to return, marks the store as failed, and the writer
// looks at the mark before it acknowledges anything.
type pebbleLogger struct{ failure *failure }

func (pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.failure.logger.Error("event store", "error", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.failure.set(fmt.Errorf(format, args...))
}

// closePebble ends the writer and closes the files. In a failed store that is
// tried for a while only; the lock is kept then, and goes with the process,
// because the files may still be written.
func (n *Node) closePebble() error {
	done := make(chan error, 1)
	go func() {
		// What a failed store says and does while it closes changes nothing:
		// the failure was reported.
		defer func() {
			if cause := recover(); cause != nil {
				n.lock.keep()
				done <- fmt.Errorf("close the files: %v", cause)
			}
		}()
		n.writer.Wait()
		n.index.close()
		n.stopReaders()
		done <- errors.Join(n.flush(), n.db.Close())
	}()
	select {
	case err := <-done:
		return n.unlessFailed(err)
	case <-n.failure.done:
	}
	select {
	case err := <-done:
		return n.unlessFailed(err)
	case <-time.After(n.failure.closeLimit()):
		n.lock.keep()
		return nil
	}
}

// flush leaves nothing in the write-ahead log, and says where the log of events
// ends. Tables have a checksum for each block; of a write-ahead log, damage near
// its end looks like the end of it.
func (n *Node) flush() error {
	if n.failure.err() != nil {
		return nil
	}
	if err := n.db.Flush(); err != nil {
		return err
	}
	return n.writeMark(n.end.Load())
}

func (n *Node) unlessFailed(err error) error {
	if n.failure.err() != nil {
		return nil
	}
	return err
}
