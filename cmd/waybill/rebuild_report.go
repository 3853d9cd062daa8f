package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/client"
)

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
