package grpcapi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// split divides the connections of one port: those that begin as HTTP/2 does
// belong to gRPC, the others to plain HTTP.
type split struct {
	net.Listener
	rpc, http *handed
	closing   sync.WaitGroup
	done      chan struct{}
	once      sync.Once
}

// preface is how every HTTP/2 connection begins, as far as it is needed to tell
// it from a request of HTTP/1.
const preface = "PRI "

// firstBytes is how long a connection may take to say something.
const firstBytes = 5 * time.Second

func splitConnections(l net.Listener) *split {
	s := &split{Listener: l, done: make(chan struct{})}
	s.rpc, s.http = &handed{split: s, conns: make(chan net.Conn)}, &handed{split: s, conns: make(chan net.Conn)}
	s.closing.Go(s.accept)
	return s
}

func (s *split) accept() {
	for {
		c, err := s.Accept()
		if errors.Is(err, net.ErrClosed) {
			_ = s.Close()
			return
		}
		if err != nil { // such as too many open files: it may pass
			if s.closedWithin(pause) {
				return
			}
			continue
		}
		s.closing.Go(func() { s.divide(c) })
	}
}

// pause is between two tries to accept.
const pause = 50 * time.Millisecond

func (s *split) closedWithin(d time.Duration) bool {
	select {
	case <-s.done:
		return true
	case <-time.After(d):
		return false
	}
}

func (s *split) divide(c net.Conn) {
	begin := make([]byte, len(preface))
	_ = c.SetReadDeadline(soon()) // before the goroutine, which may have a nearer one
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.done: // whoever has not said anything yet is not waited for
			_ = c.SetReadDeadline(past())
		case <-stop:
		}
	}()
	if _, err := io.ReadFull(c, begin); err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	to, conn := s.http, c
	if string(begin) == preface {
		to, conn = s.rpc, &patient{Conn: c}
	}
	select {
	case to.conns <- &resumed{Conn: conn, begin: bytes.NewReader(begin)}:
	case <-s.done:
		_ = c.Close()
	}
}

// Deadlines of connections are times of the clock, not of the store.
func soon() time.Time { return time.Now().Add(firstBytes) } //nolint:forbidigo // see above

func past() time.Time { return time.Unix(1, 0) }

// Close stops both kinds of connection from arriving.
func (s *split) Close() error {
	var err error
	s.once.Do(func() {
		close(s.done)
		err = s.Listener.Close()
	})
	return err
}

// handed is the listener of one kind.
type handed struct {
	split *split
	conns chan net.Conn
}

// Accept implements [net.Listener].
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.split.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (h *handed) Close() error { return h.split.Close() }

// Addr implements [net.Listener].
func (h *handed) Addr() net.Addr { return h.split.Addr() }

// resumed is a connection of which the beginning was read already.
type resumed struct {
	net.Conn
	begin *bytes.Reader
}

// Read implements [net.Conn].
func (r *resumed) Read(p []byte) (int, error) {
	if r.begin.Len() > 0 {
		return r.begin.Read(p)
	}
	return r.Conn.Read(p)
}
