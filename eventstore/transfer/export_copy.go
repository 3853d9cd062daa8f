package transfer

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

const (
	pageEvents = 2000
	pageBytes  = 8 << 20
)

// copy writes all that is behind x.end, up to where the log ends now.
func (x *exporting) copy(ctx context.Context) error {
	last, err := x.last(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := make(chan []*Event, 1)
	var readErr error
	go func() {
		defer close(pages)
		readErr = x.pages(ctx, last, pages)
	}()
	for page := range pages {
		if err := x.write(page); err != nil {
			cancel()
			for range pages { // until the reader has noticed
			}
			return err
		}
		x.Progress.advance(StageExport, x.end.Commit, last)
	}
	return readErr
}

// last is the position of the last event of the log.
func (x *exporting) last(ctx context.Context) (uint64, error) {
	return ask(ctx, &x.From, func(ctx context.Context, c *esdb.Client) (uint64, error) {
		events, err := readPage(ctx, c, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
		if err != nil || len(events) == 0 {
			return 0, err
		}
		return events[0].Commit, nil
	})
}

// pages reads ahead by a page, while the one before is written.
func (x *exporting) pages(ctx context.Context, last uint64, pages chan<- []*Event) error {
	at := esdb.Position{Commit: x.end.Commit, Prepare: x.end.Prepare}
	seen := x.end.ID
	for at.Commit < last {
		page, err := x.read(ctx, at, pageEvents)
		if err != nil {
			return err
		}
		// The page begins with the event before.
		if len(page) > 0 && seen != uuid.Nil && page[0].Commit == at.Commit {
			page = page[1:]
		}
		if len(page) == 0 {
			return nil
		}
		end := page[len(page)-1]
		at, seen = end.position(), end.ID
		for len(page) > 0 && page[len(page)-1].Commit > last {
			page = page[:len(page)-1]
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (x *exporting) read(ctx context.Context, from esdb.Position, count uint64) ([]*Event, error) {
	options := esdb.ReadAllOptions{Direction: esdb.Forwards, From: from}
	if from == (esdb.Position{}) {
		options.From = esdb.Start{}
	}
	return ask(ctx, &x.From, func(ctx context.Context, c *esdb.Client) ([]*Event, error) {
		return readPage(ctx, c, options, count)
	})
}

// readPage stops before count where the events are large, but never with the
// first: that one is known already.
func readPage(ctx context.Context, c *esdb.Client, options esdb.ReadAllOptions, count uint64) (page []*Event, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stream, err := c.ReadAll(ctx, options, min(count, math.MaxInt64))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for bytes := 0; bytes < pageBytes || len(page) < 2; {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return page, nil
		}
		if err != nil {
			return nil, err
		}
		event := eventOf(e.OriginalEvent())
		page = append(page, event)
		bytes += event.size()
	}
	return page, nil
}

func (x *exporting) write(page []*Event) error {
	for _, e := range page {
		if !strings.HasPrefix(strings.TrimPrefix(e.Stream, metadataPrefix), x.Prefix) {
			continue
		}
		if err := x.out.add(&line{Event: e}); err != nil {
			return err
		}
		x.end.Events++
		x.end.Commit, x.end.Prepare, x.end.ID = e.Commit, e.Prepare, e.ID
	}
	return nil
}
