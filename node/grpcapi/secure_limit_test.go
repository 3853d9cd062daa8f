package grpcapi

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestTooManyConnectionsAreHungUpOn(t *testing.T) {
	t.Parallel()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limitConnections(raw, 2)
	t.Cleanup(func() { _ = l.Close() })
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	dial()
	first := <-accepted
	dial()
	<-accepted
	if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the third connection is heard")
	}
	_ = first.Close()
	_ = first.Close() // closing twice makes room for one
	dial()
	<-accepted
	if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("there is room for more than two")
	}
}

// Whoever connects and does not get on with it is hung up on: before the
// handshake and in it.
func TestASlowHandshakeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := listenSecurely(t.Context(), t)
	hello := []byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01}
	for name, said := range map[string][]byte{"silent": nil, "half a hello": hello} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(said); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(2 * firstBytes))
			_, err = io.Copy(io.Discard, c)
			if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
				t.Errorf("it is still waited for after %s", 2*firstBytes)
			}
		})
	}
}
