package projections

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/eventstore"
)

// Drafts is the list of draft orders, and of those that are being placed the
// to-do list of whoever looks after them.
type Drafts struct{}

// Name implements [Projection].
func (Drafts) Name() string { return "drafts" }

// Version implements [Projection].
func (Drafts) Version() int { return 1 }

// Migrations implements [Projection].
func (Drafts) Migrations() fs.FS { return schema("drafts") }

// Prefixes implements [Projection].
func (Drafts) Prefixes() []string { return []string{draft.Decider.Category + "-"} }

// Apply implements [Projection].
func (Drafts) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	change := func(what string, args ...any) error {
		id := strings.TrimPrefix(r.Stream, draft.Decider.Category+"-")
		return tx.Exec(ctx, `UPDATE drafts SET `+what+`changed_at = ?, revision = ? WHERE draft_id = ? AND revision < ?`,
			append(args, millis(r.Created), int64(r.Revision), id, int64(r.Revision))...)
	}
	switch e := event.(type) {
	case draft.DraftOpened:
		return tx.Exec(ctx, `
			INSERT INTO drafts (draft_id, status, customer_id, currency, order_id, opened_at, changed_at, revision)
			VALUES (?, ?, '', ?, '', ?, ?, ?) ON CONFLICT DO NOTHING`,
			e.DraftID, string(draft.Open), e.Currency, millis(e.At), millis(e.At), int64(r.Revision))
	case draft.DraftLineSet, draft.DraftLineRemoved:
		return change(``)
	case draft.DraftDetailsSet:
		return change(`customer_id = ?, `, e.CustomerID)
	case draft.DraftPlacementBegun:
		return change(`status = ?, `, string(draft.Placing))
	case draft.DraftPlacementEnded:
		return change(`status = ?, `, string(draft.Open))
	case draft.DraftPlaced:
		return change(`status = ?, order_id = ?, `, string(draft.Placed), e.OrderID)
	case draft.DraftDiscarded:
		return change(`status = ?, `, string(draft.Discarded))
	}
	return fmt.Errorf("%T is no event of a draft", event)
}

// DraftRow is one draft of the list.
type DraftRow struct {
	DraftID             string
	Status              draft.Status
	CustomerID          string
	Currency            string
	OrderID             string
	OpenedAt, ChangedAt time.Time
}

// DraftKey is the place of a draft in the list.
type DraftKey struct {
	OpenedAt time.Time
	DraftID  string
}

// DraftQueries reads drafts.
type DraftQueries struct{ DB *sql.DB }

// List returns up to limit drafts with a status, newest first, that come after a
// place in the list; nil is its beginning. A customer's id narrows it.
func (q DraftQueries) List(ctx context.Context, status draft.Status, customerID string, after *DraftKey, limit int) ([]DraftRow, error) {
	query, args := listDrafts(status, customerID, after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (d DraftRow, err error) {
		var opened, changed int64
		err = rows.Scan(&d.DraftID, &d.Status, &d.CustomerID, &d.Currency, &d.OrderID, &opened, &changed)
		d.OpenedAt, d.ChangedAt = fromMillis(opened), fromMillis(changed)
		return d, err
	})
}

func listDrafts(status draft.Status, customerID string, after *DraftKey) (query string, args []any) {
	where, args := `status = ?`, []any{string(status)}
	if customerID != "" {
		where, args = where+` AND customer_id = ?`, append(args, customerID)
	}
	if after != nil {
		where, args = where+` AND (opened_at, draft_id) < (?, ?)`, append(args, millis(after.OpenedAt), after.DraftID)
	}
	return `SELECT draft_id, status, customer_id, currency, order_id, opened_at, changed_at FROM drafts WHERE ` + //nolint:gosec // nothing of the caller's is in it
		where + ` ORDER BY opened_at DESC, draft_id DESC LIMIT ?`, args
}

// maxPlacing is how many drafts that are being placed one look at the list
// takes up.
const maxPlacing = 1_000

const placingDrafts = `SELECT draft_id FROM drafts WHERE status = ? AND changed_at < ? ORDER BY changed_at LIMIT ?`

// Placing returns ids of drafts that are being placed and did not change since a
// time, the longest waiting first.
func (q DraftQueries) Placing(ctx context.Context, before time.Time) ([]string, error) {
	rows, err := q.DB.QueryContext(ctx, placingDrafts, string(draft.Placing), millis(before), maxPlacing)
	return rowsOf(rows, err, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
}
