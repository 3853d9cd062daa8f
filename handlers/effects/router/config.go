package router

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Semantics is how often the effect of an event may happen.
type Semantics string

const (
	// AtMostOnce is for what may be missed, as a count may: the event is done with
	// before it is handled.
	AtMostOnce Semantics = "at-most-once"
	// AtLeastOnce is for what may be repeated, or has a key of the event's that the
	// outside system knows it by.
	AtLeastOnce Semantics = "at-least-once"
	// Once is at least once, but for what an inbox has as done. The effect is
	// repeated only when the process ends right after it.
	Once Semantics = "once"
)

// Config is how patiently one handler works. The zero value has the defaults.
type Config struct {
	// Semantics is how often an effect may happen. Empty means AtLeastOnce.
	Semantics Semantics
	// Concurrency is how many events are handled at once in this process. 0 means
	// 4. A handler that wants order has one.
	Concurrency int
	// Timeout bounds one attempt. 0 means 30 s.
	Timeout time.Duration
	// Attempts is after how many of them an event is put aside for a person, while
	// other events succeed. 0 means 12.
	Attempts int
	// FirstRetry is the wait after the first failed attempt; it doubles up to
	// LastRetry. 0 means 1 s and 5 min.
	FirstRetry, LastRetry time.Duration
	// Failures is how many events must fail one after the other for the outside
	// system to be taken for down. 0 means 5.
	Failures int
	// OpenFor is how long nothing is consumed then. 0 means 30 s.
	OpenFor time.Duration
}

// Validate names everything that makes no sense.
func (c Config) Validate() error {
	var errs []error
	if !slices.Contains([]Semantics{"", AtMostOnce, AtLeastOnce, Once}, c.Semantics) {
		errs = append(errs, fmt.Errorf("semantics %q is none of %s, %s, %s", c.Semantics, AtMostOnce, AtLeastOnce, Once))
	}
	for name, negative := range map[string]bool{
		"concurrency": c.Concurrency < 0, "timeout": c.Timeout < 0, "attempts": c.Attempts < 0,
		"first retry": c.FirstRetry < 0, "last retry": c.LastRetry < 0, "failures": c.Failures < 0, "open for": c.OpenFor < 0,
	} {
		if negative {
			errs = append(errs, fmt.Errorf("%s is below zero", name))
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	set(&c.Semantics, AtLeastOnce)
	set(&c.Concurrency, 4)
	set(&c.Timeout, 30*time.Second)
	set(&c.Attempts, 12)
	set(&c.FirstRetry, time.Second)
	set(&c.LastRetry, 5*time.Minute)
	set(&c.Failures, 5)
	set(&c.OpenFor, 30*time.Second)
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// longest is how long an event may be at one process.
func (c *Config) longest() time.Duration {
	return time.Duration(c.Attempts)*(c.Timeout+c.LastRetry) + time.Minute
}

// wait is that after a failed attempt, counted from 1: from a half of it on, as a
// random number in [0, 1) has it.
func (c *Config) wait(attempt int, random float64) time.Duration {
	const doublings = 30 // more would not fit
	d := c.FirstRetry << min(attempt-1, doublings)
	if d <= 0 || d > c.LastRetry {
		d = c.LastRetry
	}
	return d/2 + time.Duration(random*float64(d/2))
}
