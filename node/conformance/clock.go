package main

import (
	"sync/atomic"
	"time"
)

// A clock tells the time it was set to, or the real one.
type clock struct{ fixed atomic.Pointer[time.Time] }

func (c *clock) set(t time.Time) { c.fixed.Store(&t) }

func (c *clock) run() { c.fixed.Store(nil) }

func (c *clock) now() time.Time {
	if t := c.fixed.Load(); t != nil {
		return *t
	}
	return time.Now() //nolint:forbidigo // the one place where this program asks for the time of its nodes
}
