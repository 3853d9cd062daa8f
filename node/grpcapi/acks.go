package grpcapi

import (
	"bytes"
	"net"
	"sync"
	"time"
)

// A client that estimates how much the line can carry pings with every answer,
// to see how long that takes. To acknowledge each ping by itself would cost both
// sides a system call and a wake-up, as much as a small answer does. So
// acknowledgements go with whatever is sent next, or by themselves when nothing
// is for a while.
type patient struct {
	net.Conn

	mu    sync.Mutex // held to write
	acks  []byte     // that wait
	timer *time.Timer
	armed bool
}

// patience is how long an acknowledgement may wait. What the client makes of it
// is a longer line, and so a larger window.
const patience = 5 * time.Millisecond

// pingAck is how the frame begins that acknowledges a ping; eight bytes follow.
var pingAck = []byte{0, 0, 8, 6, 1, 0, 0, 0, 0}

const (
	pingAckSize = 9 + 8
	withAcks    = 16 << 10 // larger writes are not copied
)

// Write implements [net.Conn].
func (c *patient) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == pingAckSize && bytes.HasPrefix(p, pingAck) && len(c.acks) == 0 {
		c.acks = append(c.acks, p...)
		c.arm()
		return len(p), nil
	}
	if len(c.acks) == 0 {
		return c.Conn.Write(p)
	}
	if len(p) > withAcks {
		if err := c.flush(); err != nil {
			return 0, err
		}
		return c.Conn.Write(p)
	}
	before := len(c.acks)
	c.acks = append(c.acks, p...)
	n, err := c.Conn.Write(c.acks)
	c.acks = c.acks[:0]
	return max(0, n-before), err
}

func (c *patient) flush() error {
	_, err := c.Conn.Write(c.acks)
	c.acks = c.acks[:0]
	return err
}

func (c *patient) arm() {
	switch {
	case c.armed:
		return
	case c.timer == nil:
		c.timer = time.AfterFunc(patience, c.late)
	default:
		c.timer.Reset(patience)
	}
	c.armed = true
}

// late may come sooner than the patience of an acknowledgement ends, which is
// cheaper than a timer for each.
func (c *patient) late() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	if len(c.acks) > 0 {
		_ = c.flush() // a line that is broken shows at the next write
	}
}
