package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// backlogProcess is the process that works off what endpoints have missed. It
// runs while there are endpoints set aside for it, and is started again when it
// ends otherwise.
type backlogProcess struct {
	command func() *exec.Cmd
	task    func() backlogTask
	logger  *slog.Logger

	needed atomic.Bool
	change chan struct{} // told when needed has changed
	deaths prometheus.Counter

	mu      sync.Mutex
	running *backlogChild // nil while it does not
}

const (
	backlogIdle    = 30 * time.Second // it may stay without work
	backlogRestart = time.Second      // before the first start after an end that was not wanted
	backlogSlowest = time.Minute      // and before later ones
	backlogEnd     = 10 * time.Second // to end when it is told to
)

func newBacklogProcess(command func() *exec.Cmd, task func() backlogTask, deaths prometheus.Counter, logger *slog.Logger) *backlogProcess {
	return &backlogProcess{command: command, task: task, logger: logger, change: make(chan struct{}, 1), deaths: deaths}
}

// Need implements [webhooks.BacklogProcess].
func (b *backlogProcess) Need(needed bool) {
	if b.needed.Swap(needed) == needed {
		return
	}
	select {
	case b.change <- struct{}{}:
	default:
	}
}

// run returns when the context ends, after the process. One that dies at once is
// started again ever later, however often it is needed anew meanwhile.
func (b *backlogProcess) run(ctx context.Context) error {
	wait := backlogRestart
	for ctx.Err() == nil {
		if !b.needed.Load() {
			await(ctx, b.change)
			continue
		}
		began := time.Now()
		err := b.once(ctx)
		if err == nil || ctx.Err() != nil {
			wait = backlogRestart
			continue
		}
		if time.Since(began) > backlogSlowest {
			wait = backlogRestart
		}
		b.deaths.Inc()
		b.logger.WarnContext(ctx, "the process that works off the webhooks' backlog has ended, it is started again", "in", wait, "error", err)
		await(ctx, time.After(wait))
		wait = min(2*wait, backlogSlowest)
	}
	return nil
}

// await returns when something comes, or the context ends.
func await[T any](ctx context.Context, something <-chan T) {
	select {
	case <-something:
	case <-ctx.Done():
	}
}

// once starts the process and returns when it has ended: without an error if it
// was told to.
func (b *backlogProcess) once(ctx context.Context) error {
	child, err := startBacklogChild(b.command(), b.task())
	if err != nil {
		return err
	}
	b.logger.InfoContext(ctx, "a process of its own works off what webhooks have missed", "pid", child.command.Process.Pid)
	b.note(child)
	defer b.note(nil)
	unneeded := time.NewTimer(0)
	defer unneeded.Stop()
	for {
		if unneeded.Stop(); !b.needed.Load() {
			unneeded.Reset(backlogIdle)
		}
		select {
		case <-b.change:
		case <-child.ended:
			child.end()
			return fmt.Errorf("it ended by itself: %v", child.command.ProcessState)
		case <-ctx.Done():
			child.end()
			return nil
		case <-unneeded.C:
			if !b.needed.Load() {
				child.end()
				return nil
			}
		}
	}
}

func (b *backlogProcess) note(child *backlogChild) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = child
}

// backlogChild is the process while it runs. It gets its settings, and questions
// after its metrics, by its standard input, and ends when that does: also when
// whoever has started it was killed.
type backlogChild struct {
	command *exec.Cmd
	ended   chan struct{}

	in io.WriteCloser

	mu   sync.Mutex // one question at a time
	out  *os.File
	mute error // why it is not asked any more
}

func startBacklogChild(command *exec.Cmd, task backlogTask) (*backlogChild, error) {
	text, err := json.Marshal(task)
	if err != nil {
		return nil, fmt.Errorf("write down the settings: %w", err)
	}
	c := &backlogChild{command: command, ended: make(chan struct{})}
	if c.in, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	out, answers, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.out, command.Stdout = out, answers
	err = command.Start()
	_ = answers.Close() // it has its own
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", command.Path, err), out.Close())
	}
	go func() {
		_ = command.Wait() // how it ended is in ProcessState
		close(c.ended)
	}()
	if _, err := c.in.Write(append(text, '\n')); err != nil {
		c.end()
		return nil, fmt.Errorf("tell it the settings: %w", err)
	}
	return c, nil
}

// end lets the process end, and kills it if it does not.
func (c *backlogChild) end() {
	_ = c.in.Close()
	defer func() { _ = c.out.Close() }()
	select {
	case <-c.ended:
	case <-time.After(backlogEnd):
		_ = c.command.Process.Kill()
		<-c.ended
	}
}
