package transfer

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

// A ledger remembers what must be known of each stream, however many there are:
// in memory those of which something was asked lately, and all of them in a
// file that nobody else sees and that is gone when the process is. SQLite puts
// it where SQLITE_TMPDIR or TMPDIR say, or else into /var/tmp or /tmp.
type ledger struct {
	mu       sync.Mutex
	db       *sql.DB
	get, put *sql.Stmt
	near     map[string]*nearCourse
	most     int // streams in near
}

// A course is how the events of a stream go.
type course struct {
	Met, Irregular bool   // the files have events of it; its revisions have gaps
	Next           uint64 // revision after the last in the files

	// Begun says that its events get other revisions in the target: Sent is the
	// next of those, Due what would be the next in the file, Begins the revision
	// of the file before which its metadata hides events, and Hidden their number.
	Begun                     bool
	Sent, Due, Begins, Hidden uint64

	Asked bool // Last is known, the last revision of the target
	Last  int64
}

type nearCourse struct {
	course
	changed bool
}

// nearStreams are some megabytes.
const nearStreams = 1 << 15

func newLedger(ctx context.Context) (*ledger, error) {
	db, err := sql.Open("sqlite", "") // a temporary file
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // each has a file of its own
	l := &ledger{db: db, near: map[string]*nearCourse{}, most: nearStreams}
	if err := l.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make a temporary file: %w", err), db.Close())
	}
	return l, nil
}

func (l *ledger) prepare(ctx context.Context) (err error) {
	_, err = l.db.ExecContext(ctx, `
		PRAGMA journal_mode = OFF;
		PRAGMA temp_store = FILE;
		PRAGMA cache_size = -16384;
		CREATE TABLE streams (name BLOB PRIMARY KEY, course BLOB NOT NULL) WITHOUT ROWID;
		CREATE TABLE tombstones (name BLOB PRIMARY KEY) WITHOUT ROWID;
		CREATE TABLE metadata (name BLOB PRIMARY KEY, id BLOB NOT NULL, type TEXT NOT NULL, content_type TEXT NOT NULL, data BLOB, extra BLOB) WITHOUT ROWID;`)
	if err != nil {
		return err
	}
	if l.get, err = l.db.PrepareContext(ctx, `SELECT course FROM streams WHERE name = ?`); err != nil {
		return err
	}
	l.put, err = l.db.PrepareContext(ctx, `INSERT INTO streams VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET course = excluded.course`)
	return err
}

func (l *ledger) close() { _ = l.db.Close() } // it is thrown away

// of answers the course of a stream.
func (l *ledger) of(ctx context.Context, stream string) (c course, err error) {
	err = l.change(ctx, stream, func(known *course) bool {
		c = *known
		return false
	})
	return c, err
}

// change lets f change a course, and says whether it did.
func (l *ledger) change(ctx context.Context, stream string, f func(*course) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx = whole(ctx)
	c := l.near[stream]
	if c == nil {
		var err error
		if c, err = l.fetch(ctx, stream); err != nil {
			return fmt.Errorf("remember %s: %w", stream, err)
		}
	}
	c.changed = f(&c.course) || c.changed
	return nil
}

// whole lets no question be cut off: the connection would be given up, and the
// file with it.
func whole(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func (l *ledger) fetch(ctx context.Context, stream string) (*nearCourse, error) {
	if len(l.near) >= l.most {
		if err := l.store(ctx); err != nil {
			return nil, err
		}
	}
	var stored []byte
	c := &nearCourse{}
	err := l.get.QueryRowContext(ctx, []byte(stream)).Scan(&stored)
	if err == nil {
		err = binary.Read(bytes.NewReader(stored), binary.LittleEndian, &c.course)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	l.near[stream] = c
	return c, nil
}

// store forgets what is near, when it is in the file.
func (l *ledger) store(ctx context.Context) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	put := tx.StmtContext(ctx, l.put)
	for _, stream := range slices.Sorted(maps.Keys(l.near)) { // neighbours in the file
		c := l.near[stream]
		if !c.changed {
			continue
		}
		stored, err := binary.Append(nil, binary.LittleEndian, &c.course)
		if err == nil {
			_, err = put.ExecContext(ctx, []byte(stream), stored)
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	clear(l.near)
	return tx.Commit()
}
