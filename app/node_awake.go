package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"time"
)

const (
	// cpuLatency is where a program tells Linux within how many microseconds its
	// processors have to wake: that holds as long as the file is open
	// (Documentation/power/pm_qos_interface.rst).
	cpuLatency = "/dev/cpu_dma_latency"
	// awakeFor is how long after an append no processor sleeps yet.
	awakeFor = time.Second
)

// keepAwake lets no processor sleep from an append on until a second without
// any. An append is passed on a dozen times from one thread to another, with a
// wait for the disk in between, which is long enough to fall asleep and too
// short to save anything.
func (n *Node) keepAwake(path string, logger *slog.Logger) error {
	awake, err := holdAwake(path)
	if err != nil {
		return fmt.Errorf("keep the processors awake: %w; Linux alone can do that, and only where the process may write that file; or leave out --node-keep-awake", err)
	}
	if err := awake.Close(); err != nil { // it was a try
		return fmt.Errorf("keep the processors awake: %w", err)
	}
	end := n.store.End()
	n.atWork(func(ctx context.Context) {
		for n.store.Wait(ctx, end) == nil {
			var err error
			if end, err = n.awakeOnce(ctx, path); err != nil {
				if ctx.Err() == nil {
					logger.WarnContext(ctx, "processors may sleep again", "error", err)
				}
				return
			}
		}
	})
	return nil
}

// awakeOnce returns when nothing has been appended for a while, and where the
// log ended then.
func (n *Node) awakeOnce(ctx context.Context, path string) (uint64, error) {
	awake, err := holdAwake(path)
	if err != nil {
		return 0, err
	}
	defer awake.Close()
	for end := n.store.End(); ; end = n.store.End() {
		select {
		case <-time.After(awakeFor):
		case <-ctx.Done():
			return end, ctx.Err()
		}
		if n.store.End() == end {
			return end, nil
		}
	}
}

func holdAwake(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // a device of the system, or a test's file
	if err != nil {
		return nil, err
	}
	if err := binary.Write(file, binary.NativeEndian, int32(0)); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return file, nil
}
