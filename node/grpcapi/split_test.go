package grpcapi

import (
	"net"
	"testing"
	"time"
)

// lateConn is slow to take a deadline that is to come, so that the one of a
// server that stops is there first if it can be.
type lateConn struct {
	net.Conn
	over chan struct{}
}

// SetReadDeadline implements [net.Conn].
func (c *lateConn) SetReadDeadline(at time.Time) error {
	switch {
	case at.IsZero():
	case at.After(time.Now()):
		select {
		case <-c.over:
		case <-time.After(50 * time.Millisecond):
		}
	default:
		defer close(c.over)
	}
	return c.Conn.SetReadDeadline(at)
}

// TestConnectionThatComesWhileTheServerStopsIsNotWaitedFor says nothing, and
// would have five seconds for it.
func TestConnectionThatComesWhileTheServerStopsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := splitConnections(l)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	defer there.Close()
	divided := make(chan struct{})
	go func() {
		s.divide(&lateConn{Conn: here, over: make(chan struct{})})
		close(divided)
	}()
	select {
	case <-divided:
	case <-time.After(firstBytes / 2):
		t.Error("it is waited for")
		<-divided
	}
}
