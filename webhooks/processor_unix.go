//go:build unix

package webhooks

import (
	"syscall"
	"time"
)

// processorTime is what the process has used so far; 0 where that is not known.
func processorTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
