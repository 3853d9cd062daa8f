package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Parked is an event that a group put aside.
type Parked struct {
	Number Revision // in the group's parked stream; grows, with gaps
	At     time.Time
	Reason string // as [Park] was given it, or the store's own

	Stream   string   // of the event
	Revision Revision // of the event
	Event    Recorded // zero when the event is no longer there
}

// parkedStream is where the store keeps what a group of the whole log put aside.
func parkedStream(group string) string { return "$persistentsubscription-$all::" + group + "-parked" }

// Parked yields what a group of the whole log has put aside and what was not
// replayed since, the oldest first, from a number on.
func (c *Client) Parked(ctx context.Context, group string, from Revision) iter.Seq2[Parked, error] {
	return func(yield func(Parked, error) bool) {
		for p, err := range c.ParkedLinks(ctx, group, from) {
			if err == nil {
				p.Event, err = c.at(ctx, p.Stream, p.Revision)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// ParkedLinks is [Client.Parked] without the events, which takes one read
// instead of one for each.
func (c *Client) ParkedLinks(ctx context.Context, group string, from Revision) iter.Seq2[Parked, error] {
	return func(yield func(Parked, error) bool) {
		for link, err := range c.ReadStream(ctx, parkedStream(group), from) {
			var p Parked
			if err == nil {
				p, err = parseParked(link)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// asked is what the store writes before the reason of a subscriber.
const asked = "Client explicitly NAK'ed message.\n"

func parseParked(link Recorded) (Parked, error) {
	var metadata struct {
		Added  time.Time `json:"added"`
		Reason string    `json:"reason"`
	}
	number, stream, ok := strings.Cut(string(link.Data), "@")
	revision, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || revision < 0 || stream == "" {
		return Parked{}, fmt.Errorf("event %d of %s is no link: %q", link.Revision, link.Stream, link.Data)
	}
	if len(link.RawMetadata) > 0 {
		if err := json.Unmarshal(link.RawMetadata, &metadata); err != nil {
			return Parked{}, fmt.Errorf("event %d of %s: %w", link.Revision, link.Stream, err)
		}
	}
	return Parked{
		Number: link.Revision, At: metadata.Added, Reason: strings.TrimPrefix(metadata.Reason, asked),
		Stream: stream, Revision: Revision(revision),
	}, nil
}

// at returns one event; zero when it is no longer there.
func (c *Client) at(ctx context.Context, stream string, revision Revision) (Recorded, error) {
	for r, err := range c.ReadStream(ctx, stream, revision) {
		if err != nil || r.Revision != revision {
			return Recorded{}, err
		}
		return r, nil
	}
	return Recorded{}, nil
}

// ReplayParked has a group of the whole log given again what it put aside, the
// oldest first, up to a number and without it; 0 is all. What fails again is put
// aside again.
func (c *Client) ReplayParked(ctx context.Context, group string, before Revision) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	_, err := ask(ctx, c, func(client *esdb.Client) (bool, error) {
		return true, client.ReplayParkedMessagesToAll(ctx, group, esdb.ReplayParkedMessagesOptions{StopAt: int(before)})
	})
	if err != nil {
		return fmt.Errorf("replay what group %s put aside: %w", group, err)
	}
	return nil
}

// GroupStatus is how far a group of the whole log is.
type GroupStatus struct {
	Subscribers int
	InFlight    int64    // given out and not answered
	Parked      int64    // put aside
	Checkpoint  Position // every event up to there is done or put aside
	End         Position // of the last event that concerns the group, as far as it knows
}

// GroupStatus asks the store. A group that does not exist has the zero status.
func (c *Client) GroupStatus(ctx context.Context, name string) (GroupStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	g := &group{GroupConfig: GroupConfig{Client: c, Name: name}}
	info, err := g.info(ctx)
	if missing(err) {
		return GroupStatus{}, nil
	}
	if err != nil {
		return GroupStatus{}, fmt.Errorf("ask for group %s: %w", name, err)
	}
	s := GroupStatus{Subscribers: len(info.Connections)}
	if stats := info.Stats; stats != nil {
		s.InFlight, s.Parked = stats.TotalInFlightMessages, stats.ParkedMessagesCount
		s.Checkpoint, s.End = positionOf(stats.LastCheckpointedPosition), positionOf(stats.LastKnownPosition)
	}
	return s, nil
}

func positionOf(p *esdb.Position) Position {
	if p == nil {
		return 0
	}
	return Position(p.Commit)
}
