package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A mode is with or without security, as the suite calls it.
type mode string

const (
	insecure mode = "insecure"
	secure   mode = "secure"
)

// leftOut are the tests that are not run.
var leftOut = []omission{
	{"TestProjections", "the node has no projections of users"},
	{"TestPlugins", "client certificates are a licensed plugin of the original"},
	{"TestStreams/ClusterTests", "the node is one process, not a cluster"},
}

// mayBeSkipped are the tests that leave themselves out.
var mayBeSkipped = map[mode][]omission{
	insecure: {
		{"TestStreams/AppendTests/appendToSystemStreamWithIncorrectCredentials", "needs passwords: see the secure run"},
		{"TestStreams/ReadStreamTests/readStreamWithCredentialsOverride", "needs passwords: see the secure run"},
	},
}

type omission struct{ test, reason string }

// A suite is the client's tests, ready to run.
type suite struct {
	options
	out     io.Writer
	program string // starts a node
	module  string // the copy of the client
	temp    string // for the nodes' data
}

// compile fills the build cache, so that the runs do not do it twice.
func (s *suite) compile(ctx context.Context) error {
	cmd := s.command(ctx, "test", "-c", "-vet=off", "-trimpath", "-o", os.DevNull, "./esdb")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the client's tests: %w\n%s", err, out)
	}
	return nil
}

func (s *suite) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are those of whoever runs this
	cmd.Dir = s.module
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	return cmd
}

// both runs the suite without and with security at the same time: it mostly
// waits.
func (s *suite) both(ctx context.Context) error {
	var later bytes.Buffer
	second := *s
	second.out = &later
	done := make(chan error, 1)
	go func() { done <- second.test(ctx, secure) }()
	first := s.test(ctx, insecure)
	err := errors.Join(first, <-done)
	_, printed := later.WriteTo(s.out)
	return errors.Join(err, printed)
}

// test runs the suite once and prints what came of it.
func (s *suite) test(ctx context.Context, m mode) error {
	fmt.Fprintf(s.out, "\n%s:\n", m)
	r, failed := s.run(ctx, m)
	if err := ctx.Err(); err != nil {
		return err
	}
	r.print(s.out, m)
	if problems := r.problems(m); len(problems) > 0 {
		return fmt.Errorf("%s: %s", m, strings.Join(problems, ", "))
	}
	if failed != nil {
		return fmt.Errorf("%s: %w", m, failed)
	}
	if r.count("pass") == 0 {
		return fmt.Errorf("%s: no test ran", m)
	}
	return nil
}

func (s *suite) run(ctx context.Context, m mode) (*results, error) {
	args := []string{"test", "-json", "-count=1", "-vet=off", "-trimpath", "-timeout=5m", "-skip=^(TestProjections|TestPlugins)$"}
	if s.only != "" {
		args = append(args, "-run="+s.only)
	}
	cmd := s.command(ctx, append(args, "./esdb")...)
	cmd.Stderr = s.out
	cmd.Env = append(cmd.Env,
		fmt.Sprintf("EVENTSTORE_INSECURE=%t", m == insecure),
		"WAYBILL_CONFORMANCE_PROGRAM="+s.program,
		"WAYBILL_CONFORMANCE_TEMP="+filepath.Clean(s.temp),
	)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &results{tests: map[string]*result{}}
	err = r.read(stdout, s.verbose, s.out)
	return r, errors.Join(err, cmd.Wait())
}

// An action is a line of go test -json.
type action struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

func (r *results) read(in io.Reader, verbose bool, out io.Writer) error {
	lines := json.NewDecoder(in)
	for {
		var a action
		if err := lines.Decode(&a); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read what go test says: %w", err)
		}
		if verbose {
			fmt.Fprint(out, a.Output)
		}
		r.add(&a)
	}
}
