package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Process is a running waybill of its own.
type Process struct {
	command *exec.Cmd
	output  *output
	done    chan struct{}
}

// StartProcess runs the program with a known admin key and with environment
// variables beside this process's own.
func StartProcess(binary string, env []string, args ...string) (*Process, error) {
	p := &Process{command: exec.Command(binary, args...), output: &output{}, done: make(chan struct{})} //nolint:gosec,noctx // our own program, ended by Stop or Kill
	p.command.Env = append(append(os.Environ(), "WAYBILL_ADMIN_KEY="+AdminKey), env...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go func() {
		_ = p.command.Wait() // how it ended shows in its output
		close(p.done)
	}()
	return p, nil
}

// output collects what a process prints while others read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Pid is the number of the process.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Stop ends the process as Ctrl-C does and waits for it.
func (p *Process) Stop() error { return p.end(os.Interrupt) }

// Kill ends the process as a power cut ends a process: at once.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL) }

func (p *Process) end(signal os.Signal) error {
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the process: %w", err)
	}
	<-p.done
	return nil
}

// Output is what the process printed.
func (p *Process) Output() string { return p.output.String() }

// Memory is resident memory in bytes, at this moment and at most, of a process
// and of those it has started that still run.
type Memory struct{ Now, Peak int64 }

// Memory reads from /proc, where there is one.
func (p *Process) Memory() (m Memory, err error) {
	if m, err = memoryOf(strconv.Itoa(p.command.Process.Pid)); err != nil {
		return m, err
	}
	for _, child := range p.Children() {
		if its, err := memoryOf(child); err == nil { // else it has ended meanwhile
			m.Now, m.Peak = m.Now+its.Now, m.Peak+its.Peak
		}
	}
	return m, nil
}

// Children are the ids of the processes that it has started and that still run.
func (p *Process) Children() (pids []string) {
	lists, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(p.command.Process.Pid), "task", "*", "children")) // the pattern is right
	for _, list := range lists {
		if text, err := os.ReadFile(list); err == nil { //nolint:gosec // of /proc
			pids = append(pids, strings.Fields(string(text))...)
		}
	}
	return pids
}

func memoryOf(pid string) (m Memory, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return Memory{}, fmt.Errorf("read the process's memory: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			m.Now = kib << 10
		case "VmHWM":
			m.Peak = kib << 10
		}
	}
	return m, nil
}
