package projections

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// Comparison is what two versions of a read model have in common, both as they
// are at one position of the log.
type Comparison struct {
	With     string              `json:"with"` // the version that it was compared with
	Position eventstore.Position `json:"position"`
	Equal    bool                `json:"equal"`
	Tables   []TableComparison   `json:"tables"`
	// Blocked are streams with an event that only the new version cannot apply.
	Blocked []string `json:"blocked,omitempty"`
}

// TableComparison is what a table of two versions has in common.
type TableComparison struct {
	Table     string                `json:"table"`
	Rows      [2]int64              `json:"rows"`           // of the live version and of the new one, as all pairs
	Sums      map[string][2]float64 `json:"sums,omitempty"` // of each column of numbers
	Checksums [2]string             `json:"checksums"`      // of all rows, in whatever order they stand
	Different int64                 `json:"different"`      // rows that only one has, or that are not the same
	Examples  []Difference          `json:"examples,omitempty"`
	// OnlyLive and OnlyNew are columns that one of them has; the others are
	// compared. Both name the table itself where it is missing.
	OnlyLive []string `json:"only_live,omitempty"`
	OnlyNew  []string `json:"only_new,omitempty"`
}

// Equal reports whether every row is the same.
func (t TableComparison) Equal() bool {
	return t.Different == 0 && t.Rows[0] == t.Rows[1] && t.Checksums[0] == t.Checksums[1] && len(t.OnlyLive)+len(t.OnlyNew) == 0
}

// Difference is a row that is not the same in both versions.
type Difference struct {
	Key  map[string]string `json:"key"`
	Live map[string]string `json:"live,omitempty"` // the columns that differ; none where there is no such row
	New  map[string]string `json:"new,omitempty"`
}

// maxExamples is how many differences of a table are kept.
const maxExamples = 10

// ownTables are the runner's: they say how far a version is, not what is in it.
var ownTables = []string{"checkpoint", "blocked_streams", "leases", "late_indexes", "partitions", "workers", "barrier"}

// compare compares the target with the live version. The live one goes on
// meanwhile: what is compared is a snapshot of it, and the target stands still
// at the position of that.
func (f *filler) compare(ctx context.Context, m *Model) (*Comparison, error) {
	live := m.Live()
	before, position, err := live.levelSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = before.Rollback() }() // it only read
	if err := f.to(ctx, position); err != nil {
		return nil, err
	}
	after, err := f.target.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = after.Rollback() }() // it only read
	c := &Comparison{With: live.Version().String(), Position: position, Equal: true}
	if c.Tables, err = compareTables(ctx, [2]side{{live.db, before}, {f.target.db, after}}, f.set.yield); err != nil {
		return nil, err
	}
	if c.Blocked, err = newlyBlocked(ctx, before, after); err != nil {
		return nil, err
	}
	c.Equal = len(c.Blocked) == 0 && !slices.ContainsFunc(c.Tables, func(t TableComparison) bool { return !t.Equal() })
	return c, nil
}

// newlyBlocked lists the streams that only the second one cannot apply, or that
// it stopped at an earlier event of.
func newlyBlocked(ctx context.Context, live, next *sql.Tx) (names []string, err error) {
	known := map[string]int64{}
	for i, tx := range []*sql.Tx{live, next} {
		type blocked struct {
			stream   string
			revision int64
		}
		rows, err := tx.QueryContext(ctx, `SELECT stream, revision FROM blocked_streams ORDER BY stream`)
		list, err := rowsOf(rows, err, func(rows *sql.Rows) (b blocked, err error) { return b, rows.Scan(&b.stream, &b.revision) })
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if at, there := known[b.stream]; i == 1 && (!there || b.revision < at) {
				names = append(names, b.stream)
			} else if i == 0 {
				known[b.stream] = b.revision
			}
		}
	}
	return names[:min(len(names), maxExamples)], nil
}

// side is a version as it is compared.
type side struct {
	db *database.DB
	tx *sql.Tx
}

// tables are those of the projection, by name.
func (s side) tables(ctx context.Context) (map[string]database.Table, error) {
	list, err := s.db.Tables(ctx, s.tx)
	all := map[string]database.Table{}
	for _, t := range list {
		if !slices.Contains(ownTables, t.Name) {
			all[t.Name] = t
		}
	}
	return all, err
}

// yielding lets others work after work on some processors.
type yielding func(ctx context.Context, took time.Duration, processors int) error

func compareTables(ctx context.Context, sides [2]side, yield yielding) ([]TableComparison, error) {
	live, err := sides[0].tables(ctx)
	if err != nil {
		return nil, err
	}
	next, err := sides[1].tables(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range live {
		names[name] = true
	}
	for name := range next {
		names[name] = true
	}
	var all []TableComparison
	for _, name := range sorted(names) {
		a, inLive := live[name]
		b, inNext := next[name]
		t := TableComparison{Table: name}
		switch {
		case !inLive:
			t.OnlyNew = []string{name}
		case !inNext:
			t.OnlyLive = []string{name}
		default:
			c := newTableComparer(a, b)
			if err := c.run(ctx, sides, yield); err != nil {
				return nil, fmt.Errorf("table %s: %w", name, err)
			}
			t = c.result
		}
		all = append(all, t)
	}
	return all, nil
}

func sorted(names map[string]bool) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// tableComparer walks along two tables at once, in the order of their key: it
// needs no more memory for a million rows than for one.
type tableComparer struct {
	columns []string // those that both have, the key first
	key     int      // how many of them are the key; 0 where they have none, or not the same
	sums    [2][]float64
	numbers []bool
	hashes  [2]uint64
	result  TableComparison
}

func newTableComparer(live, next database.Table) *tableComparer {
	c := &tableComparer{result: TableComparison{Table: live.Name}}
	if slices.Equal(live.Key, next.Key) {
		c.columns, c.key = slices.Clone(live.Key), len(live.Key)
	}
	for _, column := range live.Columns {
		switch {
		case !slices.Contains(next.Columns, column):
			c.result.OnlyLive = append(c.result.OnlyLive, column)
		case !slices.Contains(c.columns, column):
			c.columns = append(c.columns, column)
		}
	}
	for _, column := range next.Columns {
		if !slices.Contains(live.Columns, column) {
			c.result.OnlyNew = append(c.result.OnlyNew, column)
		}
	}
	c.numbers = make([]bool, len(c.columns))
	c.sums = [2][]float64{make([]float64, len(c.columns)), make([]float64, len(c.columns))}
	return c
}

func (c *tableComparer) run(ctx context.Context, sides [2]side, yield yielding) (err error) {
	query := `SELECT ` + strings.Join(c.columns, ", ") + ` FROM ` + c.result.Table //nolint:gosec // names of our own tables and columns
	if c.key > 0 {
		query += ` ORDER BY ` + strings.Join(c.columns[:c.key], ", ")
	}
	var walks [2]*walk
	for i, s := range sides {
		rows, err := s.tx.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		walks[i] = newWalk(rows, len(c.columns))
		defer walks[i].close(&err)
	}
	began := time.Now() //nolint:forbidigo // how long work takes
	for n := 1; walks[0].ok || walks[1].ok; n++ {
		if err := errors.Join(walks[0].err, walks[1].err); err != nil {
			return err
		}
		c.step(walks)
		if n%yieldRows == 0 {
			if err := yield(ctx, time.Since(began), 1); err != nil {
				return err
			}
			began = time.Now() //nolint:forbidigo // as above
		}
	}
	if err := errors.Join(walks[0].err, walks[1].err); err != nil {
		return err
	}
	c.finish()
	return nil
}

// step compares the rows that come next, and passes over one or both.
func (c *tableComparer) step(walks [2]*walk) {
	order := 0
	switch {
	case !walks[1].ok:
		order = -1
	case !walks[0].ok:
		order = 1
	case c.key > 0:
		order = compareRows(walks[0].row[:c.key], walks[1].row[:c.key])
	}
	var sums [2]uint64
	for i, w := range walks {
		if i == 0 && order > 0 || i == 1 && order < 0 {
			continue
		}
		sums[i] = c.take(i, w.row)
	}
	switch {
	case c.key == 0:
	case order < 0:
		c.differs(walks[0].row, nil)
	case order > 0:
		c.differs(nil, walks[1].row)
	case sums[0] != sums[1]:
		c.differs(walks[0].row, walks[1].row)
	}
	if order <= 0 {
		walks[0].next()
	}
	if order >= 0 {
		walks[1].next()
	}
}

// take counts a row and returns its checksum.
func (c *tableComparer) take(i int, row []any) uint64 {
	hash := fnv.New64a()
	var buffer []byte
	for column, value := range row {
		buffer = appendValue(buffer[:0], value)
		_, _ = hash.Write(buffer) // never fails
		switch n := value.(type) {
		case int64:
			c.sums[i][column] += float64(n)
			c.numbers[column] = true
		case float64:
			c.sums[i][column] += n
			c.numbers[column] = true
		}
	}
	sum := hash.Sum64()
	c.hashes[i] += sum // whatever the order
	c.result.Rows[i]++
	return sum
}

// appendValue writes a value so that no two are written alike.
func appendValue(to []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(to, 'n', 0)
	case []byte:
		return append(append(fmt.Appendf(to, "b%d:", len(v)), v...), 0)
	case string:
		return append(append(fmt.Appendf(to, "s%d:", len(v)), v...), 0)
	default:
		return fmt.Appendf(to, "%T%v\x00", v, v)
	}
}

func (c *tableComparer) differs(live, next []any) {
	c.result.Different++
	if len(c.result.Examples) >= maxExamples {
		return
	}
	d := Difference{Key: map[string]string{}}
	row := live
	if row == nil {
		row = next
	}
	for i, column := range c.columns[:c.key] {
		d.Key[column] = shown(row[i])
	}
	for i := c.key; i < len(c.columns); i++ {
		if live != nil && next != nil && compareValues(live[i], next[i]) == 0 {
			continue
		}
		show(&d.Live, c.columns[i], live, i)
		show(&d.New, c.columns[i], next, i)
	}
	c.result.Examples = append(c.result.Examples, d)
}

func show(into *map[string]string, column string, row []any, i int) {
	if row == nil {
		return
	}
	if *into == nil {
		*into = map[string]string{}
	}
	(*into)[column] = shown(row[i])
}

// shown is a value for people.
func shown(value any) string {
	const most = 200
	text := fmt.Sprint(value)
	if b, ok := value.([]byte); ok {
		text = string(b)
	}
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

func (c *tableComparer) finish() {
	for i := range c.hashes {
		c.result.Checksums[i] = fmt.Sprintf("%016x", c.hashes[i])
	}
	for i, column := range c.columns {
		if c.numbers[i] {
			if c.result.Sums == nil {
				c.result.Sums = map[string][2]float64{}
			}
			c.result.Sums[column] = [2]float64{c.sums[0][i], c.sums[1][i]}
		}
	}
	if c.key == 0 && c.hashes[0] != c.hashes[1] {
		c.result.Different = max(c.result.Different, 1) // which ones nobody can tell
	}
}

// compareRows compares keys as both engines sort them.
func compareRows(a, b []any) int {
	for i := range a {
		if order := compareValues(a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

func compareValues(a, b any) int {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y)
		}
	case []byte:
		if y, ok := b.([]byte); ok {
			return bytes.Compare(x, y)
		}
	}
	return bytes.Compare(appendValue(nil, a), appendValue(nil, b))
}

// walk is a table row by row.
type walk struct {
	rows *sql.Rows
	row  []any
	into []any
	ok   bool // there is a row
	err  error
}

func newWalk(rows *sql.Rows, columns int) *walk {
	w := &walk{rows: rows, row: make([]any, columns), into: make([]any, columns)}
	for i := range w.row {
		w.into[i] = &w.row[i]
	}
	w.next()
	return w
}

func (w *walk) next() {
	if w.ok = w.rows.Next(); !w.ok {
		w.err = w.rows.Err()
		return
	}
	if w.err = w.rows.Scan(w.into...); w.err != nil {
		w.ok = false
	}
}

func (w *walk) close(err *error) { *err = errors.Join(*err, w.rows.Close()) }
