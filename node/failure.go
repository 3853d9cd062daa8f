package node

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is the answer of a node that was closed.
var ErrClosed = errors.New("the event store is closed")

// ErrBusy is the answer when more appends wait than the node may hold. The
// caller tries again later.
var ErrBusy = errors.New("too many appends wait for the disk")

// A FailedError is the answer of a store that can no longer write. An append
// that got it may or may not have been stored: it must be repeated with the
// same event ids once the store is back.
type FailedError struct {
	Dir   string
	Cause error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("the event store in %s takes no more writes: %s", e.Dir, firstLine(e.Cause))
}

// firstLine leaves out the stack traces that the library puts into the text of
// its errors.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func (e *FailedError) Unwrap() error { return e.Cause }

// failure remembers the first thing that broke the store.
type failure struct {
	logger *slog.Logger
	dir    string
	done   chan struct{}
	told   chan error
	once   sync.Once
	cause  error       // written once, before done is closed
	parked atomic.Bool // somebody in the library will never return
}

func (f *failure) init(dir string, logger *slog.Logger) {
	f.dir, f.logger = dir, logger
	f.done = make(chan struct{})
	f.told = make(chan error, 1)
}

func (f *failure) set(cause error) {
	f.once.Do(func() {
		f.cause = &FailedError{Dir: f.dir, Cause: cause}
		close(f.done)
		f.told <- f.cause
		close(f.told)
		f.logger.Error("the event store can no longer write; nothing acknowledged is lost", "dir", f.dir, "error", firstLine(cause))
	})
}

// park holds its caller for ever.
func (f *failure) park() {
	f.parked.Store(true)
	select {}
}

// closeLimit is how long a failed store may take to end: the library may hold
// locks for ever after an error it thinks it does not survive, and does when
// somebody in it is parked.
func (f *failure) closeLimit() time.Duration {
	if f.parked.Load() {
		return 100 * time.Millisecond
	}
	return 2 * time.Second
}

func (f *failure) err() error {
	select {
	case <-f.done:
		return f.cause
	default:
		return nil
	}
}
