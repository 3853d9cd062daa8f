// Package bench measures the platform from outside: it runs the program as a
// process of its own in an empty folder, puts load on its HTTP API, and
// receives its webhooks. It prints what it measured and judges nothing.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// AdminKey is the API key of every platform that is started here.
const AdminKey = "bench-admin-key-0123456789"

// Platform is a running `waybill serve` with a data folder of its own.
type Platform struct {
	API     *client.Client
	Started time.Duration // from exec to the first ready answer
	Addr    string
	*Process
}

// Place is where a platform runs and with what besides its defaults.
type Place struct {
	Binary string
	Dir    string   // its data folder
	Addr   string   // of its API, on loopback
	Args   []string // of `waybill serve`
	Env    []string // NAME=value, beside this process's own
}

// BaseURL is where its API is.
func (p *Platform) BaseURL() string { return "http://" + p.Addr }

// StartPlatform runs the program and waits until it is ready.
func StartPlatform(ctx context.Context, at Place) (*Platform, error) {
	p := &Platform{Addr: at.Addr}
	p.API = client.New(p.BaseURL(), AdminKey)
	begin := time.Now()
	process, err := StartProcess(at.Binary, at.Env, append([]string{
		"serve", "--data-dir", at.Dir, "--http-addr", at.Addr, "--node-addr", "127.0.0.1:0", "--log-level", "warn",
		"--webhooks-allow-private",
	}, at.Args...)...)
	if err != nil {
		return nil, err
	}
	p.Process = process
	if err := p.waitReady(ctx); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	p.Started = time.Since(begin)
	return p, nil
}

// addrs counts the addresses that were given away.
var addrs atomic.Int64 //nolint:gochecknoglobals // so are a machine's ports

// FreeAddr returns a loopback address nobody listens on at this moment. Its port
// is none of those that systems give to connections and to whoever asks for any
// port (Linux from 32768 on, IANA from 49152), and none that this process, or one
// started at about the same time, was given before: somebody else would have it
// before the platform listens, or while it starts again.
func FreeAddr() (string, error) {
	const first, each, processes = 20_000, 200, 60
	var last error
	for range each {
		port := first + os.Getpid()%processes*each + int(addrs.Add(1))%each
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := net.Listen("tcp", addr) //nolint:noctx // returns at once
		if err == nil {
			return addr, listener.Close()
		}
		last = err
	}
	return "", fmt.Errorf("find a free port: %w", last)
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
			return fmt.Errorf("the platform ended before it was ready: %s\n%s", p.command.ProcessState, p.output)
		case <-ctx.Done():
			return fmt.Errorf("the platform was not ready in time: %w\n%s", ctx.Err(), p.output)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
