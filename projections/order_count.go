package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/waybill-dev/waybill/database"
)

// Count is how many rows a list has in all its pages.
type Count struct {
	Rows int64
	// Exact says that they were counted. Otherwise as many as were counted lie
	// as close together as all others are taken to.
	Exact bool
}

// Count counts up to so many orders of a list, along the index that the list is
// read by, and estimates how many there are beyond.
func (q OrderQueries) Count(ctx context.Context, filter OrderFilter, atMost int) (Count, error) {
	other := filter
	other.OldestFirst = !filter.OldestFirst
	near, err := q.rarest(ctx, filter, nil)
	if err != nil {
		return Count{}, err
	}
	far, err := q.rarest(ctx, other, nil)
	if err != nil {
		return Count{}, err
	}
	nearQuery, args := filter.statement("", nil, near)
	farQuery, farArgs := other.statement("", nil, far)
	return countList(ctx, q.DB, nearQuery, args, farQuery, farArgs, atMost)
}

// Count is [OrderQueries.Count] for a search.
func (q SearchQueries) Count(ctx context.Context, what database.Match, filter OrderFilter, atMost int) (Count, error) {
	other := filter
	other.OldestFirst = !filter.OldestFirst
	near, args := filter.search(what, 0)
	far, farArgs := other.search(what, 0)
	return countList(ctx, q.DB, near, args, far, farArgs, atMost)
}

// counted says of the first rows of a list how many they are and how far apart
// its ends are. The first column of the list is its place.
func counted(list string) string {
	return `SELECT COUNT(*), COALESCE(MIN(place), 0), COALESCE(MAX(place), 0) FROM (` + list + `) AS listed`
}

// countList walks along a list from one end, and looks where the other one is.
func countList(ctx context.Context, db *sql.DB, near string, args []any, far string, farArgs []any, atMost int) (Count, error) {
	var n, first, last, end int64
	err := db.QueryRowContext(ctx, counted(near), append(args, atMost+1)...).Scan(&n, &first, &last)
	if err != nil {
		return Count{}, fmt.Errorf("count a list: %w", err)
	}
	if n <= int64(atMost) {
		return Count{n, true}, nil
	}
	var ignored int64
	err = db.QueryRowContext(ctx, counted(far), append(farArgs, 1)...).Scan(&ignored, &end, &ignored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Count{}, fmt.Errorf("count a list: %w", err)
	}
	return Count{Rows: extrapolated(n, first, last, end)}, nil
}

// extrapolated is how many rows lie between the ends of a list of which n lie
// between two places, as close together as those. It has two digits that mean
// something, and is never less than n.
func extrapolated(n, first, last, end int64) int64 {
	whole, part := float64(max(last, end)-min(first, end)), float64(last-first)
	if part <= 0 {
		return n
	}
	rows := float64(n) * whole / part
	digits := math.Pow(10, max(math.Floor(math.Log10(rows))-1, 0))
	return max(n, int64(math.Round(rows/digits)*digits))
}
