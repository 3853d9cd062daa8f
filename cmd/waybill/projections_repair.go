package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/waybill-dev/waybill/client"
)

type projectionsBlockedCommand struct {
	adminSite
	report

	Name string `arg:"" help:"The read model."`
}

// Run lists what is blocked.
func (c projectionsBlockedCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		list, err := api.BlockedStreams(inv.ctx, c.Name)
		if err != nil {
			return err
		}
		if list == nil {
			list = []client.BlockedStream{}
		}
		return c.print(inv.out, list, func(w io.Writer) {
			fmt.Fprintln(w, "STREAM\tREVISION\tTYPE\tATTEMPTS\tWAITING\tSINCE\tERROR\tPAYLOAD")
			for _, b := range list {
				fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%s\t%s\t%s\n", b.Stream, b.Revision, b.EventType, b.Attempts, b.Waiting, timeText(b.Since), b.Error, b.Data)
			}
		})
	})
}

// trial is what changes something only when it is told to.
type trial struct {
	DryRun bool `name:"dry-run" help:"Tell what would happen, and change nothing."`
	JSON   bool `name:"json" help:"Print JSON."`
}

// tell prints what came of trying a stream again. That it is still blocked is a
// failure.
func (t trial) tell(out io.Writer, o client.RepairOutcome, err error) error {
	if err != nil {
		return err
	}
	if t.JSON {
		err = json.NewEncoder(out).Encode(o)
	}
	switch {
	case err != nil:
		return err
	case o.Blocked:
		return fmt.Errorf("%s is blocked at event %d: %s", o.Stream, o.Revision, o.Error)
	case t.JSON:
	case t.DryRun:
		fmt.Fprintf(out, "%s would go on: %d events would be applied; nothing was changed\n", o.Stream, o.Applied)
	default:
		fmt.Fprintf(out, "%s goes on\n", o.Stream)
	}
	return nil
}

type projectionsRetryCommand struct {
	adminSite
	trial

	Name   string `arg:"" help:"The read model."`
	Stream string `arg:"" help:"The blocked stream."`
}

// Run tries a stream again.
func (c projectionsRetryCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		o, err := api.RetryBlockedStream(inv.ctx, c.Name, c.Stream, c.DryRun)
		return c.tell(inv.out, o, err)
	})
}

// decision names an event and why something is done about it.
type decision struct {
	Name     string `arg:"" help:"The read model."`
	Stream   string `arg:"" help:"The blocked stream."`
	Revision int64  `arg:"" help:"Of the event that cannot be applied; waybill projections blocked shows it."`
	Reason   string `name:"reason" required:"" help:"Why, for the record."`
}

func (d decision) repair(dry bool) client.RepairEvent {
	return client.RepairEvent{Stream: d.Stream, Revision: d.Revision, Reason: d.Reason, DryRun: dry}
}

type projectionsEditCommand struct {
	adminSite
	trial
	decision

	Data string `name:"data" required:"" help:"The payload of the copy, JSON: a file, or - for the standard input. waybill projections blocked --json shows the event's own."`
}

// Run applies an edited copy.
func (c projectionsEditCommand) Run(inv *invocation) error {
	data, err := readCopy(c.Data)
	if err != nil {
		return err
	}
	return c.with(inv, func(api *client.Client) error {
		repair := c.repair(c.DryRun)
		repair.Data = data
		o, err := api.EditBlockedEvent(inv.ctx, c.Name, repair)
		return c.tell(inv.out, o, err)
	})
}

// readCopy reads the edited payload of an event.
func readCopy(name string) ([]byte, error) {
	read := func() ([]byte, error) { return os.ReadFile(name) } //nolint:gosec // a path of the operator's
	if name == "-" {
		read = func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	}
	data, err := read()
	switch {
	case err != nil:
		return nil, usageError{fmt.Errorf("read the copy: %w", err)}
	case !json.Valid(data):
		return nil, usageError{errors.New("--data is no JSON")}
	}
	return data, nil
}

type projectionsSkipCommand struct {
	adminSite
	trial
	decision
}

// Run leaves an event out.
func (c projectionsSkipCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		o, err := api.SkipBlockedEvent(inv.ctx, c.Name, c.repair(c.DryRun))
		return c.tell(inv.out, o, err)
	})
}

type projectionsRepairsCommand struct {
	adminSite
	report

	Name string `arg:"" help:"The read model."`
}

// Run lists decisions on record.
func (c projectionsRepairsCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		list, err := api.Repairs(inv.ctx, c.Name)
		if err != nil {
			return err
		}
		if list == nil {
			list = []client.Repair{}
		}
		return c.print(inv.out, list, func(w io.Writer) {
			fmt.Fprintln(w, "STREAM\tREVISION\tKIND\tAT\tBY\tREASON\tERROR")
			for _, r := range list {
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", r.Stream, r.Revision, r.Kind, timeText(r.At), r.By, r.Reason, r.Error)
			}
		})
	})
}
