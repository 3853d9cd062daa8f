package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/projections"
)

type rebuildCommand struct {
	URL    string   `name:"url" env:"WAYBILL_URL" help:"Base URL of the running platform; http-addr when empty."`
	APIKey string   `name:"api-key" env:"WAYBILL_API_KEY" help:"An API key with scope admin; the platform's admin key when empty. The environment is the better place for it."`
	Names  []string `arg:"" optional:"" name:"name" help:"Read models: orders, say. waybill projections list shows them."`
	All    bool     `name:"all" help:"All read models, side by side."`
	Verify bool     `name:"verify" help:"Only compare: what is filled is thrown away."`
	Accept bool     `name:"accept-differences" help:"Swap whatever the comparison finds: for code that is meant to give other rows."`
	Rate   int      `name:"rate" help:"The most events in a second of each, to be gentle; 0 is as many as there are."`
	AsOf   moment   `name:"as-of" placeholder:"TIME" help:"Make one read model as it was at this time (RFC 3339, or a date: its first moment in UTC), into a file of its own. The live ones are left alone."`
	Into   string   `name:"into" type:"path" placeholder:"FILE" help:"The SQLite file to make, with --as-of."`
	JSON   bool     `name:"json" help:"Print one JSON object per read model."`
}

// Run builds read models anew: by the platform that is running, or by itself on
// the data of one that is not.
func (c rebuildCommand) Run(inv *invocation) error {
	if c.Rate < 0 {
		return usageError{errors.New("--rate needs at least 1, or is left out")}
	}
	if !c.AsOf.IsZero() || c.Into != "" {
		return c.asOf(inv)
	}
	switch {
	case c.All == (len(c.Names) > 0):
		return usageError{errors.New("name read models to build anew, or say --all")}
	case c.Verify && c.Accept:
		return usageError{errors.New("--verify swaps nothing, so there is nothing to accept: leave one of them out")}
	}
	if c.URL != "" || inv.config.Database != "" {
		api, err := dial(inv, c.URL, c.APIKey, "--url")
		if err == nil {
			defer api.Close()
			return c.run(inv, remote{api})
		}
		if c.URL != "" {
			return err
		}
	}
	err := withApp(inv, []string{app.RoleProjections}, func(ctx context.Context, a *app.App) error {
		if err := c.run(inv, here{a.ReadModels()}); err != nil {
			return err
		}
		return errFinished
	})
	switch {
	case errors.Is(err, errFinished):
		return nil
	case !errors.Is(err, app.ErrOtherProcess):
		return err
	}
	api, err := dial(inv, c.URL, c.APIKey, "--url")
	if err != nil {
		return err
	}
	defer api.Close()
	return c.run(inv, remote{api})
}

// errFinished ends a platform that was started for one thing.
var errFinished = errors.New("finished")

// rebuilder is whoever builds read models anew.
type rebuilder interface {
	names(ctx context.Context) ([]string, error)
	start(ctx context.Context, name string, how client.StartRebuild) (client.Rebuild, error)
	at(ctx context.Context, name string) (client.Rebuild, error)
}

// remote is a platform that is running.
type remote struct{ api *client.Client }

func (r remote) names(ctx context.Context) (names []string, err error) {
	list, err := r.api.Projections(ctx)
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names, err
}

func (r remote) start(ctx context.Context, name string, how client.StartRebuild) (client.Rebuild, error) {
	return r.api.StartRebuild(ctx, name, "", how)
}

func (r remote) at(ctx context.Context, name string) (client.Rebuild, error) {
	return r.api.Rebuild(ctx, name)
}

// here is this process, on the data of a platform that is not running.
type here struct{ set *projections.Set }

func (h here) names(context.Context) (names []string, _ error) {
	for _, m := range h.set.Models() {
		names = append(names, m.Name())
	}
	return names, nil
}

func (h here) start(ctx context.Context, name string, how client.StartRebuild) (client.Rebuild, error) {
	kind := projections.Anew
	if how.Verify {
		kind = projections.Verify
	}
	r, err := h.set.StartRebuild(ctx, name, projections.RebuildOptions{
		ID: uuid.NewString(), Kind: kind, Accept: how.AcceptDifferences, Rate: how.Rate, By: "command line",
	})
	if errors.Is(err, projections.ErrRebuilding) {
		return h.at(ctx, name) // one that was broken off goes on
	}
	return shown(r, err)
}

func (h here) at(ctx context.Context, name string) (client.Rebuild, error) {
	return shown(h.set.Rebuild(ctx, name))
}

// shown is a rebuild as the API shows it.
func shown(r projections.Rebuild, err error) (client.Rebuild, error) {
	if err != nil {
		return client.Rebuild{}, err
	}
	text, err := json.Marshal(r.Compared)
	if err != nil {
		return client.Rebuild{}, err
	}
	c := client.Rebuild{
		ID: r.ID, Projection: r.Projection, Version: r.Version.String(), Kind: string(r.Kind), State: string(r.State), Paused: r.Paused, Ended: r.Ended(), Error: r.Error,
		Progress: r.Progress(), Events: r.Events, Seconds: r.Worked.Seconds(), EventsPerSecond: r.PerSecond(), LeftSeconds: r.Left().Seconds(),
		Equal: r.Equal(), Swapped: r.State == projections.Swapped, RequestedBy: r.RequestedBy, RequestedAt: r.RequestedAt, EndedAt: r.EndedAt,
	}
	return c, json.Unmarshal(text, &c.Compared)
}

// rebuilt is what the command tells programs of one read model.
type rebuilt struct {
	Projection      string             `json:"projection"`
	Events          int64              `json:"events"`
	Seconds         float64            `json:"seconds"`
	EventsPerSecond float64            `json:"events_per_second"`
	Equal           bool               `json:"equal"`
	Swapped         bool               `json:"swapped"`
	Version         string             `json:"version"`
	State           string             `json:"state"`
	Error           string             `json:"error,omitempty"`
	Compared        *client.Comparison `json:"compared,omitempty"`
}

func (c rebuildCommand) run(inv *invocation, by rebuilder) error {
	known, err := by.names(inv.ctx)
	if err != nil {
		return err
	}
	names := c.Names
	if c.All {
		names = known
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if !slices.Contains(known, name) {
			return usageError{fmt.Errorf("there is no read model %s: there is %s", name, strings.Join(known, ", "))}
		}
	}
	ends, errs := make([]client.Rebuild, len(names)), make([]error, len(names))
	show := newRebuildProgress(inv.errOut, c.JSON, len(names))
	defer show.finish()
	var waiting sync.WaitGroup
	for i, name := range names {
		waiting.Go(func() { ends[i], errs[i] = c.one(inv.ctx, by, name, show) })
	}
	waiting.Wait()
	show.finish()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.print(inv.out, ends)
}

// one builds a read model anew and waits for the end.
func (c rebuildCommand) one(ctx context.Context, by rebuilder, name string, show *rebuildProgress) (client.Rebuild, error) {
	r, err := by.start(ctx, name, client.StartRebuild{Verify: c.Verify, AcceptDifferences: c.Accept, Rate: c.Rate})
	if err != nil {
		return r, fmt.Errorf("rebuild %s: %w", name, err)
	}
	const pause = 200 * time.Millisecond
	for !r.Ended {
		show.advance(r)
		if !sleep(ctx, pause) {
			return r, fmt.Errorf("stopped waiting for %s; where the platform is running the rebuild goes on: `waybill projections show %s` says how far it is, `waybill projections cancel %s` ends it", name, name, name)
		}
		now, err := by.at(ctx, name)
		switch {
		case err == nil:
			r = now
		case !passes(err):
			return r, fmt.Errorf("rebuild %s: %w", name, err)
		}
	}
	show.advance(r)
	return r, nil
}

func (c rebuildCommand) print(out io.Writer, ends []client.Rebuild) error {
	var bad []string
	for _, r := range ends {
		if !r.Swapped && (r.Kind != "verify" || !r.Equal) {
			bad = append(bad, r.Projection+" ("+r.State+")")
		}
		if c.JSON {
			err := json.NewEncoder(out).Encode(rebuilt{
				Projection: r.Projection, Events: r.Events, Seconds: r.Seconds, EventsPerSecond: r.EventsPerSecond, Equal: r.Equal, Swapped: r.Swapped,
				Version: r.Version, State: r.State, Error: r.Error, Compared: r.Compared,
			})
			if err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(out, "%s: %d events in %.1f s, %.0f/s; %s\n", r.Projection, r.Events, r.Seconds, r.EventsPerSecond, verdict(r))
		differences(out, r.Compared)
	}
	if len(bad) > 0 {
		return fmt.Errorf("not swapped in: %s", strings.Join(bad, ", "))
	}
	return nil
}

func verdict(r client.Rebuild) string {
	rows := int64(0)
	if r.Compared != nil {
		for _, t := range r.Compared.Tables {
			rows += t.Rows[1]
		}
	}
	equal := fmt.Sprintf("equal to version %s, %d rows", withOf(r), rows)
	if !r.Equal {
		equal = "NOT equal to version " + withOf(r)
	}
	switch {
	case r.Swapped && r.Compared == nil:
		return "version " + r.Version + " is live"
	case r.Swapped:
		return equal + "; version " + r.Version + " is live, the old one is kept for a day"
	case r.State == "different":
		return equal + fmt.Sprintf("; not swapped in: `waybill projections accept %s` does it all the same, `waybill projections cancel %s` throws it away", r.Projection, r.Projection)
	case r.Error != "":
		return r.State + ": " + r.Error
	}
	return r.State + ", " + equal
}

func withOf(r client.Rebuild) string {
	if r.Compared == nil {
		return "-"
	}
	return r.Compared.With
}

// differences lists what is not equal, with examples.
func differences(out io.Writer, c *client.Comparison) {
	if c == nil || c.Equal {
		return
	}
	for _, stream := range c.Blocked {
		fmt.Fprintf(out, "  %s is blocked in the new version only\n", stream)
	}
	for _, t := range c.Tables {
		for _, only := range t.OnlyLive {
			fmt.Fprintf(out, "  %s: %s is in the live version only\n", t.Table, only)
		}
		for _, only := range t.OnlyNew {
			fmt.Fprintf(out, "  %s: %s is in the new version only\n", t.Table, only)
		}
		if t.Different > 0 {
			fmt.Fprintf(out, "  %s: %d of %d rows differ (live %d, new %d)\n", t.Table, t.Different, max(t.Rows[0], t.Rows[1]), t.Rows[0], t.Rows[1])
		}
		for _, d := range t.Examples {
			fmt.Fprintf(out, "    %s: live %s, new %s\n", pairs(d.Key), pairs(d.Live), pairs(d.New))
		}
	}
}

func pairs(values map[string]string) string {
	if len(values) == 0 {
		return "nothing"
	}
	list := make([]string, 0, len(values))
	for name, value := range values {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// rebuildProgress shows one bar: of a single read model its events, of several
// all of theirs.
type rebuildProgress struct {
	bar  *progress
	mu   sync.Mutex
	done map[string]int
	of   map[string]int
	many int
}

func newRebuildProgress(w io.Writer, quiet bool, many int) *rebuildProgress {
	return &rebuildProgress{bar: newProgress(w, quiet), done: map[string]int{}, of: map[string]int{}, many: many}
}

func (p *rebuildProgress) advance(r client.Rebuild) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Events == 0 || r.Progress <= 0 {
		return
	}
	p.done[r.Projection], p.of[r.Projection] = int(r.Events), max(int(float64(r.Events)/r.Progress), int(r.Events))
	done, of := 0, 0
	for name := range p.done {
		done, of = done+p.done[name], of+p.of[name]
	}
	if !r.Ended && len(p.done) == p.many {
		of = max(of, done+1) // comparing is to come
	}
	p.bar.advance("events", done, of)
}

func (p *rebuildProgress) finish() { p.bar.finish() }
