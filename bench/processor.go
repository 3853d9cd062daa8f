package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// processorTimes is what the platform and this process have used so far.
type processorTimes struct{ platform, load time.Duration }

func (p *Process) processorTimes() (t processorTimes, err error) {
	if t.platform, err = processorTime(strconv.Itoa(p.command.Process.Pid)); err != nil {
		return t, err
	}
	for _, child := range p.Children() {
		if used, err := processorTime(child); err == nil { // else it has ended meanwhile
			t.platform += used
		}
	}
	t.load, err = processorTime("self")
	return t, err
}

// Processor is the processor time that the process and this one have used so far.
func (p *Process) Processor() (process, load time.Duration, err error) {
	t, err := p.processorTimes()
	return t.platform, t.load, err
}

// processorTime reads from /proc, where there is one, what a process has used
// in user and system mode, with those it has started that have ended.
func processorTime(pid string) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the process's times: %w", err)
	}
	// The name of the program, in brackets, may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const first, last, tick = 11, 14, 10 * time.Millisecond
	if len(fields) <= last {
		return 0, fmt.Errorf("read the process's times: %q", text)
	}
	ticks := 0
	for _, field := range fields[first : last+1] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			return 0, fmt.Errorf("read the process's times: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// ProcessorTime is what this process has used so far; 0 where that is not known.
func ProcessorTime() time.Duration {
	used, err := processorTime("self")
	if err != nil {
		return 0
	}
	return used
}
