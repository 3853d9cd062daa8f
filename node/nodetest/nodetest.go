// Package nodetest runs embedded nodes for tests, so that they talk to a real
// store with the real client.
package nodetest

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// Start runs a node in memory until the test ends and returns its connection
// string.
func Start(tb testing.TB) string {
	tb.Helper()
	return New(tb, Config{}).ConnectionString()
}

// Config says where a node keeps its data.
type Config struct {
	Dir  string      // empty is memory, which a Restart keeps
	Node node.Config // what else differs from the defaults
}

// A Node can be stopped and started again, to see what others do meanwhile.
type Node struct {
	tb     testing.TB
	cfg    node.Config
	addr   string
	node   *node.Node
	server *grpcapi.Server
}

// New runs a node until the test ends.
func New(tb testing.TB, cfg Config) *Node {
	tb.Helper()
	n := &Node{tb: tb, addr: "127.0.0.1:0", cfg: cfg.Node}
	if n.cfg.Dir = cfg.Dir; cfg.Dir == "" {
		n.cfg.Dir = "node"
		if n.cfg.FS == nil {
			n.cfg.FS = vfs.NewMem()
		}
	}
	if n.cfg.Now == nil {
		n.cfg.Now = time.Now
	}
	n.start()
	tb.Cleanup(n.Stop)
	return n
}

func (n *Node) start() {
	n.tb.Helper()
	var err error
	if n.node, err = node.Open(n.cfg); err != nil {
		n.tb.Fatal(err)
	}
	if n.server, err = n.listen(); err != nil {
		n.tb.Fatal(err)
	}
	n.addr = n.server.Addr()
}

// listen tries for a while: the port of a node that was stopped may be in use
// for a moment.
func (n *Node) listen() (*grpcapi.Server, error) {
	const attempts, pause = 50, 20 * time.Millisecond
	for i := 1; ; i++ {
		s, err := grpcapi.Listen(n.addr, n.node, grpcapi.Config{})
		if err == nil || i == attempts {
			return s, err
		}
		time.Sleep(pause)
	}
}

// ConnectionString stays the same over restarts.
func (n *Node) ConnectionString() string { return "esdb://" + n.addr + "?tls=false" }

// Stop ends the node as a shutdown would. Clients cannot reach it until
// Restart.
func (n *Node) Stop() {
	n.tb.Helper()
	if n.node == nil {
		return
	}
	const limit = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := n.server.Stop(ctx); err != nil {
		n.tb.Error(err)
	}
	if err := n.node.Close(); err != nil {
		n.tb.Error(err)
	}
	n.node = nil
}

// Restart stops the node when it runs, and serves the same data at the same
// address again.
func (n *Node) Restart() {
	n.tb.Helper()
	n.Stop()
	n.start()
}
