package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
