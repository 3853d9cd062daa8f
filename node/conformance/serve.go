package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// serveCommand makes this program one node for one test.
const serveCommand = "serve"

type serveOptions struct {
	dir      string
	fixtures string // of the populated database; empty is an empty one
	cert     string // empty is without security
	key      string
}

// serve prints the address of its node and runs until in ends, which is when
// the test ends that started it.
func serve(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var o serveOptions
	flags := flag.NewFlagSet(serveCommand, flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", "", "where the node keeps its data")
	flags.StringVar(&o.fixtures, "fixtures", "", "resources/test of the client, for the populated database")
	flags.StringVar(&o.cert, "cert", "", "certificate of the node")
	flags.StringVar(&o.key, "key", "", "key of the certificate")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var c clock
	n, err := node.Open(node.Config{Dir: o.dir, Logger: logger, Now: c.now})
	if err != nil {
		return err
	}
	if o.fixtures != "" {
		if err := populate(ctx, n, &c, o.fixtures); err != nil {
			return errors.Join(fmt.Errorf("populate the node: %w", err), n.Close())
		}
	}
	secure, err := o.secure(ctx, n, logger)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	server, err := grpcapi.Listen("127.0.0.1:0", n, grpcapi.Config{Secure: secure, Logger: logger})
	if err != nil {
		return errors.Join(err, n.Close())
	}
	fmt.Fprintln(out, server.Addr())
	wait(ctx, in)
	err = stop(ctx, server)
	if secure != nil {
		secure.Auth.Close()
	}
	return errors.Join(err, n.Close())
}

// secure is nil without a certificate.
func (o *serveOptions) secure(ctx context.Context, n *node.Node, logger *slog.Logger) (*grpcapi.Secure, error) {
	if o.cert == "" {
		return nil, nil
	}
	var real clock
	tls, err := grpcapi.TLSFromFiles(o.cert, o.key, real.now, logger)
	if err != nil {
		return nil, err
	}
	const password = "changeit" // of the original, which the suite signs in with
	if o.fixtures != "" {
		// The populated database has the accounts, with hashes of the original.
		if err := auth.NewAccounts(auth.OfNode(n)).SetPassword(ctx, "admin", password); err != nil {
			return nil, err
		}
	}
	accounts, err := auth.Open(ctx, n, auth.Config{AdminPassword: password, OpsPassword: password, Logger: logger})
	return &grpcapi.Secure{TLS: tls, Auth: accounts}, err
}

func populate(ctx context.Context, n *node.Node, c *clock, fixtures string) error {
	f, err := readFixture(fixtures)
	if err != nil {
		return err
	}
	records, err := f.history()
	if err != nil {
		return err
	}
	s := seeder{node: n, clock: c}
	defer c.run()
	return s.seed(ctx, records)
}

// wait returns when in or ctx ends.
func wait(ctx context.Context, in io.Reader) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func stop(ctx context.Context, server *grpcapi.Server) error {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return server.Stop(ctx)
}
