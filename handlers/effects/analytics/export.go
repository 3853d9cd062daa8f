package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/waybill-dev/waybill/eventstore"
)

// Feed hands over events in order; [eventstore.Feed] is one.
type Feed interface {
	Next(ctx context.Context) (eventstore.Page, error)
}

// Exporter writes events to Parquet files: one folder a day (UTC, of the
// event), named day=2026-03-14 as Hive and DuckDB expect, and in it files named
// by the positions of their first and last event. One process writes.
//
// A file gets its name when it is whole and on the disk, and its name says how
// far the export is: so there is nothing else to remember, and no moment at
// which an event is in two files or in none.
type Exporter struct {
	Dir    string
	Feed   func(from eventstore.Position) Feed
	Logger *slog.Logger
	// MaxEvents and MaxAge end a file: at so many events, or so long after its
	// first one was taken. 0 is 50,000 and 5 minutes.
	MaxEvents int
	MaxAge    time.Duration
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error
}

// Run exports until the context ends.
func (x *Exporter) Run(ctx context.Context) error {
	const events, age = 50_000, 5 * time.Minute
	if x.MaxEvents == 0 {
		x.MaxEvents = events
	}
	if x.MaxAge == 0 {
		x.MaxAge = age
	}
	from, err := x.resume()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pages, failed := make(chan eventstore.Page), make(chan error, 1)
	feed := x.Feed(from)
	go func() {
		for {
			page, err := feed.Next(ctx)
			if err != nil {
				failed <- err
				return
			}
			select {
			case pages <- page:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	}()
	err = x.take(ctx, pages, failed, from)
	stop()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// take collects pages into files. What is not written yet when it ends comes
// again at the next start.
func (x *Exporter) take(ctx context.Context, pages <-chan eventstore.Page, failed <-chan error, done eventstore.Position) error {
	var rows []Row
	var age <-chan time.Time
	flush := func() error {
		err := x.write(rows)
		rows, age = nil, nil
		return err
	}
	for {
		select {
		case page := <-pages:
			for _, e := range page.Events {
				if e.Position <= done { // it is in a file already
					continue
				}
				done = e.Position
				row := RowOf(e)
				if len(rows) > 0 && (day(rows[0]) != day(row) || len(rows) >= x.MaxEvents) {
					if err := flush(); err != nil {
						return err
					}
				}
				if len(rows) == 0 {
					age = time.After(x.MaxAge)
				}
				rows = append(rows, row)
			}
		case <-age:
			if err := flush(); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func day(r Row) string { return r.RecordedAt.Format(time.DateOnly) }

// write makes one file of rows of one day.
func (x *Exporter) write(rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	folder := filepath.Join(x.Dir, "day="+day(rows[0]))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("make the folder of a day: %w", err)
	}
	path := filepath.Join(folder, fmt.Sprintf("%020d-%020d.parquet", rows[0].Position, rows[len(rows)-1].Position))
	if err := x.writeWhole(path+unfinished, rows); err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	if err := x.fault("written"); err != nil {
		return err
	}
	if err := os.Rename(path+unfinished, path); err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	if err := x.fault("renamed"); err != nil {
		return err
	}
	if err := errors.Join(syncFolder(folder), syncFolder(x.Dir)); err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	x.Logger.Debug("events exported", "file", path, "events", len(rows))
	return x.fault("done")
}

// unfinished is what the name of a file ends in that is not whole.
const unfinished = ".tmp"

func (x *Exporter) writeWhole(path string, rows []Row) (err error) {
	file, err := os.Create(path) //nolint:gosec // a path of the operator's
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := parquet.NewGenericWriter[Row](file, parquet.Compression(&parquet.Zstd))
	half := len(rows) / 2 //nolint:mnd // a test stops between two writes
	if _, err := w.Write(rows[:half]); err != nil {
		return err
	}
	if err := x.fault("half"); err != nil {
		return err
	}
	if _, err := w.Write(rows[half:]); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return file.Sync()
}

func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // a path of the operator's
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

var finished = regexp.MustCompile(`^[0-9]{20}-([0-9]{20})\.parquet$`)

// resume removes what was not finished and returns the position of the last
// event that is in a file.
func (x *Exporter) resume() (last eventstore.Position, err error) {
	days, err := filepath.Glob(filepath.Join(x.Dir, "day=*"))
	if err != nil {
		return 0, err
	}
	for _, folder := range days {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return 0, fmt.Errorf("look how far the export is: %w", err)
		}
		for _, entry := range entries {
			if filepath.Ext(entry.Name()) == unfinished {
				if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil {
					return 0, fmt.Errorf("remove what was not finished: %w", err)
				}
				continue
			}
			if parts := finished.FindStringSubmatch(entry.Name()); parts != nil {
				position, err := strconv.ParseUint(parts[1], 10, 64)
				if err != nil {
					return 0, fmt.Errorf("read the name %s: %w", entry.Name(), err)
				}
				last = max(last, eventstore.Position(position))
			}
		}
	}
	return last, nil
}

func (x *Exporter) fault(step string) error {
	if x.Fault == nil {
		return nil
	}
	return x.Fault(step)
}
