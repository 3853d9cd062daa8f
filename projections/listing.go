package projections

import (
	"strings"
	"time"
)

// listing is the statement of a list: along one index, from where the last page
// ended. Columns and conditions are texts of ours; what a caller says is an
// argument.
type listing struct {
	columns, from string
	key           []string // columns that the rows are sorted by; they name one row
	ascending     bool

	conditions []string
	args       []any
}

// where adds a condition.
func (w *listing) where(condition string, values ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, values...)
}

// equal adds a condition, unless the value is empty.
func (w *listing) equal(column, value string) {
	if value != "" {
		w.where(column+" = ?", value)
	}
}

// after begins behind a row with this key.
func (w *listing) after(key ...any) {
	beyond := " < "
	if w.ascending {
		beyond = " > "
	}
	w.where("("+strings.Join(w.key, ", ")+")"+beyond+"(?"+strings.Repeat(", ?", len(key)-1)+")", key...)
}

// stretch narrows a list to a time of what it is sorted by, and to what comes
// after a key, whose first value is a time too; none is the beginning.
func (w *listing) stretch(from, to time.Time, after ...any) {
	beyond := false
	if len(after) > 0 {
		from, to, beyond = narrower(w.ascending, from, to, after[0].(int64))
	}
	if !from.IsZero() {
		w.where(w.key[0]+" >= ?", millis(from))
	}
	if !to.IsZero() {
		w.where(w.key[0]+" < ?", millis(to))
	}
	if beyond {
		w.after(after...)
	}
}

// narrower leaves one of the two bounds where a list begins, that of its time or
// the key that it goes on after, and reports whether that is the key. SQLite walks
// an index from one of them, and from the wrong one it reads all of the list up to
// the place again, for every page.
func narrower(ascending bool, from, to time.Time, after int64) (_, _ time.Time, beyond bool) {
	switch {
	case ascending && !from.IsZero() && after < millis(from), !ascending && !to.IsZero() && after >= millis(to):
		return from, to, false
	case ascending:
		return time.Time{}, to, true
	}
	return from, time.Time{}, true
}

// unsorted returns the text without an order and a limit, and its arguments.
func (w *listing) unsorted() (string, []any) {
	text := "SELECT " + w.columns + " FROM " + w.from
	if len(w.conditions) > 0 {
		text += " WHERE " + strings.Join(w.conditions, " AND ")
	}
	return text, w.args
}

// query returns the text, whose last argument is a limit, and the arguments
// before it.
func (w *listing) query() (string, []any) {
	text, args := w.unsorted()
	direction := " DESC"
	if w.ascending {
		direction = ""
	}
	return text + " ORDER BY " + strings.Join(w.key, direction+", ") + direction + " LIMIT ?", args
}
