package main

import (
	"os"
	"runtime/debug"
)

// relaxed is how much the heap may grow between two collections, in percent of
// what is alive. That is some ten megabytes, and at the usual 100 % a busy
// platform would collect several times a second.
const relaxed = 300

// roomy is the memory in bytes from which on it is collected more often than
// that: an import of 25,000 real invoices had left 3.9 GiB to the collector.
const roomy = 2 << 30

// relaxCollector trades memory for processor time, unless the environment says
// what it wants in Go's own words.
func relaxCollector() {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if os.Getenv(name) != "" {
			return
		}
	}
	debug.SetGCPercent(relaxed)
	debug.SetMemoryLimit(roomy)
}
