package projections

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/eventstore"
)

// Walk is a way along which a list of orders can be read.
type Walk struct {
	Asked                      string // the column, or none
	List, Count, Reach         string
	ListArgs, CountArgs, Looks []any
}

// Walks are the statements behind a list of orders, one for each of the ways
// along which it can be read, to look at their plans.
func Walks(filter OrderFilter, after *OrderKey) (all []Walk) {
	ways := filter.ways()
	if len(ways) == 0 {
		ways = []way{{}}
	}
	for _, along := range ways {
		all = append(all, walkAlong(filter, after, along))
	}
	return all
}

func walkAlong(filter OrderFilter, after *OrderKey, along way) Walk {
	walk := Walk{Asked: along.column}
	walk.List, walk.ListArgs = filter.statement(orderColumns, after, along)
	walk.Count, walk.CountArgs = filter.statement("", nil, along)
	walk.Reach, walk.Looks = filter.reach(after, along)
	return walk
}

// Chosen is the one of [Walks] that a list is read along.
func (q OrderQueries) Chosen(ctx context.Context, filter OrderFilter, after *OrderKey) (Walk, error) {
	along, err := q.rarest(ctx, filter, after)
	return walkAlong(filter, after, along), err
}

// Extrapolated is how many rows a list is taken to have.
func Extrapolated(n, first, last, end int64) int64 { return extrapolated(n, first, last, end) }

// StockQuery is the statement behind a list of stock levels.
func StockQuery(filter StockFilter) (query string, args []any) { return filter.query("A", "main") }

// The statements behind the catalogue.
const (
	ListProductsQuery         = listProducts
	ListProductsByStatusQuery = listProductsByStatus
)

// DueQuery is the statement behind the checkouts that are due.
const DueQuery = dueCheckouts

// ExpiredQuery is the statement behind the items with expired reservations.
const ExpiredQuery = expiredItems

// TaskQueriesText are the statements behind the to-do list.
func TaskQueriesText() (due, ofOrder, alarmed, count string) {
	return dueTasks, orderTasks, alarmedTasks, countTasks
}

// ListCheckoutsQuery lists checkouts at a step.
const ListCheckoutsQuery = listCheckouts

// ListGatewayCallbacksQuery lists callbacks that were not applied.
const ListGatewayCallbacksQuery = listGatewayCallbacks

// Summary is what a timeline says of a stored event.
func Summary(codec *eventstore.Codec, e domain.EventType, data []byte) (string, error) {
	event, err := codec.Bind(eventstore.Recorded{
		Type: e.Zero.EventName(), Data: data, RawMetadata: fmt.Appendf(nil, `{"schema":%d}`, e.Schema()),
	}).Decode()
	if err != nil {
		return "", err
	}
	return summary(event), nil
}

// SalesQuery is the statement behind sums of sales.
func SalesQuery(filter SalesFilter, after SalesRow) (query string, args []any) {
	query, args, _ = filter.query(after)
	return query, args
}

// ShipmentsQuery is the statement behind a list of parcels.
func ShipmentsQuery(filter PartFilter, after *PartKey) (query string, args []any) {
	return filter.shipments(after)
}

// ReturnsQuery is the statement behind a list of returns.
func ReturnsQuery(filter PartFilter, after *PartKey) (query string, args []any) {
	return filter.returns(after)
}

// ReservationsQuery is the statement behind a list of open reservations.
func ReservationsQuery(filter ReservationFilter, after *OpenReservation) (query string, args []any) {
	return filter.query(after)
}

// PaymentsQuery is the statement behind a list of payments.
func PaymentsQuery(filter PaymentFilter, after *PaymentKey) (query string, args []any) {
	return filter.query(after)
}

// MovementsQuery is the statement behind a list of captures or refunds.
func MovementsQuery(filter MovementFilter, after *MovementKey) (query string, args []any) {
	return filter.query(after)
}

// SearchQuery is the statement behind a search.
func SearchQuery(what database.Match, filter OrderFilter, after int64) (query string, args []any) {
	return filter.search(what, after)
}

// Turn is how long a rebuild rests after work, beside live work.
func Turn(took time.Duration, processors, of int) time.Duration { return turn(took, processors, of) }

// Filling writes many rows as a rebuild does.
func (r *Runner) Filling(ctx context.Context, write func() error) error {
	return r.filling(ctx, false, write)
}

// AmongQuery is the statement that reads what a search has found.
func AmongQuery(filter OrderFilter, ids []string) (query string, args []any) {
	return filter.among(ids)
}

// DraftQueriesText are the statements behind the list of drafts, and of those
// that are being placed.
func DraftQueriesText(status draft.Status, customerID string) (list string, args []any, placing string) {
	list, args = listDrafts(status, customerID, &DraftKey{})
	return list, args, placingDrafts
}

// JobsQuery is the statement behind a list of jobs.
func JobsQuery(filter JobFilter) (query string, args []any) { return filter.query(&JobKey{}) }

// CustomerQueriesText are the statements behind what belongs to a customer.
func CustomerQueriesText() (open, checkouts, drafts, orders string) {
	return customersOpenOrders, customersCheckouts, customersDrafts, customersOrders
}

// TimelineQuery is the statement behind a timeline.
const TimelineQuery = timelineOfOrder

// OrderQuery is the statement behind one order, by its number for example.
func OrderQuery(column string) string { return oneOrder(column) }

// The statements behind the to-do list of jobs and how many there are.
const (
	DueJobsQuery   = dueJobs
	CountJobsQuery = countJobs
)

// Freeze lets nobody bring a version forward until it is thawed.
func (r *Runner) Freeze(ctx context.Context) (thaw func(), err error) {
	standing, err := r.freeze(ctx)
	return standing.thaw, err
}

// Lane is the runner of one part.
func (r *Runner) Lane(ctx context.Context, number, of int) (*Runner, error) {
	return r.lane(ctx, partition{number, of})
}

// Divide brings a version into parts as soon as nobody works on it.
func (r *Runner) Divide(ctx context.Context, parts int) error { return r.divide(ctx, parts) }

// Standstill brings the parts to one position until it is thawed.
func (r *Runner) Standstill(ctx context.Context) (thaw func(), err error) {
	standing, err := r.standstill(ctx)
	return standing.thaw, err
}

// Choose is which parts a worker is to have. Of each part it is told who has
// it, and of the worker which ones it tries to have.
func Choose(owners, workers []string, me string, at []int) []int {
	trying := map[int]driving{}
	for _, n := range at {
		trying[n] = driving{}
	}
	return roster{owners, workers}.choose(me, trying)
}

// Barrier puts a barrier at a position, until some time.
func (r *Runner) Barrier(ctx context.Context, at eventstore.Position, until time.Time) error {
	return r.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE barrier SET position = ?`, positionValue(at)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO leases (name, owner, epoch, until) VALUES (?, 'test', 1, ?)
			ON CONFLICT (name) DO UPDATE SET until = excluded.until`, barrierLease, until.UnixMilli())
		return err
	})
}

// Making does something while an index is being made as a rebuild makes it.
func (r *Runner) Making(ctx context.Context, index string, do func() error) error {
	return r.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := r.db.Indexing(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, index); err != nil {
			return err
		}
		return do()
	})
}

// Clean removes the versions that nobody wants any more.
func (s *Set) Clean(ctx context.Context) error { return s.clean(ctx) }

// Finish ends a rebuild as the process that works on it does.
func (s *Set) Finish(ctx context.Context, r Rebuild, state RebuildState) error {
	return s.catalogue.finish(ctx, r, state, "")
}

// GiveUp lets a rebuild fail once more than it may.
func (s *Set) GiveUp(ctx context.Context, r Rebuild, cause error) {
	w := worker{set: s}
	w.failed(ctx, &assignment{id: r.ID, failures: maxFailures - 1}, r, cause)
}

// CancelFromElsewhere cancels a rebuild as another process does: this one sees it
// when it looks again.
func (s *Set) CancelFromElsewhere(ctx context.Context, name string) error {
	_, err := s.catalogue.db.Write.ExecContext(ctx, `UPDATE rebuilds SET wanted = 'cancel' WHERE projection = ?`, name)
	return err
}
