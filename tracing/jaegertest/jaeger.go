// Package jaegertest starts a real Jaeger for a test: the binary that
// ./task jaeger builds, on free loopback ports, with its storage in memory. A
// test that has no binary skips by name. It is for tests only.
package jaegertest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/tracing/logtest"
)

//go:embed jaeger.yaml
var config string

const (
	startTimeout = 30 * time.Second
	pollEvery    = 20 * time.Millisecond
	// attempts is how many sets of ports are tried: a port that was free may
	// be taken before Jaeger listens on it.
	attempts = 3
)

// Jaeger is a running Jaeger.
type Jaeger struct {
	queryAddr, otlpHTTPAddr, otlpGRPCAddr string
}

// Start starts Jaeger and stops it when the test ends. It skips the test when
// there is no binary: neither that of ./task jaeger nor the one that
// WAYBILL_JAEGER names.
func Start(tb testing.TB) *Jaeger {
	tb.Helper()
	binary := find(tb)
	var err error
	for range attempts {
		var j *Jaeger
		if j, err = start(tb, binary); err == nil {
			return j
		}
	}
	tb.Fatalf("start Jaeger: %v", err)
	return nil
}

// Endpoint returns the base URL of OTLP over HTTP, as OTEL_EXPORTER_OTLP_ENDPOINT
// wants it with the protocol http/protobuf, which is the default.
func (j *Jaeger) Endpoint() string { return "http://" + j.otlpHTTPAddr }

// GRPCEndpoint returns the URL of OTLP over gRPC, as OTEL_EXPORTER_OTLP_ENDPOINT
// wants it with the protocol grpc.
func (j *Jaeger) GRPCEndpoint() string { return "http://" + j.otlpGRPCAddr }

// QueryURL returns the base URL of Jaeger's query API.
func (j *Jaeger) QueryURL() string { return "http://" + j.queryAddr }

// find returns the path of the binary, or skips the test.
func find(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("WAYBILL_JAEGER"); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("find the module: %v", err)
	}
	for {
		path := filepath.Join(dir, ".tools", "jaeger")
		if _, err := os.Stat(path); err == nil {
			return path
		} else if !errors.Is(err, fs.ErrNotExist) {
			tb.Fatalf("look for Jaeger: %v", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Skip("Jaeger is not there: ./task jaeger builds it, or WAYBILL_JAEGER names a binary")
		}
		dir = parent
	}
}

func start(tb testing.TB, binary string) (*Jaeger, error) {
	tb.Helper()
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	j := &Jaeger{queryAddr: ports[0], otlpHTTPAddr: ports[1], otlpGRPCAddr: ports[2]}
	file := filepath.Join(tb.TempDir(), "jaeger.yaml")
	if err := os.WriteFile(file, []byte(j.config(ports[3])), 0o600); err != nil {
		return nil, fmt.Errorf("write Jaeger's settings: %w", err)
	}

	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	var output logtest.Journal
	// Not bound to the context, which ends before the clean-up that stops it.
	cmd := exec.Command(binary, "--config", "file:"+file)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_SAMPLER=always_off") // it would trace itself
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its output says why
	}()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
	}
	if err := j.ready(ctx, exited); err != nil {
		stop()
		return nil, fmt.Errorf("%w\n%s", err, output.String())
	}
	tb.Cleanup(stop)
	return j, nil
}

func (j *Jaeger) config(queryGRPC string) string {
	return strings.NewReplacer(
		"QUERY_HTTP", j.queryAddr, "QUERY_GRPC", queryGRPC,
		"OTLP_HTTP", j.otlpHTTPAddr, "OTLP_GRPC", j.otlpGRPCAddr,
	).Replace(config)
}

// ready waits until Jaeger answers queries and takes spans.
func (j *Jaeger) ready(ctx context.Context, exited <-chan struct{}) error {
	for {
		if j.answers(ctx) {
			return nil
		}
		select {
		case <-exited:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

func (j *Jaeger) answers(ctx context.Context) bool {
	var dialer net.Dialer
	for _, addr := range []string{j.otlpHTTPAddr, j.otlpGRPCAddr} {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return false
		}
		_ = conn.Close()
	}
	_, status, err := j.get(ctx, "/api/services")
	return err == nil && status == http.StatusOK
}

// freePorts returns loopback addresses nobody listens on at the moment.
func freePorts(n int) ([]string, error) {
	addrs := make([]string, n)
	for i := range addrs {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // all are held until all are found
		addrs[i] = listener.Addr().String()
	}
	return addrs, nil
}
