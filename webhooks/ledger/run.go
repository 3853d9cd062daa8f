package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
)

// Run is a way through the log for one endpoint: the live one, which has no
// end, or a replay.
type Run struct {
	Key
	// From and Until are where a replay begins and ends; it sends what comes
	// after From, up to and with Until.
	From, Until eventstore.Position
	// Spec is what a replay sends, in the words of whoever asked for it. It is
	// empty for the live run.
	Spec string
}

// Runs returns all cursors there are, the live ones first.
func (l *Ledger) Runs(ctx context.Context) (list []Run, err error) {
	rows, err := l.Read.QueryContext(ctx, `
		SELECT endpoint_id, run_id, from_pos, until_pos, spec FROM wh_cursor ORDER BY CASE run_id WHEN ? THEN 0 ELSE 1 END, endpoint_id, run_id`, Live)
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var run Run
		var from int64
		var until sql.NullInt64
		if err := rows.Scan(&run.EndpointID, &run.RunID, &from, &until, &run.Spec); err != nil {
			return nil, fmt.Errorf("read a cursor: %w", err)
		}
		run.From, run.Until = toPosition(from), toPosition(until.Int64)
		list = append(list, run)
	}
	return list, rows.Err()
}
