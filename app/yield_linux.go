package app

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The class of ioprio_set(2) for who gets the disk while nobody else wants it,
// and that it is about one thread.
const (
	ioOfThread = 1
	ioIdle     = 3 << 13
)

// YieldProcessors lets this process have the processors only while nobody else
// wants them (SCHED_IDLE, sched(7)), and the disk where its scheduler knows
// such a thing: whoever else wakes up need not wait for it. Threads that are
// made later are like those that make them.
func YieldProcessors() error {
	for {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list this process's threads: %w", err)
		}
		changed, err := yieldAll(threads)
		if err != nil || !changed { // else there may be threads of those
			return err
		}
	}
}

func yield(thread int) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioOfThread, uintptr(thread), ioIdle); errno != 0 {
		return errno
	}
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
}

func yieldAll(threads []os.DirEntry) (changed bool, err error) {
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return changed, fmt.Errorf("read the id of a thread: %w", err)
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if err == nil && attr.Policy == unix.SCHED_IDLE {
			continue
		}
		if err == nil {
			err = yield(id)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
			return changed, fmt.Errorf("lower the priority of thread %d: %w", id, err)
		}
		changed = true
	}
	return changed, nil
}
