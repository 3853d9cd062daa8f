package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/tracing"
)

// backlogCommand is the process that serve and up start for what webhooks have
// missed. It gets its settings from them, and ends when they do.
type backlogCommand struct{}

// Run works until its standard input ends.
func (backlogCommand) Run(inv *invocation) error {
	if err := app.YieldProcessors(); err != nil {
		inv.logger.Warn("working off the webhooks' backlog does not yield the processors to other work", "error", err)
	}
	relaxCollector()
	flush, err := tracing.Setup(inv.ctx, tracing.Config{Service: "waybill", Version: version()})
	if err != nil {
		return fmt.Errorf("set up tracing: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(inv.ctx), inv.config.ShutdownTimeout)
		defer cancel()
		_ = flush(ctx) // nobody is there to be told
	}()
	// An interrupt at the terminal reaches this process, too; it ends with the
	// one that started it, which has to be told first what is done.
	return app.RunBacklog(context.WithoutCancel(inv.ctx), os.Stdin, inv.out, func(cfg configs.Config) (app.Options, error) {
		return app.Options{Logger: newLogger(cfg, inv.errOut).With("process", "webhooks-backlog"), Version: version()}, nil
	})
}

// thisProgram leads Linux to the program that runs, also when its file was
// replaced by another version since.
const thisProgram = "/proc/self/exe"

// backlogProgram makes the command that runs backlogCommand, if this program can
// be found.
func backlogProgram(errOut io.Writer) func() *exec.Cmd {
	name, err := os.Executable()
	if err != nil {
		return nil
	}
	path := name
	if _, err := os.Stat(thisProgram); err == nil {
		path = thisProgram
	}
	return func() *exec.Cmd {
		return &exec.Cmd{Path: path, Args: []string{name, "backlog"}, Stderr: errOut} // it ends with its standard input
	}
}
