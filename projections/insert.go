package projections

import (
	"context"
	"strings"

	"github.com/waybill-dev/waybill/database"
)

// insert is a statement about many rows at once: each statement costs more than
// a row. It begins with INSERT OR FAIL: where one of several rows fails, the
// whole page is undone, or the savepoint of the event.
type insert struct {
	columns int
	rows    database.Rows
	texts   map[int]string // by number of rows
}

// manyRows is from where on Postgres is given them as one array per column.
const manyRows = 2 * mostRows

// mostRows is how many rows a statement is about at most, a power of two.
const mostRows = 16

// newInsert makes the statement for rows of so many columns, of what stands
// before and behind the rows.
func newInsert(columns int, before, behind string) insert {
	return newRows("(?"+strings.Repeat(", ?", columns-1)+")", before, behind)
}

// newRows is newInsert for rows that are written otherwise: Postgres has to be
// told the type of what is not inserted right away.
func newRows(row, before, behind string) insert {
	i := insert{columns: strings.Count(row, "?"), rows: database.Rows{Before: before, Row: row, Behind: behind}, texts: map[int]string{}}
	for n := mostRows; n > 0; n /= 2 {
		i.texts[n] = before + " VALUES " + row + strings.Repeat(", "+row, n-1) + " " + behind
	}
	return i
}

// run writes rows, whose values stand one after the other.
func (i insert) run(ctx context.Context, tx *Tx, values []any) error {
	if len(values) >= manyRows*i.columns && tx.batch.Together() {
		return tx.batch.ExecRows(context.WithoutCancel(ctx), i.rows, values)
	}
	return i.each(values, func(query string, args []any) error { return tx.Exec(ctx, query, args...) })
}

// each calls do for as many rows as a statement takes.
func (i insert) each(values []any, do func(query string, args []any) error) error {
	for n := mostRows; n > 0; n /= 2 {
		for len(values) >= n*i.columns {
			if err := do(i.texts[n], values[:n*i.columns]); err != nil {
				return err
			}
			values = values[n*i.columns:]
		}
	}
	return nil
}
