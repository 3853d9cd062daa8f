package projections

import (
	"context"
	"strings"
)

// insert is a statement that writes many rows at once: each statement costs
// more than the row it writes.
type insert struct {
	columns int
	texts   map[int]string // by number of rows
}

// mostRows is how many rows a statement writes at most, a power of two.
const mostRows = 16

// newInsert makes the statement for rows of so many columns, of what stands
// before and behind the rows.
func newInsert(columns int, before, behind string) insert {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	i := insert{columns: columns, texts: map[int]string{}}
	for n := mostRows; n > 0; n /= 2 {
		i.texts[n] = before + " VALUES " + row + strings.Repeat(", "+row, n-1) + " " + behind
	}
	return i
}

// run writes rows, whose values stand one after the other.
func (i insert) run(ctx context.Context, tx *Tx, values []any) error {
	for n := mostRows; n > 0; n /= 2 {
		for len(values) >= n*i.columns {
			if err := tx.Exec(ctx, i.texts[n], values[:n*i.columns]...); err != nil {
				return err
			}
			values = values[n*i.columns:]
		}
	}
	return nil
}
