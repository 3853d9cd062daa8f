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
	server, err := listen(n, logger, &o)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	fmt.Fprintln(out, server.Addr())
	wait(ctx, in)
	return errors.Join(stop(ctx, server), n.Close())
}

func listen(n *node.Node, logger *slog.Logger, o *serveOptions) (*grpcapi.Server, error) {
	if o.cert != "" {
		return nil, errors.New("the node serves without TLS only")
	}
	cfg := grpcapi.Config{Logger: logger}
	return grpcapi.Listen("127.0.0.1:0", n, cfg)
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
