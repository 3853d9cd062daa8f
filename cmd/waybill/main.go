// Command waybill is the whole platform in one binary: `waybill up` to try it,
// `waybill serve` to run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/tracing"
)

// Exit codes: what a script may rely on.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

type program struct {
	configs.Config

	ConfigFile kong.ConfigFlag `name:"config" type:"existingfile" placeholder:"FILE" help:"Settings file to read instead of ./waybill.yaml."`

	Up       upCommand          `cmd:"" help:"Try it: everything in one process, with demo data and a sample partner whose callbacks are printed."`
	Serve    serveCommand       `cmd:"" help:"Run the platform."`
	Node     nodeCommand        `cmd:"" help:"Run the embedded event store alone."`
	Verify   nodeVerifyCommand  `cmd:"" help:"Check the embedded event store's data: short for \"waybill node verify\"."`
	Backup   nodeBackupCommand  `cmd:"" help:"Copy the embedded event store's data: short for \"waybill node backup\"."`
	Restore  nodeRestoreCommand `cmd:"" help:"Bring a backup back: short for \"waybill node restore\"."`
	Rekey    rekeyCommand       `cmd:"" help:"Seal everything that is kept encrypted with the newest master key; the one before is then needed no more."`
	Import   importCommand      `cmd:"" help:"Import orders from elsewhere."`
	Orders   ordersCommand      `cmd:"" help:"Look at orders: as they are, as they were, and what has changed."`
	Export   exportCommand      `cmd:"" help:"Write orders into a file."`
	Hooks    webhooksCommand    `cmd:"" name:"webhooks" help:"Look after webhooks: endpoints, attempts, replays."`
	Listen   listenCommand      `cmd:"" help:"Forward messages to a receiver under development, signed and in order."`
	Rebuild  rebuildCommand     `cmd:"" help:"Build read models anew, beside the live ones, compare them and swap them in."`
	Models   projectionsCommand `cmd:"" name:"projections" help:"Look after read models: where they stand, what they cannot apply, rebuilds."`
	Letters  deadLettersCommand `cmd:"" name:"deadletters" help:"Look after events that side effects could not handle."`
	Bench    benchCommand       `cmd:"" help:"Measure this machine."`
	Settings configCommand      `cmd:"" name:"config" help:"Show every setting, its meaning and the value in force."`
	Version  versionCommand     `cmd:"" help:"Show the version."`

	BenchReceiver benchReceiverCommand `cmd:"" hidden:"" help:"Receive webhooks for \"waybill bench webhooks\", which starts it."`
	Backlog       backlogCommand       `cmd:"" hidden:"" help:"Work off what webhooks have missed; \"waybill serve\" starts it."`
}

// invocation is what every command needs besides its own flags.
type invocation struct {
	ctx    context.Context //nolint:containedctx // lives exactly as long as the command
	config configs.Config
	logger *slog.Logger
	out    io.Writer
	errOut io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	var p program
	parser, err := kong.New(&p,
		kong.Name("waybill"),
		kong.Description("Event-sourced orders with signed webhooks."),
		kong.Configuration(configs.YAML, "waybill.yaml"),
		kong.Writers(out, errOut),
		kong.ConfigureHelp(kong.HelpOptions{FlagsLast: true, Compact: true}),
		kong.Help(printHelp),
	)
	if err != nil {
		return fail(errOut, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(errOut, "waybill: %v\n`%s` shows what can be said.\n", err, helpFor(err))
		return exitUsage
	}
	if err := p.Validate(); err != nil {
		fmt.Fprintf(errOut, "waybill: settings cannot work:\n%v\n", err)
		return exitUsage
	}
	inv := &invocation{ctx: ctx, config: p.Config, logger: newLogger(p.Config, errOut), out: out, errOut: errOut}
	if err := command.Run(inv); err != nil {
		return fail(errOut, err)
	}
	return exitDone
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func fail(w io.Writer, err error) int {
	fmt.Fprintf(w, "waybill: %v\n", err)
	if _, usage := errors.AsType[usageError](err); usage {
		return exitUsage
	}
	return exitFailed
}

func newLogger(cfg configs.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // an enum of the flag: always right
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if cfg.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	return slog.New(tracing.LogHandler(handler))
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
