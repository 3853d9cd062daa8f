package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// Node is the embedded event store, listening.
type Node struct {
	store  *node.Node
	server *grpcapi.Server
}

// StartNode opens the embedded event store below the data folder and listens.
func StartNode(cfg configs.Config, logger *slog.Logger) (*Node, error) {
	store, err := node.Open(node.Config{Dir: filepath.Join(cfg.DataDir, "events"), Logger: logger, Now: time.Now})
	if err != nil {
		return nil, fmt.Errorf("open the embedded event store: %w", err)
	}
	server, err := grpcapi.Listen(cfg.NodeAddr, store, grpcapi.Config{Logger: logger})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen at %s for the embedded event store: %w; name another address with --node-addr", cfg.NodeAddr, err), store.Close())
	}
	return &Node{store, server}, nil
}

// ConnectionString is how clients reach it.
func (n *Node) ConnectionString() string { return n.server.ConnectionString() }

// Failed tells why the store can keep nothing any more.
func (n *Node) Failed() <-chan error { return n.store.Failed() }

// Stop stops listening and closes the store.
func (n *Node) Stop(ctx context.Context) error {
	return errors.Join(n.server.Stop(ctx), n.store.Close())
}
