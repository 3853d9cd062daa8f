package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// Node is the embedded event store, listening.
type Node struct {
	store  *node.Node
	auth   *auth.Auth // nil without TLS
	server *grpcapi.Server

	ctx     context.Context //nolint:containedctx // of what is at work
	stop    context.CancelFunc
	working sync.WaitGroup
}

// startEmbedded is for the platform, which is the node's only client: it reaches
// it without TLS, on loopback.
func startEmbedded(cfg configs.Config, logger *slog.Logger) (*Node, error) {
	if cfg.Node.TLSCert != "" {
		return nil, errors.New("the event store inside this process is reached without TLS, on loopback: " +
			"run it by itself with `waybill node`, and name it with --eventstore; or leave out --node-tls-cert")
	}
	return StartNode(cfg, logger)
}

// EventsDir is where the embedded event store keeps its files.
func EventsDir(cfg configs.Config) string { return filepath.Join(cfg.DataDir, "events") }

// StartNode opens the embedded event store below the data folder and listens,
// with TLS and accounts when there is a certificate.
func StartNode(cfg configs.Config, logger *slog.Logger) (*Node, error) {
	tls, err := certificate(cfg.Node, logger)
	if err != nil {
		return nil, err
	}
	n := &Node{}
	n.store, err = node.Open(node.Config{
		Dir: EventsDir(cfg), Index: cfg.Node.Index, Logger: logger, Now: time.Now,
		MaxAppendBytes: cfg.Node.MaxAppendBytes, MinFreeBytes: uint64(cfg.Node.MinFreeBytes),
	})
	if err != nil {
		return nil, fmt.Errorf("open the embedded event store: %w", err)
	}
	if tls != nil {
		if n.auth, err = openAuth(n.store, cfg.Node, logger); err != nil {
			return nil, errors.Join(err, n.store.Close())
		}
		tls.Auth = n.auth
	}
	n.server, err = grpcapi.Listen(cfg.NodeAddr, n.store, grpcapi.Config{
		Advertise: cfg.Node.Advertise, Secure: tls, Logger: logger,
		MaxGroups: cfg.Node.MaxGroups, MaxGroupClients: cfg.Node.MaxGroupClients,
	})
	if err != nil {
		return nil, errors.Join(cannotListen(cfg.NodeAddr, err), n.close())
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.scavenge(cfg.Node.ScavengeEvery, logger)
	if cfg.Node.KeepAwake {
		if err := n.keepAwake(cpuLatency, logger); err != nil {
			return nil, errors.Join(err, n.Stop(context.Background()))
		}
	}
	return n, nil
}

// atWork does something beside what clients ask for, until the node stops.
func (n *Node) atWork(f func(ctx context.Context)) {
	n.working.Go(func() { f(n.ctx) })
}

func cannotListen(addr string, err error) error {
	err = fmt.Errorf("listen at %s for the embedded event store: %w", addr, err)
	if insecure := (*grpcapi.InsecureError)(nil); errors.As(err, &insecure) {
		return err // it says what to do
	}
	return fmt.Errorf("%w; name another address with --node-addr", err)
}

// certificate returns nil for a node without TLS.
func certificate(cfg configs.Node, logger *slog.Logger) (*grpcapi.Secure, error) {
	if cfg.TLSCert == "" {
		return nil, nil
	}
	tls, err := grpcapi.TLSFromFiles(cfg.TLSCert, cfg.TLSKey, time.Now, logger)
	return &grpcapi.Secure{TLS: tls}, err
}

func openAuth(n *node.Node, cfg configs.Node, logger *slog.Logger) (*auth.Auth, error) {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return auth.Open(ctx, n, auth.Config{AdminPassword: cfg.AdminPassword, OpsPassword: cfg.OpsPassword, Logger: logger})
}

// ConnectionString is how clients reach it. A secure node wants credentials in
// it, and the authority of its certificate.
func (n *Node) ConnectionString() string { return n.server.ConnectionString() }

// Secure reports whether clients need TLS and an account.
func (n *Node) Secure() bool { return n.auth != nil }

// Made are the accounts that were made with random passwords at this start. It
// is the only chance to know them.
func (n *Node) Made() []auth.Credentials {
	if n.auth == nil {
		return nil
	}
	return n.auth.Made()
}

// Failed tells why the store can keep nothing any more.
func (n *Node) Failed() <-chan error { return n.store.Failed() }

// Stop stops listening and closes the store.
func (n *Node) Stop(ctx context.Context) error {
	n.stop()
	n.working.Wait()
	return errors.Join(n.server.Stop(ctx), n.close())
}

func (n *Node) close() error {
	if n.auth != nil {
		n.auth.Close()
	}
	return n.store.Close()
}
