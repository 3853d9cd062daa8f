package projections

import "strings"

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
