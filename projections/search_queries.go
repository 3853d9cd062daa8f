package projections

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/database"
)

// SearchQueries finds orders by their words.
type SearchQueries struct{ DB *sql.DB }

// Found is an order that was found, and its place among what is.
type Found struct {
	Place   int64
	OrderID string
}

// Orders returns up to limit orders with what is looked for, the newest first
// unless the filter says otherwise, that come after a place; 0 is the
// beginning. It may know less or more of them than [OrderQueries]: what is
// found is to be read there, with the same filter.
func (q SearchQueries) Orders(ctx context.Context, what database.Match, filter OrderFilter, after int64, limit int) ([]Found, error) {
	query, args := filter.search(what, after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	found, err := rowsOf(rows, err, func(rows *sql.Rows) (f Found, err error) { return f, rows.Scan(&f.Place, &f.OrderID) })
	slices.SortFunc(found, func(a, b Found) int {
		if filter.OldestFirst {
			return cmp.Compare(a.Place, b.Place)
		}
		return cmp.Compare(b.Place, a.Place)
	})
	return found, err
}

// search returns the text, whose last argument is a limit, and the arguments
// before it. The page is found among the words alone, and comes in no order: in
// one statement with a join and a limit Postgres reads every document down to
// the page.
func (f OrderFilter) search(what database.Match, after int64) (string, []any) {
	what.All = slices.Clone(what.All)
	for _, word := range []struct{ name, value string }{
		{"status", f.Status},
		{"payment", f.PaymentStatus},
		{"customer", f.CustomerID},
		{"sku", f.SKU},
		{"tag", f.Tag},
		{"source", f.ExternalSource},
		{"ref", f.ExternalRef},
	} {
		if word.value != "" {
			what.All = append(what.All, filterWord(word.name, word.value))
		}
	}
	w := listing{columns: "w.rowid", from: "words w", key: []string{"w.rowid"}, ascending: f.OldestFirst}
	w.where("w.text MATCH ?", what)
	from, to := int64(0), int64(math.MaxInt64) // the first one, and the first that is none
	if !f.PlacedFrom.IsZero() {
		from = docAt(f.PlacedFrom)
	}
	if !f.PlacedTo.IsZero() {
		to = docAt(f.PlacedTo)
	}
	switch { // one bound on each side: FTS5 takes no more
	case after != 0 && f.OldestFirst:
		from = max(from, after+1)
	case after != 0:
		to = min(to, after)
	}
	if from > 0 {
		w.where("w.rowid >= ?", from)
	}
	if to < math.MaxInt64 {
		w.where("w.rowid < ?", to)
	}
	page, args := w.query()
	return "SELECT d.doc AS place, d.order_id FROM (" + page + ") page CROSS JOIN documents d WHERE d.doc = page.rowid", args
}

// Among returns those of the orders with ids that a filter lets through, in no
// order.
func (q OrderQueries) Among(ctx context.Context, ids []string, filter OrderFilter) ([]OrderRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query, args := filter.among(ids)
	rows, err := q.DB.QueryContext(ctx, query, args...)
	return rowsOf(rows, err, scanOrder)
}

// amongSizes are how many ids a statement has: there are few texts to keep
// prepared.
var amongSizes = []int{1, 10, 51, 201}

func (f OrderFilter) among(ids []string) (string, []any) {
	w := listing{columns: orderColumns, from: "orders o"}
	size := len(ids)
	if i, _ := slices.BinarySearch(amongSizes, size); i < len(amongSizes) {
		size = amongSizes[i]
	}
	padded := make([]any, size)
	for i := range padded {
		padded[i] = ids[min(i, len(ids)-1)]
	}
	w.where("o.order_id IN (?"+strings.Repeat(", ?", size-1)+")", padded...)
	// The ids lead to the rows. SQLite would take the index of a status instead
	// and read every order that has it.
	for _, asked := range f.ways() {
		asked.lookAt(&w, way{})
	}
	w.key = []string{"o.placed_at + 0"}
	w.stretch(f.PlacedFrom, f.PlacedTo)
	return w.unsorted()
}
