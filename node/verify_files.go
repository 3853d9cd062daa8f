package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"
)

// checkFiles reads every block of every table against its checksum.
func (c *checker) checkFiles(ctx context.Context) error {
	levels, err := c.db.SSTables()
	if err != nil {
		return err
	}
	var tables []pebble.SSTableInfo
	seen := map[string]bool{}
	for _, level := range levels {
		for i := range level {
			if name := tableName(&level[i]); !seen[name] {
				seen[name] = true
				tables = append(tables, level[i])
				c.report.Bytes += level[i].Size
			}
		}
	}
	c.report.Files = len(tables)
	return c.checkTables(ctx, tables)
}

// checkMark compares where the log ends with where it ended when the store was
// closed. A list of tables that has lost its end looks whole otherwise.
func (c *checker) checkMark() error {
	mark, err := readMark(c.fs, c.dir)
	switch {
	case errors.Is(err, ErrDamaged):
		c.problem("file", markFile, "%s", firstLine(err))
		return nil
	case err != nil:
		return err
	case c.report.End < mark && !c.report.Partial:
		c.problem("file", markFile, "says that the log ended at %d when the store was closed, but it ends at %d: a file is missing or was cut", mark, c.report.End)
	}
	return nil
}

func tableName(t *pebble.SSTableInfo) string { return fmt.Sprintf("%s.sst", t.BackingSSTNum) }

func (c *checker) checkTables(ctx context.Context, tables []pebble.SSTableInfo) error {
	var done atomic.Uint64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range tables {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			name := tableName(&tables[i])
			err := c.checkTable(ctx, name)
			// A node at work has merged it with others meanwhile.
			if c.serving && errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			if err != nil {
				c.brokenTable(name, &tables[i], err)
			}
			c.advance("files", done.Add(tables[i].Size), c.report.Bytes)
			return nil
		})
	}
	return g.Wait()
}

func (c *checker) brokenTable(name string, t *pebble.SSTableInfo, cause error) {
	c.problem("file", name, "%s", firstLine(cause))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = append(c.broken, t.Largest.UserKey)
}

// checkTable does not read through the store, so that its cache keeps what
// others need. The library may panic over what it finds.
func (c *checker) checkTable(ctx context.Context, name string) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("read the file: %v", cause)
		}
	}()
	file, err := c.fs.Open(c.fs.PathJoin(c.dir, name), vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r, err := sstable.NewReader(ctx, readable, (&pebble.Options{Comparer: pebble.DefaultComparer, Merger: pebble.DefaultMerger}).MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}
