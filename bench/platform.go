// Package bench measures the platform from outside: it runs the program as a
// process of its own in an empty folder, puts load on its HTTP API, and
// receives its webhooks. It prints what it measured and judges nothing.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/waybill-dev/waybill/client"
)

const adminKey = "bench-admin-key-0123456789"

// Platform is a running `waybill serve` with a data folder of its own.
type Platform struct {
	API     *client.Client
	Started time.Duration // from exec to the first ready answer
	BaseURL string
	command *exec.Cmd
	output  *bytes.Buffer
	done    chan struct{}
}

// StartPlatform runs the program on free loopback ports and waits until it is
// ready.
func StartPlatform(ctx context.Context, binary, dir string, args ...string) (*Platform, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	all := append([]string{
		"serve", "--data-dir", dir, "--http-addr", addr, "--node-addr", "127.0.0.1:0", "--log-level", "warn",
		"--webhooks-allow-private",
	}, args...)
	p := &Platform{
		API: client.New("http://"+addr, adminKey), BaseURL: "http://" + addr,
		command: exec.Command(binary, all...), output: &bytes.Buffer{}, done: make(chan struct{}), //nolint:gosec,noctx // our own program, ended by Stop or Kill
	}
	p.command.Env = append(os.Environ(), "WAYBILL_ADMIN_KEY="+adminKey)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	begin := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go func() {
		_ = p.command.Wait() // how it ended shows in its output
		close(p.done)
	}()
	if err := p.waitReady(ctx); err != nil {
		_ = p.Kill()
		return nil, err
	}
	p.Started = time.Since(begin)
	return p, nil
}

func freeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func (p *Platform) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if p.API.Ready(ctx) == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the platform ended before it was ready:\n%s", p.output)
		case <-ctx.Done():
			return fmt.Errorf("the platform was not ready in time: %w\n%s", ctx.Err(), p.output)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Stop ends the platform as Ctrl-C does and waits for it.
func (p *Platform) Stop() error { return p.end(os.Interrupt) }

// Kill ends the platform as a power cut ends a process: at once.
func (p *Platform) Kill() error { return p.end(syscall.SIGKILL) }

func (p *Platform) end(signal os.Signal) error {
	p.API.Close()
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the platform: %w", err)
	}
	<-p.done
	return nil
}

// Output is what the platform printed.
func (p *Platform) Output() string { return p.output.String() }

// Memory is a process's resident memory in bytes, at this moment and at most.
type Memory struct{ Now, Peak int64 }

// Memory reads the platform's resident memory from /proc, where there is one.
func (p *Platform) Memory() (Memory, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.command.Process.Pid), "status"))
	if err != nil {
		return Memory{}, fmt.Errorf("read the platform's memory: %w", err)
	}
	var m Memory
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
