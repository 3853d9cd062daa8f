package eventstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// patience is how long a call may go on after it was told to stop. The client
// answers at once unless it is stuck for ever.
const patience = time.Second

var errStuck = errors.New("the client does not answer")

// session is one life of the client library's client, which is frail: a
// goroutine of its own owns the connection, and every call speaks to it over
// an unbuffered channel without a way to give up.
//
//   - After its discovery attempts have failed the goroutine is gone for ever:
//     calls are refused, and those already at the channel block for ever.
//   - When it connects anew it forgets the former connection without closing it.
//   - Close closes the channel, so that calls at the channel panic.
//
// Therefore a session discovers once, when it is made, and never again: the
// first lost connection ends it (see interrupt), and [connection] makes
// another. And therefore every call runs in a goroutine that can be left
// behind, and that survives a panic.
type session struct {
	client *esdb.Client
	lost   func(*session, error) // tells the owner

	mu    sync.Mutex
	users int
	ended chan struct{} // closed when no new call may begin
}

// interruption is thrown through the client by its logger, see interrupt.
type interruption struct{ err error }

func newSession(settings *esdb.Configuration, lost func(*session, error)) (*session, error) {
	own := *settings
	own.Logger = interrupt
	client, err := esdb.NewClient(&own)
	if err != nil {
		return nil, err
	}
	return &session{client: client, lost: lost, ended: make(chan struct{})}, nil
}

// interrupt is the client's logger. It keeps nothing, since every error comes
// back from a call as well, but it stops a call at the one place where the
// client, having lost its connection, is about to tell its goroutine to
// discover again: that would leak the connection and, failing, leave calls
// blocked for ever. Calls recover from it in [protect].
func interrupt(level esdb.LogLevel, format string, args ...any) {
	if level != esdb.LogError || !strings.HasPrefix(format, "unexpected exception") || len(args) != 1 {
		return
	}
	if err, ok := args[0].(error); ok && status.Code(err) == codes.Unavailable {
		panic(interruption{err})
	}
}

// protect calls the client and turns its panics into errors: ours, the send on
// a channel that was closed meanwhile, and those over answers it did not expect.
func protect[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interruption:
			err = p.err
		case error:
			err = unsent(fmt.Errorf("the client panicked: %w", p))
		default:
			err = &fault{cause: fmt.Errorf("the client panicked: %v", p)}
		}
	}()
	return f()
}

type answer[T any] struct {
	value T
	err   error
}

// call runs f on the session's client until the context ends or the session
// does. It takes over the caller's use of the session. The error is a fault.
func call[T any](ctx context.Context, s *session, f func(*esdb.Client) (T, error)) (T, error) {
	done := make(chan answer[T], 1)
	go func() {
		defer s.release()
		value, err := protect(func() (T, error) { return f(s.client) })
		done <- answer[T]{value, err}
	}()
	select {
	case a := <-done:
		return judge(s, a.value, a.err)
	case <-ctx.Done():
	case <-s.ended:
	}
	return abandon(ctx, s, done)
}

// abandon waits a last moment for a call that was told to stop.
func abandon[T any](ctx context.Context, s *session, done <-chan answer[T]) (T, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a := <-done:
		return judge(s, a.value, a.err)
	case <-timer.C:
		var none T
		s.lost(s, errStuck)
		return none, late(errors.Join(errStuck, context.Cause(ctx)))
	}
}

// judge understands an error and ends the session where it is broken.
func judge[T any](s *session, value T, err error) (T, error) {
	if err == nil {
		return value, nil
	}
	f := understand(err)
	if f.breaksConnection() {
		s.lost(s, f.cause)
	}
	var none T
	return none, f
}

// use begins a use of the session, unless it has ended.
func (s *session) use() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return false
	default:
		s.users++
		return true
	}
}

// release ends a use. The last one out closes the client of a session that has
// ended: nobody can be at its channel any more.
func (s *session) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.closeUnused()
}

// end lets no new call begin. Calls that do not end by themselves soon are
// blocked: closing the client under them sets them free, by a panic.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return
	default:
	}
	close(s.ended)
	s.closeUnused()
	if s.users > 0 {
		time.AfterFunc(2*patience, s.close)
	}
}

func (s *session) closeUnused() {
	select {
	case <-s.ended:
		if s.users == 0 {
			s.close()
		}
	default:
	}
}

// close may be called more than once, as the client's Close may. It never
// returns an error.
func (s *session) close() { _ = s.client.Close() }
