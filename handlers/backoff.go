package handlers

import (
	"time"

	"github.com/waybill-dev/waybill/domain/process"
)

// AlarmAt is how many failures in a row people are told of.
const AlarmAt = process.AlarmAt

// waits are those after the first failures; the last one repeats.
var waits = [...]time.Duration{
	time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
}

// BackOff is how long to wait after a failure, counted from 1: up to a tenth
// more or less, as a random number in [0, 1) has it, so that what failed
// together does not come back together.
func BackOff(attempt int, random float64) time.Duration {
	d := waits[min(max(attempt, 1), len(waits))-1]
	return d + time.Duration((random-0.5)*0.2*float64(d))
}
