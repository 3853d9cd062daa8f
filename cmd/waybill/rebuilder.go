package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/projections"
)

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
