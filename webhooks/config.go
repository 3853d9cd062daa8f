package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Config is how patient and how busy the dispatcher is. The zero value of a
// field is the default named at it.
type Config struct {
	// Owner names this process among those that share the database: no two
	// that run at the same time may have the same name. Who takes over the
	// name of one that died continues at once, others when its lease has run
	// out. Required.
	Owner string
	// BacklogOnly makes this the process that works off the past: it serves the
	// endpoints that others have set aside for it, and no other ones.
	BacklogOnly bool
	// CursorKey makes the cursors in messages opaque: 32 secret bytes, the
	// same for ever. Required.
	CursorKey []byte
	// UserAgent is sent with every request. Default "Waybill-Webhooks/1".
	UserAgent string
	// Timeout bounds one attempt from the connection to the answer's end.
	// Default 20 s.
	Timeout time.Duration
	// Waits stand between the attempts of one delivery. Default
	// [delivery.DefaultWaits].
	Waits []time.Duration
	// BreakerWaits stand between the probes of an endpoint that is down.
	// Default 5 s, 30 s, 2 min, 10 min.
	BreakerWaits []time.Duration
	// InFlight is how many attempts may be under way at one endpoint in the
	// beginning, 1 to 64; it adapts from there. Default 8.
	InFlight int
	// PerHost and PerProcess are how many may be under way at one target host
	// and in all. Default 64, as at one endpoint, and 2,048.
	PerHost, PerProcess int
	// Warn are the times without one success after which an endpoint's owner
	// is told that it fails. Default 1 h, 24 h and 72 h.
	Warn []time.Duration
	// GiveUp is the time without one success after which an endpoint is
	// disabled. Default 5 days.
	GiveUp time.Duration
	// Window is how many deliveries to one endpoint may be unsaved: the most
	// that are repeated after the process was killed. A power cut may repeat
	// more, for results are not forced to the disk one by one. Default 256.
	Window int
	// MaxParked stops an endpoint's cursor. Default 10,000.
	MaxParked int
	// Lease is how long a process owns an endpoint without renewing; it is
	// renewed three times in that time. Default 15 s.
	Lease time.Duration
	// SettleAfter and SettleAt say when results are saved: at most that long
	// after the first, and in a quarter of that when nothing was saved for a
	// while, or when there are so many of one endpoint. Default 1 s, and 64 or,
	// with BacklogOnly, 128.
	SettleAfter time.Duration
	SettleAt    int
	// Drain is how long attempts under way may take when the process stops, and
	// again how long saving their results may take. Default 1 s.
	Drain time.Duration
	// KeepAttempts is how long attempts are kept. Default 30 days.
	KeepAttempts time.Duration
	// CheckpointEvery is how often the log is told how far deliveries are, for
	// the day the ledger is lost. Default 1 min.
	CheckpointEvery time.Duration
	// Readers is how many may pull at once for one tenant, and PastReaders how
	// many of these may read what is no longer in memory. Default any number.
	Readers, PastReaders int
	// Ring is how many events are kept in memory for endpoints that are up to
	// date, and RingBytes how much of their stored data. Default 8,192 and
	// 8 MiB.
	Ring, RingBytes int
}

// usualSettleAt is more where nothing but the past is sent: it comes as fast as
// it is taken, and fewer transactions leave more of the disk to others.
func (c *Config) usualSettleAt() int {
	if c.BacklogOnly {
		return 128
	}
	return 64
}

func (c *Config) pageOfPast() int {
	if c.BacklogOnly {
		return pageOfBacklog
	}
	return pageOfPast
}

func (c *Config) setDefaults() error {
	if c.Owner == "" || len(c.CursorKey) == 0 {
		return errors.New("the dispatcher needs an owner and a cursor key")
	}
	c.UserAgent = cmp.Or(c.UserAgent, "Waybill-Webhooks/1")
	c.Timeout = cmp.Or(c.Timeout, 20*time.Second)
	c.InFlight = cmp.Or(c.InFlight, 8)
	c.PerHost = cmp.Or(c.PerHost, delivery.MostInFlight)
	c.PerProcess = cmp.Or(c.PerProcess, 2048)
	c.GiveUp = cmp.Or(c.GiveUp, delivery.DefaultHealth().GiveUp)
	c.Window = cmp.Or(c.Window, 256)
	c.MaxParked = cmp.Or(c.MaxParked, 10_000)
	c.Lease = cmp.Or(c.Lease, 15*time.Second)
	c.SettleAfter = cmp.Or(c.SettleAfter, time.Second)
	c.SettleAt = cmp.Or(c.SettleAt, c.usualSettleAt())
	c.Drain = cmp.Or(c.Drain, time.Second)
	c.CheckpointEvery = cmp.Or(c.CheckpointEvery, time.Minute)
	c.Ring = cmp.Or(c.Ring, 8192)
	c.RingBytes = cmp.Or(c.RingBytes, 8<<20)
	c.KeepAttempts = cmp.Or(c.KeepAttempts, 30*24*time.Hour)
	if len(c.Waits) == 0 {
		c.Waits = delivery.DefaultWaits()
	}
	if len(c.Warn) == 0 {
		c.Warn = delivery.DefaultHealth().Warn
	}
	if min(c.Timeout, c.GiveUp, c.Lease, c.SettleAfter, c.Drain, c.CheckpointEvery, c.KeepAttempts) < 0 ||
		min(c.InFlight, c.PerHost, c.PerProcess, c.Window, c.MaxParked, c.SettleAt, c.Ring, c.RingBytes, c.Readers, c.PastReaders) < 0 {
		return errors.New("a limit of the dispatcher is negative; 0 is its default")
	}
	if c.InFlight > delivery.MostInFlight {
		return fmt.Errorf("%d attempts in flight are too many for one endpoint, 64 is the most", c.InFlight)
	}
	return nil
}
