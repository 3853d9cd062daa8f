package delivery

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	jitter       = 0.2
	longestDelay = 24 * time.Hour
)

// Schedule is when a delivery is tried again.
type Schedule struct {
	// Waits stand between the attempts: one attempt more than waits is made.
	Waits []time.Duration
	// Random yields numbers from 0 to below 1; waits vary by 20 % either way,
	// so that what failed together is not retried together.
	Random func() float64
}

// DefaultWaits make twelve attempts within 75 hours and 42 minutes.
func DefaultWaits() []time.Duration {
	return []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Wait returns how long to wait after so many attempts, at least what the
// receiver asked for, and false when no attempt is left.
func (s Schedule) Wait(attempts int, asked time.Duration) (time.Duration, bool) {
	if attempts < 1 || attempts > len(s.Waits) {
		return 0, false
	}
	wait := s.Waits[attempts-1]
	if s.Random != nil {
		wait = time.Duration(float64(wait) * (1 - jitter + 2*jitter*s.Random()))
	}
	return max(wait, min(asked, longestDelay)), true
}

// RetryAfter reads the header of that name: seconds or a date. What cannot be
// read or lies in the past is 0; more than a day is a day.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(longestDelay/time.Second) {
			return longestDelay
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestDelay)
}
