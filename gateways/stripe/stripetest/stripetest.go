// Package stripetest starts Stripe's own stand-in for a test: the program
// stripe-mock that ./task stripe-mock builds, on a free loopback port. It checks
// requests against Stripe's description of its API and answers with samples. A
// test that has no binary skips by name. It is for tests only.
package stripetest

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const startTimeout = 20 * time.Second

// listening is what stripe-mock prints before its address.
const listening = "Listening for HTTP at address: "

// Start starts stripe-mock, stops it when the test ends, and returns its URL.
// It skips the test when there is no binary: neither that of ./task stripe-mock
// nor the one that WAYBILL_STRIPE_MOCK names.
func Start(tb testing.TB) string {
	tb.Helper()
	// Not bound to the test's context, which ends before the clean-up.
	cmd := exec.Command(find(tb), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	output, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatalf("start stripe-mock: %v", err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start stripe-mock: %v", err)
	}
	addr := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		watch(output, addr)
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait() // killed
	})
	select {
	case a, ok := <-addr:
		if !ok {
			tb.Fatal("start stripe-mock: it ended, or listens nowhere")
		}
		return "http://" + a
	case <-time.After(startTimeout):
		tb.Fatal("start stripe-mock: it does not listen")
	}
	return ""
}

// watch finds the address in the output, and reads the output to its end.
func watch(output io.Reader, addr chan<- string) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if a, found := strings.CutPrefix(lines.Text(), listening); found {
			addr <- a
		}
	}
	close(addr)
}

// find returns the path of the binary, or skips the test.
func find(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("WAYBILL_STRIPE_MOCK"); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("find the module: %v", err)
	}
	for {
		path := filepath.Join(dir, ".tools", "stripe-mock")
		if _, err := os.Stat(path); err == nil {
			return path
		} else if !errors.Is(err, fs.ErrNotExist) {
			tb.Fatalf("look for stripe-mock: %v", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Skip("stripe-mock is not there: ./task stripe-mock builds it, or WAYBILL_STRIPE_MOCK names a binary")
		}
		dir = parent
	}
}
