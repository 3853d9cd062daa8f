package main

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
)

// shownSettings are the settings that help lists beside a command's own flags.
// There are a hundred more, among which nobody would find the command's.
var shownSettings = map[string]bool{
	"http-addr": true, "data-dir": true, "eventstore": true, "node-addr": true, "database": true, "config": true, "help": true,
}

// printHelp is that of kong without most settings.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	for _, flag := range ctx.Model.Flags {
		flag.Hidden = flag.Hidden || !shownSettings[flag.Name]
	}
	// A group by itself, as in "waybill node user": all that is in it.
	options.NoExpandSubcommands = ctx.Selected() == nil
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprint(ctx.Stdout, "\nEvery setting that \"waybill config\" shows is a flag as well: WAYBILL_LOG_LEVEL\nis --log-level.\n")
	return err
}

// helpFor names the help of what was called, as far as that was understood.
func helpFor(err error) string {
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		if command := parse.Context.Selected(); command != nil {
			return command.FullPath() + " --help"
		}
	}
	return "waybill --help"
}
