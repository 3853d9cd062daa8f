package projections

import (
	"context"
	"database/sql"
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

// Apply implements [Projection].
func (Timeline) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	meta, err := r.Metadata()
	if err != nil {
		return err
	}
	if err := assign(ctx, tx, r.Stream, event); err != nil {
		return err
	}
	row := []any{
		int64(r.Position), r.ID.String(), r.Stream, int64(r.Revision), r.Type, millis(r.Created), //nolint:gosec // a log of 8 EiB is far
		meta.Actor.Type, meta.Actor.ID, summary(event), meta.CorrelationID, meta.CausationID, meta.TraceID, meta.SpanID,
	}
	return tx.Exec(ctx, insertTimeline, append(row, r.Stream)...)
}

// assign remembers the order of a stream when the first event of the stream
// tells. Each stream tells by itself, so that none depends on another that is
// blocked.
func assign(ctx context.Context, tx *Tx, stream string, event domain.Event) error {
	var orderID string
	switch e := event.(type) {
	case order.OrderPlaced:
		orderID = e.OrderID
	case checkout.CheckoutStarted:
		orderID = e.OrderID
	case payment.PaymentAuthorisationRequested:
		orderID = e.OrderID
	case process.Event:
		orderID = strings.TrimPrefix(stream, process.Decider.Stream(""))
	default:
		return nil
	}
	return tx.Exec(ctx, `INSERT INTO streams (stream, order_id) VALUES (?, ?) ON CONFLICT (stream) DO NOTHING`, stream, orderID)
}

const insertTimeline = `INSERT INTO timeline (order_id, position, event_id, stream, revision, type, at,
		actor_type, actor_id, summary, correlation_id, causation_id, trace_id, span_id)
	SELECT order_id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM streams WHERE stream = ? ON CONFLICT DO NOTHING`

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

// Of returns an order's timeline in the order of the log.
func (q TimelineQueries) Of(ctx context.Context, orderID string) ([]TimelineEntry, error) {
	rows, err := q.DB.QueryContext(ctx, `
		SELECT position, event_id, stream, revision, type, at, actor_type, actor_id, summary, correlation_id, causation_id, trace_id, span_id
		FROM timeline WHERE order_id = ? ORDER BY position`, orderID)
	return rowsOf(rows, err, func(rows *sql.Rows) (e TimelineEntry, err error) {
		var at int64
		err = rows.Scan(&e.Position, &e.EventID, &e.Stream, &e.Revision, &e.Type, &at, &e.Actor.Type, &e.Actor.ID,
			&e.Summary, &e.CorrelationID, &e.CausationID, &e.TraceID, &e.SpanID)
		e.At = fromMillis(at)
		return e, err
	})
}
