package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/node/nodebench"
)

type benchNodeCommand struct {
	Duration time.Duration `name:"duration" default:"10s" help:"Length of each run of appends and of the subscribers."`
	Events   int           `name:"events" default:"1000000" help:"Events in the store that is read."`
	Large    int           `name:"large" default:"0" help:"Events in a second, larger store, such as 10000000; 0 is none. It needs about 450 bytes of disk for each."`
	Dir      string        `name:"dir" type:"existingdir" help:"Where to make a folder for the stores; the system's place for temporary files otherwise."`
	Only     []string      `name:"only" enum:"one,many,subscribers,stores" help:"Measure some of it: appends by one caller, by many, subscribers, stores that were filled."`
	Awake    bool          `name:"keep-awake" help:"Start the nodes with --node-keep-awake."`
	JSON     bool          `name:"json" help:"Print JSON; times are in nanoseconds."`
}

// Run measures nodes of its own in a temporary folder.
func (c benchNodeCommand) Run(inv *invocation) error {
	const batch = 1000
	if c.Duration < time.Second || c.Events < batch || c.Large < 0 || c.Large > 0 && c.Large < batch {
		return usageError{fmt.Errorf("--duration needs at least 1s, --events and --large at least %d", batch)}
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp(c.Dir, "waybill-bench-node-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	bar := newProgress(inv.errOut, c.JSON)
	defer bar.finish()
	say := func(what string) { fmt.Fprintln(inv.errOut, what) }
	if c.JSON {
		say = func(string) {}
	}
	report, err := nodebench.Run(inv.ctx, nodebench.Options{
		Parts: c.Only, Dir: dir, Duration: c.Duration, Events: c.Events / batch * batch, Large: c.Large / batch * batch,
		Now: time.Now, Say: say, Progress: bar.advance,
		Start: func(ctx context.Context, dir string) (nodebench.Node, error) {
			return startNodeProcess(ctx, binary, dir, fmt.Sprintf("--node-keep-awake=%t", c.Awake))
		},
		Platform: connectAsPlatform,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(report)
	}
	return report.Print(inv.out)
}

// nodeProcess is a `waybill node` of its own.
type nodeProcess struct {
	*bench.Process
	address string
}

// Memory implements [nodebench.Node].
func (p *nodeProcess) Memory() (now, peak int64, err error) {
	m, err := p.Process.Memory()
	return m.Now, m.Peak, err
}

// ConnectionString implements [nodebench.Node].
func (p *nodeProcess) ConnectionString() string { return p.address }

// startNodeProcess returns when the node has said where it listens.
func startNodeProcess(ctx context.Context, binary, dir string, more ...string) (*nodeProcess, error) {
	const patience, pause = time.Minute, 2 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := append([]string{"node", "--data-dir", dir, "--node-addr", "127.0.0.1:0"}, more...)
	p, err := bench.StartProcess(binary, nil, args...)
	if err != nil {
		return nil, err
	}
	for {
		if _, rest, ok := strings.Cut(p.Output(), "esdb://"); ok && strings.Contains(rest, "\n") {
			address, _, _ := strings.Cut(rest, "\n")
			return &nodeProcess{p, "esdb://" + strings.TrimSpace(address)}, nil
		}
		select {
		case <-time.After(pause):
		case <-p.Done():
			return nil, fmt.Errorf("the node ended: %s", p.Output())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the node did not start: %s", p.Output()), p.Kill())
		}
	}
}
