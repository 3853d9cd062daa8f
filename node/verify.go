package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// Progress is how far a long piece of work has got. Done and Total are of the
// stage, in whatever it counts.
type Progress struct {
	Stage       string
	Done, Total uint64
}

// A Verification says how a store is verified.
type Verification struct {
	Limit    int            // problems that are described, at most; default 100
	Progress func(Progress) // may be nil; called from more than one goroutine, one at a time
}

// A Problem is one thing that is wrong with a store.
type Problem struct {
	Kind   string `json:"kind"`   // file, store, record, gap, append, index, revision, link, head or metadata
	Where  string `json:"where"`  // a file, a stream, or a position in the log
	Detail string `json:"detail"` // what is wrong there
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Kind, p.Where, p.Detail) }

// A Report is what a verification has found. The counts are of what could be
// read.
type Report struct {
	ID       uuid.UUID `json:"id"`
	End      uint64    `json:"end"` // where the next record will be
	Files    int       `json:"files"`
	Bytes    uint64    `json:"bytes"` // of the files
	Records  uint64    `json:"records"`
	Indexed  uint64    `json:"indexed"` // entries of the index of streams
	Streams  uint64    `json:"streams"`
	Problems []Problem `json:"problems"`
	// More is how many problems were found that are not described; there may be
	// others that were not looked for any more.
	More int `json:"more,omitempty"`
	// Partial says that something could not be looked at because of problems.
	Partial bool `json:"partial,omitempty"`
}

// OK says that nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 && r.More == 0 && !r.Partial }

// Verify checks every file, record and index of the store as it is when Verify
// begins, beside readers and writers. What is wrong is in the report; the error
// says why it could not be looked for.
func (n *Node) Verify(ctx context.Context, v Verification) (*Report, error) {
	ctx, done := n.whileOpen(ctx)
	defer done()
	var report *Report
	err := n.reading(func() (err error) {
		snapshot := n.db.NewSnapshot()
		defer func() { err = errors.Join(err, snapshot.Close()) }()
		c := newChecker(n.db, snapshot, n.fs, n.cfg.Dir, v)
		c.serving = true
		report, err = c.run(ctx)
		return err
	})
	return report, unlessClosed(ctx, err)
}

// VerifyDir checks the store in cfg.Dir, which nobody may serve meanwhile, and
// changes nothing there: it may be on a read-only medium. See [Node.Verify].
func VerifyDir(ctx context.Context, cfg Config, v Verification) (report *Report, err error) {
	cfg.setDefaults()
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if _, err := cfg.FS.Stat(cfg.Dir); err != nil {
		return nil, fmt.Errorf("verify the event store: %w", err)
	}
	files, lock, err := lockToRead(cfg.FS, cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if err := mustBeWhole(cfg.FS, cfg.Dir); err != nil {
		return nil, fmt.Errorf("verify %s: %w", cfg.Dir, err)
	}
	if err := mustHaveList(cfg.FS, cfg.Dir); err != nil {
		return &Report{Partial: true, Problems: []Problem{{"file", cfg.Dir, firstLine(err)}}}, nil
	}
	cache := pebble.NewCache(cfg.CacheBytes)
	defer cache.Unref()
	db, err := openReadOnly(&cfg, files, lock, cache)
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return nil, fmt.Errorf("there is no event store in %s", cfg.Dir)
	}
	if err != nil {
		return &Report{Partial: true, Problems: []Problem{{"file", cfg.Dir, "cannot be opened: " + firstLine(err)}}}, nil
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return newChecker(db, db, cfg.FS, cfg.Dir, v).run(ctx)
}

// openReadOnly turns a panic of the library over files it does not understand
// into an error.
func openReadOnly(cfg *Config, files vfs.FS, lock *directoryLock, cache *pebble.Cache) (db *pebble.DB, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("open the files: %v", cause)
		}
	}()
	return pebble.Open(cfg.Dir, &pebble.Options{
		FS: files, Lock: lock.pebble, Cache: cache, MemTableSize: cfg.MemTableBytes,
		ReadOnly: true, ErrorIfNotExists: true, Logger: silence{},
		EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}, // the reads say so, too
	})
}

// silence is for a library whose errors all come back.
type silence struct{}

func (silence) Infof(string, ...any)  {}
func (silence) Errorf(string, ...any) {}
func (silence) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// A checker goes through a store: the files as such; the heads; then the index
// of streams and the log, which must say the same of the same records. What
// they say is compared by sums, so that neither has to be kept or looked up.
type checker struct {
	db      *pebble.DB
	reader  pebble.Reader // sees the same for as long as the checker works
	fs      vfs.FS
	dir     string
	serving bool // whether db belongs to a node at work

	broken    [][]byte // the last keys of files that are damaged
	nextID    uint64
	scavenged uint64 // records before it may have been removed
	linkedTo  uint64 // records before it are in the index of categories and types
	seed      maphash.Seed
	names     names
	highest   givenID
	heads     sums // of what heads say, and of what the index says of the same
	records   sums // of what the log says, and of what the index says of the same
	links     sums // that the log wants, and that there are

	limit    int
	progress func(Progress)
	mu       sync.Mutex // guards report and calls of progress
	report   *Report
}

func newChecker(db *pebble.DB, reader pebble.Reader, fs vfs.FS, dir string, v Verification) *checker {
	const limit = 100
	setDefault(&v.Limit, limit)
	if v.Progress == nil {
		v.Progress = func(Progress) {}
	}
	return &checker{
		db: db, reader: reader, fs: fs, dir: dir,
		seed: maphash.MakeSeed(), names: names{}, limit: v.Limit, progress: v.Progress, report: &Report{Problems: []Problem{}},
	}
}

func (c *checker) run(ctx context.Context) (*Report, error) {
	if err := c.checkFiles(ctx); err != nil {
		return nil, err
	}
	// A node that reads a broken file takes no more writes. It will meet the
	// file sooner or later, but not because it was asked whether all is well.
	if c.serving && !c.report.OK() {
		c.report.Partial = true
		return c.report, nil
	}
	if err := c.checkStore(); err != nil {
		return nil, err
	}
	if err := c.checkContents(ctx); err != nil {
		return nil, err
	}
	if err := c.checkMark(); err != nil {
		return nil, err
	}
	if c.report.Partial {
		return c.report, nil // what is missing on one side is only not readable
	}
	return c.report, c.compare(ctx)
}

func (c *checker) checkContents(ctx context.Context) error {
	if err := c.checkHeads(ctx); err != nil {
		return err
	}
	return errors.Join(together(
		func() error { return errors.Join(c.checkIndex(ctx), c.checkLinks(ctx)) },
		func() error { return c.checkLog(ctx) },
	)...)
}

func together(all ...func() error) []error {
	errs := make([]error, len(all))
	var working sync.WaitGroup
	for i, f := range all {
		working.Go(func() { errs[i] = f() })
	}
	working.Wait()
	return errs
}

func (c *checker) problem(kind, where, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.report.Problems) >= c.limit {
		c.report.More++
		return
	}
	c.report.Problems = append(c.report.Problems, Problem{kind, where, fmt.Sprintf(format, args...)})
}

// full says that no more problems will be described.
func (c *checker) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.report.Problems) >= c.limit
}

func (c *checker) partial() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Partial = true
}

func (c *checker) advance(stage string, done, total uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress(Progress{Stage: stage, Done: done, Total: total})
}

// often is after how many keys a walk looks around.
const often = 1 << 14

// walk calls visit for each pair in the bounds. A part that cannot be read is
// left out, which makes the report a partial one.
func (c *checker) walk(ctx context.Context, lower, upper []byte, visit func(key, value []byte)) error {
	for lower != nil {
		reached, cause, err := c.stretch(ctx, lower, upper, visit)
		if err != nil || cause == nil {
			return err
		}
		lower = c.behind(lower, reached, cause)
	}
	return nil
}

// stretch goes on until the end or until the cause why it cannot.
func (c *checker) stretch(ctx context.Context, lower, upper []byte, visit func(key, value []byte)) (reached []byte, cause, err error) {
	it, err := c.reader.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, nil, err
	}
	defer it.Close()
	reached = append(reached, lower...)
	seen := 0
	for ok := it.First(); ok; ok = it.Next() {
		if seen++; seen%often == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return reached, err, nil
		}
		if seen > 1 && bytes.Compare(it.Key(), reached) <= 0 {
			c.problem("file", c.dir, "key %x comes after %x", it.Key(), reached)
		}
		reached = append(reached[:0], it.Key()...)
		visit(it.Key(), value)
	}
	return reached, it.Error(), nil
}

// behind is where to go on: after the broken file that ends first. It is nil
// when none is known to be broken.
func (c *checker) behind(lower, reached []byte, cause error) []byte {
	c.partial()
	var next []byte
	for _, largest := range c.broken {
		if bytes.Compare(largest, reached) >= 0 && (next == nil || bytes.Compare(largest, next) < 0) {
			next = largest
		}
	}
	if next == nil || bytes.Compare(next, lower) < 0 {
		c.problem("file", c.dir, "nothing behind key %x can be read: %s", reached, firstLine(cause))
		return nil
	}
	return append(bytes.Clone(next), 0)
}
