package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// An Export writes a database's log to a file.
type Export struct {
	From Database
	File string // must not be there; until it is complete it is FILE.partial
	// After is the file of an earlier export, of which this one is the
	// continuation: it has only what was recorded since. Empty is everything.
	After    string
	Prefix   string // of the streams to export; empty is all
	Now      func() time.Time
	Progress Progress // may be nil; its parts are those of the log
}

// Exported is what an export has written.
type Exported struct {
	File    string `json:"file"`
	Events  uint64 `json:"events"`
	Bytes   uint64 `json:"bytes"`             // of the file
	Resumed uint64 `json:"resumed,omitempty"` // events that an interrupted export had written already
	End     *End   `json:"end"`
}

const partialSuffix = ".partial"

// Run exports the log up to where it ends when Run begins. An interrupted
// export goes on when it is run again.
func (e *Export) Run(ctx context.Context) (*Exported, error) {
	done, err := e.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("export to %s: %w", e.File, err)
	}
	return done, nil
}

func (e *Export) run(ctx context.Context) (done *Exported, err error) {
	if _, err := os.Stat(e.File); !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(errors.New("the file is there already: name another one"), err)
	}
	if err := e.From.open(); err != nil {
		return nil, err
	}
	defer e.From.close()
	x := &exporting{Export: e, end: &End{}}
	if x.file, err = os.OpenFile(e.File+partialSuffix, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.file.Close()) }()
	if err := x.begin(ctx); err != nil {
		return nil, err
	}
	if err := x.copy(ctx); err != nil {
		return nil, errors.Join(err, x.out.flush())
	}
	if err := x.out.end(x.end); err != nil {
		return nil, err
	}
	if err := x.file.Sync(); err != nil {
		return nil, err
	}
	if err := os.Rename(e.File+partialSuffix, e.File); err != nil {
		return nil, err
	}
	done = &Exported{File: e.File, Events: x.end.Events, Bytes: uint64(x.whole) + x.out.written, Resumed: x.resumed, End: x.end}
	return done, syncFolder(e.File)
}

func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// exporting is an export that has got as far as end says.
type exporting struct {
	*Export
	file    *os.File
	out     *writer
	header  *Header
	end     *End
	whole   int64 // bytes that were there before
	resumed uint64
}

// begin continues the file that an interrupted export has left, or begins it.
func (x *exporting) begin(ctx context.Context) error {
	if err := x.resume(); err != nil {
		return err
	}
	after, err := x.after()
	if err != nil {
		return err
	}
	if x.header != nil {
		if x.header.Prefix != x.Prefix || !sameEnd(x.header.After, after) {
			return fmt.Errorf("%s%s is of an export of something else: repeat that one, or remove the file", x.File, partialSuffix)
		}
		return x.sameLog(ctx)
	}
	return x.beginAnew(ctx, after)
}

func (x *exporting) beginAnew(ctx context.Context, after *End) error {
	x.header = &Header{Format: fileFormat, Source: withoutCredentials(x.From.ConnectionString), Begun: x.Now().UTC(), After: after, Prefix: x.Prefix}
	if after != nil {
		x.end.Commit, x.end.Prepare, x.end.ID = after.Commit, after.Prepare, after.ID
	}
	if err := x.sameLog(ctx); err != nil {
		return err
	}
	return x.out.add(&line{Header: x.header})
}

// resume reads the file as far as it is whole and forgets the rest.
func (x *exporting) resume() error {
	in, err := newReader(x.file)
	if err != nil {
		return err
	}
	defer in.close()
	w := walk{
		header: func(h *Header) error {
			if x.header = h; h.After != nil {
				x.end.Commit, x.end.Prepare, x.end.ID = h.After.Commit, h.After.Prepare, h.After.ID
			}
			return nil
		},
		event: func(e *Event) error {
			x.end.Events++
			x.end.Commit, x.end.Prepare, x.end.ID = e.Commit, e.Prepare, e.ID
			return nil
		},
	}
	_, err = w.run(in)
	switch {
	case err == nil: // complete but for its name: the end is written again
		err = in.back()
	case errors.Is(err, ErrIncomplete), errors.Is(err, ErrDamaged):
		err = nil // what is whole is kept
	}
	if err != nil {
		return err
	}
	x.whole, x.resumed = in.whole, x.end.Events
	if err := x.file.Truncate(in.whole); err != nil {
		return err
	}
	if _, err := x.file.Seek(in.whole, io.SeekStart); err != nil {
		return err
	}
	if x.out, err = newWriter(x.file); err != nil {
		return err
	}
	x.out.hash = in.hash
	return nil
}

// after is the end of the file before.
func (x *exporting) after() (*End, error) {
	if x.After == "" {
		return nil, nil
	}
	return walkFile(x.After, walk{header: func(h *Header) error {
		if h.Prefix != x.Prefix {
			return fmt.Errorf("it has the streams that begin with %q, not with %q", h.Prefix, x.Prefix)
		}
		return nil
	}})
}

func sameEnd(a, b *End) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func withoutCredentials(connection string) string {
	u, err := url.Parse(connection)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// sameLog refuses to continue with another log than the one that the file is
// of: the event it ends with must not be another one there.
func (x *exporting) sameLog(ctx context.Context) error {
	if x.end.ID == uuid.Nil {
		return nil
	}
	events, err := x.read(ctx, esdb.Position{Commit: x.end.Commit, Prepare: x.end.Prepare}, 1)
	if err != nil {
		return err
	}
	if len(events) == 0 || events[0].Commit == x.end.Commit && events[0].ID != x.end.ID {
		return fmt.Errorf("at position %d the log of %s has another event than the one already exported: it is another log, or an older backup of it was restored",
			x.end.Commit, withoutCredentials(x.From.ConnectionString))
	}
	return nil
}
