package eventstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Before returns a position after which everything is that was recorded at a
// time or later, to begin a feed From: 0 where that is everything. It is found
// by halving the log, in some thirty reads of one event each, for the log is in
// the order of time. As far as the server's clock was once set back, events of
// that stretch may be on either side.
//
// A cluster refuses positions between events. There the log is read up to the
// time, once: the client remembers places on the way and goes on from them.
func (c *Client) Before(ctx context.Context, at time.Time) (Position, error) {
	s := search{client: c, at: at}
	before, err := s.run(ctx)
	if err != nil {
		return 0, fmt.Errorf("look for what was recorded at %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	return before, nil
}

// spot is an event of the log: where it is and when it was recorded.
type spot struct {
	position Position
	created  time.Time
}

// search looks for the last event before a time.
type search struct {
	client *Client
	at     time.Time
}

func (s *search) run(ctx context.Context) (Position, error) {
	end, ok, err := s.client.spotAt(ctx, esdb.Backwards, esdb.End{})
	switch {
	case err != nil || !ok:
		return 0, err
	case end.created.Before(s.at):
		return end.position, nil
	}
	low, found := s.client.spots.before(s.at)
	before, err := s.halve(ctx, low.position, end.position)
	if isFault(err, faultOther) { // no place to begin to read
		return s.scan(ctx, low, found)
	}
	return before, err
}

// halve looks between two positions: that of an event before the time, or 0,
// and that of one which is not before it.
func (s *search) halve(ctx context.Context, low, high Position) (Position, error) {
	for low+1 < high {
		middle := low + (high-low)/2
		next, ok, err := s.client.spotAt(ctx, esdb.Forwards, esdb.Position{Commit: uint64(middle), Prepare: uint64(middle)})
		switch {
		case err != nil:
			return 0, err
		case ok && next.position < high && next.created.Before(s.at):
			low = next.position
		default: // nothing from the middle on is before the time
			high = middle
		}
	}
	return low, nil
}

// scan reads on from the last known event before the time.
func (s *search) scan(ctx context.Context, from spot, found bool) (Position, error) {
	for {
		page, err := s.client.spotsAfter(ctx, from.position, found)
		if err != nil {
			return 0, err
		}
		for _, next := range page {
			if !next.created.Before(s.at) {
				return s.found(from), nil
			}
			from, found = next, true
		}
		if len(page) == 0 {
			return s.found(from), nil
		}
		s.client.spots.note(from)
	}
}

func (s *search) found(last spot) Position {
	if last.position > 0 {
		s.client.spots.note(last)
	}
	return last.position
}

// spotAt returns the event at a place of the log, or the next one in a
// direction, and whether there is one.
func (c *Client) spotAt(ctx context.Context, direction esdb.Direction, from esdb.AllPosition) (spot, bool, error) {
	list, err := c.readSpots(ctx, esdb.ReadAllOptions{Direction: direction, From: from}, 1)
	if err != nil || len(list) == 0 {
		return spot{}, false, err
	}
	return list[0], true, nil
}

const spotsOfPage = 4096

// spotsAfter returns the next events of the log, none at its end.
func (c *Client) spotsAfter(ctx context.Context, position Position, skip bool) ([]spot, error) {
	options := esdb.ReadAllOptions{From: esdb.Start{}}
	if skip {
		options.From = esdb.Position{Commit: uint64(position), Prepare: uint64(position)}
	}
	list, err := c.readSpots(ctx, options, spotsOfPage)
	return slices.DeleteFunc(list, func(one spot) bool { return skip && one.position <= position }), err
}

// readSpots reads a piece of the log, again where a connection broke.
func (c *Client) readSpots(ctx context.Context, options esdb.ReadAllOptions, count uint64) (list []spot, err error) {
	retry := c.config.backoff()
	for failures := 0; ; failures++ {
		list, err = c.readSpotsOnce(ctx, options, count)
		if !isFault(err, faultLost, faultUnsent, faultBusy, faultAborted) || failures == maxReads || !sleep(ctx, retry.next()) {
			return list, err
		}
	}
}

func (c *Client) readSpotsOnce(ctx context.Context, options esdb.ReadAllOptions, count uint64) ([]spot, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	s, err := c.calls.acquire(ctx, false)
	if err != nil {
		return nil, err
	}
	return call(ctx, s, func(client *esdb.Client) ([]spot, error) {
		events, err := client.ReadAll(ctx, options, count)
		if err != nil {
			return nil, err
		}
		defer events.Close()
		var list []spot
		for {
			event, err := events.Recv()
			if errors.Is(err, io.EOF) {
				return list, nil
			}
			if err != nil {
				return nil, err
			}
			r := event.OriginalEvent()
			list = append(list, spot{Position(r.Position.Commit), r.CreatedDate})
		}
	})
}

// spots are places of the log a client has come by while it looked for others,
// in their order.
type spots struct {
	mu   sync.Mutex
	list []spot
}

const mostSpots = 1 << 16 // of a page each: a quarter of a billion events

func (s *spots) note(one spot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := slices.BinarySearchFunc(s.list, one.position, func(a spot, at Position) int { return cmp.Compare(a.position, at) })
	if !found && len(s.list) < mostSpots {
		s.list = slices.Insert(s.list, i, one)
	}
}

// before returns the last known event before a time.
func (s *spots) before(at time.Time) (spot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range slices.Backward(s.list) {
		if one.created.Before(at) {
			return one, true
		}
	}
	return spot{}, false
}
