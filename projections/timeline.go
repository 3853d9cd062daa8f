package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
)

// Timeline is what happened to an order, a row per event of the order, its
// checkout, its payments and its process, each with the trace it happened in.
type Timeline struct{}

// Name implements [Projection].
func (Timeline) Name() string { return "timeline" }

// Version implements [Projection].
func (Timeline) Version() int { return 2 }

// Migrations implements [Projection].
func (Timeline) Migrations() fs.FS { return schema("timeline") }

// Prefixes implements [Projection].
func (Timeline) Prefixes() []string {
	return []string{order.Decider.Category + "-", checkout.Decider.Category + "-", payment.Decider.Category + "-", process.Decider.Category + "-"}
}

// PerStream implements [PerStream].
func (Timeline) PerStream() {}

// LateIndexes implements [LateIndexes].
func (Timeline) LateIndexes() []string { return []string{"timeline"} }

// Apply implements [Projection].
func (t Timeline) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	return t.ApplyPage(ctx, tx, []eventstore.Recorded{r})
}

// ApplyPage implements [Pager].
func (Timeline) ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error {
	p := timelinePage{known: map[string]string{}, rows: make([]any, 0, len(events)*insertTimeline.columns)}
	for _, r := range events {
		if err := p.add(ctx, tx, r); err != nil {
			return err
		}
	}
	if err := insertStreams.run(ctx, tx, p.streams); err != nil {
		return err
	}
	return insertTimeline.run(ctx, tx, p.rows)
}

// timelinePage is what a page of events writes.
type timelinePage struct {
	known         map[string]string // orders by stream
	streams, rows []any
}

func (p *timelinePage) add(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	meta, err := r.Metadata()
	if err != nil {
		return err
	}
	orderID, err := p.order(ctx, tx, r.Stream, event)
	if err != nil || orderID == "" {
		return err
	}
	p.rows = append(p.rows, orderID,
		int64(r.Position), r.ID.String(), r.Stream, int64(r.Revision), r.Type, millis(r.Created), //nolint:gosec // a log of 8 EiB is far
		meta.Actor.Type, meta.Actor.ID, summary(event), meta.CorrelationID, meta.CausationID, meta.TraceID, meta.SpanID)
	return nil
}

// order finds the order of a stream: in its name, in its first event, or where
// that was written down. Each stream tells by itself, so that none depends on
// another that is blocked.
func (p *timelinePage) order(ctx context.Context, tx *Tx, stream string, event domain.Event) (string, error) {
	if orderID, known := p.known[stream]; known {
		return orderID, nil
	}
	switch e := event.(type) {
	case order.Event:
		return strings.TrimPrefix(stream, order.Decider.Stream("")), nil
	case process.Event:
		return strings.TrimPrefix(stream, process.Decider.Stream("")), nil
	case checkout.CheckoutStarted:
		p.assign(stream, e.OrderID)
	case payment.PaymentAuthorisationRequested:
		p.assign(stream, e.OrderID)
	default:
		var orderID string
		err := tx.QueryRow(ctx, `SELECT order_id FROM streams WHERE stream = ?`, stream).Scan(&orderID)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return "", fmt.Errorf("find the order of %s: %w", stream, err)
		}
		p.known[stream] = orderID
	}
	return p.known[stream], nil
}

func (p *timelinePage) assign(stream, orderID string) {
	p.known[stream] = orderID
	p.streams = append(p.streams, stream, orderID)
}

//nolint:gochecknoglobals // a text that is put together once
var insertStreams = newInsert(2, `INSERT OR FAIL INTO streams (stream, order_id)`, `ON CONFLICT (stream) DO NOTHING`)

//nolint:gochecknoglobals // as above
var insertTimeline = newInsert(14, `INSERT OR FAIL INTO timeline (order_id, position, event_id, stream, revision, type, at,
		actor_type, actor_id, summary, correlation_id, causation_id, trace_id, span_id)`, `ON CONFLICT DO NOTHING`)

func processSummary(event process.Event) string {
	name := func(t process.Task) string { return fmt.Sprintf("%s %s", t.Kind, t.Ref) }
	switch e := event.(type) {
	case process.ProcessTaskFailed:
		return fmt.Sprintf("%s failed, attempt %d, next at %s: %s", name(e.Task), e.Attempt, e.RetryAt.UTC().Format(time.RFC3339), e.Cause)
	case process.ProcessAlarmRaised:
		return fmt.Sprintf("alarm: %s failed %d times: %s", name(e.Task), e.Failures, e.Cause)
	case process.ProcessTaskDone:
		if e.Failures > 0 {
			return fmt.Sprintf("%s done, failures before it: %d", name(e.Task), e.Failures)
		}
		return name(e.Task) + " done"
	case process.ProcessTaskRetried:
		return name(e.Task) + " to be tried at once"
	case process.ProcessTaskAbandoned:
		return fmt.Sprintf("%s given up: %s", name(e.Task), e.Reason)
	}
	return words(event.EventName())
}

// words turns "CheckoutStockReserved" into "checkout stock reserved".
func words(name string) string {
	var b strings.Builder
	for i, c := range name {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}

func money(m domain.Money) string { return m.String() }

// TimelineEntry is one event of an order's timeline.
type TimelineEntry struct {
	Position                   eventstore.Position
	EventID, Stream, Type      string
	Revision                   eventstore.Revision
	At                         time.Time
	Actor                      eventstore.Actor
	Summary                    string
	CorrelationID, CausationID string
	TraceID, SpanID            string
}

// TimelineQueries reads timelines.
type TimelineQueries struct{ DB *sql.DB }

const timelineOfOrder = `
	SELECT position, event_id, stream, revision, type, at, actor_type, actor_id, summary, correlation_id, causation_id, trace_id, span_id
	FROM timeline WHERE order_id = ? ORDER BY position`

// Of returns an order's timeline in the order of the log.
func (q TimelineQueries) Of(ctx context.Context, orderID string) ([]TimelineEntry, error) {
	rows, err := q.DB.QueryContext(ctx, timelineOfOrder, orderID)
	return rowsOf(rows, err, func(rows *sql.Rows) (e TimelineEntry, err error) {
		var at int64
		err = rows.Scan(&e.Position, &e.EventID, &e.Stream, &e.Revision, &e.Type, &at, &e.Actor.Type, &e.Actor.ID,
			&e.Summary, &e.CorrelationID, &e.CausationID, &e.TraceID, &e.SpanID)
		e.At = fromMillis(at)
		return e, err
	})
}
