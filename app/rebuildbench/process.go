package rebuildbench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"sync"
	"time"
)

// profile writes a CPU profile until it is stopped.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write a profile: %w", err), file.Close())
	}
	return func() { pprof.StopCPUProfile(); _ = file.Close() }, nil
}

// watchMemory notes the most memory that the program has until it is stopped.
func watchMemory(m *Model) (stop func()) {
	const every = 50 * time.Millisecond
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		alive := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			metrics.Read(alive)
			m.Memory, m.Alive = max(m.Memory, memory()), max(m.Alive, alive[0].Value.Uint64())
			select {
			case <-ticker.C:
			case <-done:
				return
			}
		}
	})
	return func() { close(done); watching.Wait() }
}

// memory is what the process has in memory: that of Go, and what SQLite takes
// beside it.
func memory() uint64 {
	var whole, resident uint64
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &whole, &resident)
	}
	if err == nil {
		return resident * uint64(os.Getpagesize()) //nolint:gosec // it is a few KiB
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Sys - stats.HeapReleased
}
