package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/waybill-dev/waybill/client"
)

type projectionsCommand struct {
	List    projectionsListCommand    `cmd:"" help:"List where read models stand."`
	Show    projectionsShowCommand    `cmd:"" help:"Show where one stands, its versions and its last rebuild, as JSON."`
	Blocked projectionsBlockedCommand `cmd:"" help:"List streams with an event that cannot be applied."`
	Retry   projectionsRetryCommand   `cmd:"" help:"Try a blocked stream at once."`
	Edit    projectionsEditCommand    `cmd:"" help:"Apply an edited copy in the place of an event."`
	Skip    projectionsSkipCommand    `cmd:"" help:"Leave an event out."`
	Repairs projectionsRepairsCommand `cmd:"" help:"List edited copies and events that are left out."`
	Pause   projectionsPauseCommand   `cmd:"" help:"Pause a rebuild."`
	Resume  projectionsResumeCommand  `cmd:"" help:"Let a paused rebuild go on."`
	Cancel  projectionsCancelCommand  `cmd:"" help:"Cancel a rebuild and throw away what it made."`
	Accept  projectionsAcceptCommand  `cmd:"" help:"Swap in what a rebuild has made although it is not equal."`
	Back    projectionsBackCommand    `cmd:"" help:"Go back to the version that was live before."`
}

// adminSite is where the API of a running platform is, for what needs scope
// admin.
type adminSite struct {
	URL    string `name:"url" env:"WAYBILL_URL" help:"Base URL of the running platform; http-addr when empty."`
	APIKey string `name:"api-key" env:"WAYBILL_API_KEY" help:"An API key with scope admin; the platform's admin key when empty. The environment is the better place for it."`
}

func (s adminSite) with(inv *invocation, do func(*client.Client) error) error {
	return site(s).with(inv, do)
}

type projectionsListCommand struct {
	adminSite
	report
}

// Run lists read models.
func (c projectionsListCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		list, err := api.Projections(inv.ctx)
		if err != nil {
			return err
		}
		return c.print(inv.out, list, func(w io.Writer) {
			fmt.Fprintln(w, "NAME\tVERSION\tBEHIND\tSECONDS\tPER SECOND\tBLOCKED\tREBUILD\tPARTS")
			for _, p := range list {
				more, rebuild := "", "-"
				if p.LagMore {
					more = "+"
				}
				if p.Rebuild != nil {
					rebuild = fmt.Sprintf("%s %s", p.Rebuild.Version, p.Rebuild.State)
				}
				fmt.Fprintf(w, "%s\t%s\t%d%s\t%.1f\t%.0f\t%d\t%s\t%s\n",
					p.Name, p.Version, p.LagEvents, more, p.LagSeconds, p.PerSecond, p.BlockedStreams, rebuild, partsText(p.Parts))
			}
		})
	})
}

// partsText says where each part of a read model is, and who has it.
func partsText(parts []client.ProjectionPart) string {
	if len(parts) == 0 {
		return "-"
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = fmt.Sprintf("%d/%d at %d by %s", p.Number, len(parts), p.Position, cmp.Or(p.Owner, "nobody"))
	}
	return strings.Join(texts, ", ")
}

type projectionsShowCommand struct {
	adminSite

	Name string `arg:"" help:"The read model."`
}

// Run shows a read model.
func (c projectionsShowCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		p, err := api.Projection(inv.ctx, c.Name)
		if err != nil {
			return err
		}
		encoder := json.NewEncoder(inv.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(p)
	})
}

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

// ofRebuild is what changes a rebuild.
type ofRebuild struct {
	adminSite
	report

	Name string `arg:"" help:"The read model."`
}

func (c ofRebuild) change(inv *invocation, do func(*client.Client, context.Context, string) (client.Rebuild, error)) error {
	return c.with(inv, func(api *client.Client) error {
		r, err := do(api, inv.ctx, c.Name)
		if err != nil {
			return err
		}
		return c.print(inv.out, r, func(w io.Writer) {
			state := r.State
			if r.Paused {
				state += ", paused"
			}
			fmt.Fprintf(w, "%s version %s: %s\n", r.Projection, r.Version, state)
		})
	})
}

type projectionsPauseCommand struct{ ofRebuild }

// Run pauses a rebuild.
func (c projectionsPauseCommand) Run(inv *invocation) error {
	return c.change(inv, (*client.Client).PauseRebuild)
}

type projectionsResumeCommand struct{ ofRebuild }

// Run lets a rebuild go on.
func (c projectionsResumeCommand) Run(inv *invocation) error {
	return c.change(inv, (*client.Client).ResumeRebuild)
}

type projectionsCancelCommand struct{ ofRebuild }

// Run cancels a rebuild.
func (c projectionsCancelCommand) Run(inv *invocation) error {
	return c.change(inv, (*client.Client).CancelRebuild)
}

type projectionsAcceptCommand struct{ ofRebuild }

// Run accepts what is not equal.
func (c projectionsAcceptCommand) Run(inv *invocation) error {
	return c.change(inv, (*client.Client).AcceptRebuild)
}

type projectionsBackCommand struct{ ofRebuild }

// Run goes back to the version before.
func (c projectionsBackCommand) Run(inv *invocation) error {
	return c.change(inv, func(api *client.Client, ctx context.Context, name string) (client.Rebuild, error) {
		return api.RevertProjection(ctx, name, "")
	})
}
