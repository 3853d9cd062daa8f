// Command conformance runs the test suite of the official Go client, which
// ships inside the client's module, against this module's node.
//
// It copies the module out of the module cache into a temporary folder and
// replaces there the one file that starts the original in containers. Nothing
// of the client is part of this repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // a program begins here
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop is called above
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == serveCommand {
		return serve(ctx, args[1:], os.Stdin, out)
	}
	var o options
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&o.only, "run", "", "run only the tests that match, as go test does")
	flags.BoolVar(&o.verbose, "v", false, "print what the tests print")
	flags.BoolVar(&o.keep, "keep", false, "keep the temporary folder and print its name")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return conform(ctx, o, out)
}

type options struct {
	only          string
	verbose, keep bool
}

// conform runs the suite without and with security.
func conform(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(out, "in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	module, err := prepare(ctx, dir)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s := suite{options: o, out: out, program: program, module: module, temp: filepath.Join(dir, "nodes")}
	if err := os.Mkdir(s.temp, 0o700); err != nil {
		return err
	}
	if err := s.compile(ctx); err != nil {
		return err
	}
	return s.both(ctx)
}
