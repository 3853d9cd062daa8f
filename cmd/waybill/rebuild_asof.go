package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

// moment is a time as people give it: RFC 3339, or a date, which is its first
// moment in UTC.
type moment struct{ time.Time }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *moment) UnmarshalText(text []byte) (err error) {
	if m.Time, err = time.Parse(time.DateOnly, string(text)); err == nil {
		return nil
	}
	if m.Time, err = time.Parse(time.RFC3339, string(text)); err != nil {
		return fmt.Errorf("%q is neither a time such as 2011-06-30T18:00:00Z nor a date such as 2011-06-30", text)
	}
	return nil
}

// madeAsOf is what the command tells programs.
type madeAsOf struct {
	Projection      string              `json:"projection"`
	Version         int                 `json:"version"`
	AsOf            time.Time           `json:"as_of"`
	Position        eventstore.Position `json:"position"`
	Events          int64               `json:"events"`
	Seconds         float64             `json:"seconds"`
	EventsPerSecond float64             `json:"events_per_second"`
	BlockedStreams  []string            `json:"blocked_streams"`
	File            string              `json:"file"`
}

// checkAsOf tells what is wrong with the flags of a read model as of a time.
func (c rebuildCommand) checkAsOf() error {
	switch {
	case c.AsOf.IsZero() || c.Into == "":
		return errors.New("--as-of and --into go together: a read model as of a time gets a file of its own")
	case c.All || len(c.Names) != 1:
		return errors.New("--as-of needs one read model, for one file")
	case c.Verify || c.Accept || c.URL != "":
		return errors.New("--as-of compares and swaps nothing, and reads the event store itself: leave --verify, --accept-differences and --url out; --eventstore says where the events are")
	case c.AsOf.After(time.Now()):
		return fmt.Errorf("--as-of %s is in the future: what will be recorded until then nobody knows", c.AsOf.Format(time.RFC3339))
	}
	if _, err := os.Lstat(c.Into); err == nil {
		return fmt.Errorf("--into %s: there is such a file; name another one", c.Into)
	}
	if _, err := os.Stat(filepath.Dir(c.Into)); err != nil {
		return fmt.Errorf("--into %s: %w", c.Into, err)
	}
	return nil
}

// asOf makes a file with a read model as of a time. Whether or not the platform
// is running, nothing of it is changed.
func (c rebuildCommand) asOf(inv *invocation) error {
	if err := c.checkAsOf(); err != nil {
		return usageError{err}
	}
	p, err := projectionOf(inv.config, c.Names[0])
	if err != nil {
		return usageError{err}
	}
	if err := mustHaveEvents(inv, app.EventsDir(inv.config)); err != nil {
		return err
	}
	return withEvents(inv, "", func(_ context.Context, connection string) (err error) {
		codec, err := app.Codec()
		if err != nil {
			return err
		}
		client, err := eventstore.NewClient(eventstore.Config{ConnectionString: connection, Codec: codec, Logger: inv.logger})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, client.Close()) }()
		return c.makeAsOf(inv, p, client)
	})
}

func projectionOf(cfg configs.Config, name string) (projections.Projection, error) {
	var names []string
	for _, p := range app.Projections(cfg) {
		if p.Name() == name {
			return p, nil
		}
		names = append(names, p.Name())
	}
	slices.Sort(names)
	return nil, fmt.Errorf("there is no read model %s; there are %s", name, strings.Join(names, ", "))
}

func (c rebuildCommand) makeAsOf(inv *invocation, p projections.Projection, client *eventstore.Client) error {
	// What was recorded at the time itself belongs to it, as with an order.
	until, err := client.Before(inv.ctx, c.AsOf.Add(time.Nanosecond))
	if err != nil {
		return err
	}
	cfg := projections.Config{Dir: app.ReadModelsDir(inv.config), Store: client, Logger: inv.logger, Now: time.Now}
	if inv.config.Database != "" {
		cfg.Server, err = database.Connect(inv.ctx, database.ServerConfig{URL: inv.config.Database, Connections: inv.config.DatabaseConnections})
		if err != nil {
			return fmt.Errorf("open the database: %w", err)
		}
		defer cfg.Server.Close()
	}
	bar := newProgress(inv.errOut, c.JSON)
	filled, err := projections.FillAsOf(inv.ctx, p, cfg, client, projections.AsOf{
		File: c.Into, Until: until, Rate: c.Rate, Advance: func(events int64, at eventstore.Position) {
			all := max(float64(events)*float64(until)/float64(max(at, 1)), float64(events))
			bar.advance("events", int(events), int(all))
		},
	})
	bar.finish()
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("--into %w; name another file", err)
	case err != nil:
		return fmt.Errorf("make %s as of %s: %w", p.Name(), c.AsOf.Format(time.RFC3339), err)
	}
	return c.tellAsOf(inv, p, until, filled)
}

func (c rebuildCommand) tellAsOf(inv *invocation, p projections.Projection, until eventstore.Position, filled projections.Filled) error {
	took := filled.Rows + filled.Indexes
	made := madeAsOf{
		Projection: p.Name(), Version: p.Version(), AsOf: c.AsOf.UTC(), Position: until, Events: filled.Events, BlockedStreams: []string{}, File: c.Into,
		Seconds: took.Seconds(), EventsPerSecond: float64(filled.Events) / max(took.Seconds(), 0.001),
	}
	for _, b := range filled.Blocked {
		made.BlockedStreams = append(made.BlockedStreams, b.Stream)
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(made)
	}
	fmt.Fprintf(inv.out, "%s as of %s: %d events in %.1f s, %.0f/s; %s\n", made.Projection, made.AsOf.Format(time.RFC3339Nano), made.Events, made.Seconds, made.EventsPerSecond, made.File)
	for _, b := range filled.Blocked {
		fmt.Fprintf(inv.out, "  %s is missing from event %d on, which cannot be applied: %s\n", b.Stream, b.Revision, b.Error)
	}
	return nil
}
