package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// anyOf is the expression for exactly one of these names.
func anyOf(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// group is one persistent subscription at the server.
type group struct {
	GroupConfig
	source string // its stream; empty is the whole log

	// before is the last event that was there when a group of the log was made at
	// its end. The server begins with it: a position names an event, and there is
	// none for what is yet to come.
	before Position
}

// prepare makes the group, or gives it the settings of the configuration where it
// has others: a change drops everybody who is subscribed.
func (g *group) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.Client.config.Timeout)
	defer cancel()
	err := g.create(ctx)
	if code(err) != esdb.ErrorCodeResourceAlreadyExists {
		return err
	}
	info, err := g.info(ctx)
	if err != nil {
		return err
	}
	if at, ok := info.Settings.StartFrom.(*esdb.Position); ok && g.FromEnd {
		g.before = Position(at.Commit)
	}
	if settings := g.changed(info.Settings); settings != nil {
		return g.update(ctx, settings)
	}
	return nil
}

// code is how the client library calls an error.
func code(err error) esdb.ErrorCode {
	if e, ok := errors.AsType[*esdb.Error](err); ok {
		return e.Code()
	}
	return esdb.ErrorCodeUnknown
}

// missing tells that there is no such group. The client library says so in its
// words for some calls, and in those of the protocol for others.
func missing(err error) bool {
	return code(err) == esdb.ErrorCodeResourceNotFound || status.Code(err) == codes.NotFound
}

// ask calls the client on a connection for calls.
func ask[T any](ctx context.Context, c *Client, f func(*esdb.Client) (T, error)) (T, error) {
	s, err := c.calls.acquire(ctx, true)
	if err != nil {
		var none T
		return none, err
	}
	return call(ctx, s, f)
}

func (g *group) do(ctx context.Context, f func(*esdb.Client) error) error {
	_, err := ask(ctx, g.Client, func(c *esdb.Client) (struct{}, error) { return struct{}{}, f(c) })
	return err
}

func (g *group) create(ctx context.Context) error {
	if g.source == "" {
		start := esdb.AllPosition(esdb.Start{})
		if g.FromEnd {
			end, err := g.Client.end(ctx)
			if err != nil {
				return err
			}
			g.before, start = end, esdb.Position{Commit: uint64(end), Prepare: uint64(end)}
		}
		return g.do(ctx, func(c *esdb.Client) error {
			return c.CreatePersistentSubscriptionToAll(ctx, g.Name, esdb.PersistentAllSubscriptionOptions{
				Settings: g.settings(), StartFrom: start, Filter: g.filter(), MaxSearchWindow: searchWindow,
			})
		})
	}
	start := esdb.StreamPosition(esdb.Start{})
	if g.FromEnd {
		next, err := g.next(ctx)
		if err != nil {
			return err
		}
		start = esdb.Revision(next)
	}
	return g.do(ctx, func(c *esdb.Client) error {
		return c.CreatePersistentSubscription(ctx, g.source, g.Name, esdb.PersistentStreamSubscriptionOptions{
			Settings: g.settings(), StartFrom: start,
		})
	})
}

// next is the revision behind the last one of the stream.
func (g *group) next(ctx context.Context) (uint64, error) {
	return ask(ctx, g.Client, func(c *esdb.Client) (uint64, error) {
		events, err := c.ReadStream(ctx, g.source, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
		if err != nil {
			return 0, err
		}
		defer events.Close()
		last, err := events.Recv()
		if errors.Is(err, io.EOF) || code(err) == esdb.ErrorCodeResourceNotFound {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return last.OriginalEvent().EventNumber + 1, nil
	})
}

func (g *group) info(ctx context.Context) (*esdb.PersistentSubscriptionInfo, error) {
	info, err := ask(ctx, g.Client, func(c *esdb.Client) (*esdb.PersistentSubscriptionInfo, error) {
		if g.source == "" {
			return c.GetPersistentSubscriptionInfoToAll(ctx, g.Name, esdb.GetPersistentSubscriptionOptions{})
		}
		return c.GetPersistentSubscriptionInfo(ctx, g.source, g.Name, esdb.GetPersistentSubscriptionOptions{})
	})
	if err == nil && info.Settings == nil {
		err = fmt.Errorf("the store does not tell the settings of group %s", g.Name)
	}
	return info, err
}

// changed is nil where the group has the settings already. Where it began stays
// as it is.
func (g *group) changed(have *esdb.PersistentSubscriptionSettings) *esdb.PersistentSubscriptionSettings {
	want := g.settings()
	if have.ConsumerStrategyName == want.ConsumerStrategyName && have.MessageTimeout == want.MessageTimeout &&
		have.MaxRetryCount == want.MaxRetryCount && have.CheckpointAfter == want.CheckpointAfter {
		return nil
	}
	want.StartFrom = have.StartFrom
	return want
}

func (g *group) update(ctx context.Context, settings *esdb.PersistentSubscriptionSettings) error {
	if g.source == "" {
		start := esdb.AllPosition(esdb.Start{})
		switch at := settings.StartFrom.(type) { // as the client library reads it
		case *esdb.Position:
			start = *at
		case esdb.End:
			start = at
		}
		return g.do(ctx, func(c *esdb.Client) error {
			return c.UpdatePersistentSubscriptionToAll(ctx, g.Name, esdb.PersistentAllSubscriptionOptions{Settings: settings, StartFrom: start})
		})
	}
	start := esdb.StreamPosition(esdb.Start{})
	switch at := settings.StartFrom.(type) {
	case esdb.StreamRevision:
		start = at
	case esdb.End:
		start = at
	}
	return g.do(ctx, func(c *esdb.Client) error {
		return c.UpdatePersistentSubscription(ctx, g.source, g.Name, esdb.PersistentStreamSubscriptionOptions{Settings: settings, StartFrom: start})
	})
}
